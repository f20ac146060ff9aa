//! The rules of one-time codes, as pure decisions: how many may be sent, which may be tried, which is right.

use chrono::{DateTime, TimeDelta, Utc};
use store::{
    secrets::sha256,
    sign_in::{Asked, Code},
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// A code works this long.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// A login lasts this long, used or not.
pub const LOGIN_LASTS: TimeDelta = TimeDelta::days(14);
/// As far back as any limit looks.
pub const LOOK_BACK: TimeDelta = TimeDelta::days(1);

/// Codes sent, per e-mail and per network address: so many within so long.
const MAILS: [(TimeDelta, usize); 2] = [(TimeDelta::minutes(15), 3), (TimeDelta::hours(1), 5)];
/// Tries of one code.
const TRIES_OF_CODE: i32 = 5;
/// Tries per e-mail and per network address in an hour.
const TRIES_AN_HOUR: i32 = 10;
/// Tries per e-mail in a day: guessing for a day succeeds once in 20,000.
const TRIES_A_DAY: i32 = 50;

/// Whether one more code may be sent, given those of the last day; if not, when the next one may.
pub fn may_mail(asked: &[Asked], now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
    let same: [fn(&Asked) -> bool; 2] = [|asked| asked.same_email, |asked| asked.same_address];
    let mut free_at = now;
    for same in same {
        for (span, most) in MAILS {
            let recent: Vec<DateTime<Utc>> = asked
                .iter()
                .filter(|asked| same(asked) && asked.at > now - span)
                .map(|asked| asked.at)
                .collect();
            if recent.len() >= most {
                free_at = free_at.max(recent[recent.len() - most] + span);
            }
        }
    }
    if free_at > now { Err(free_at) } else { Ok(()) }
}

/// What comes of a code that was typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Right,
    /// It is not.
    Wrong,
    /// Too old, spent, or another was asked for since.
    Expired,
    /// It was tried too often, or too many codes were.
    TooManyTries,
}

/// Judges `typed`, given the browser's last code and the codes of the last day that share its e-mail or address.
pub fn judge(
    code: &Code,
    browser: &str,
    typed: &str,
    asked: &[Asked],
    now: DateTime<Utc>,
) -> Verdict {
    if code.used_at.is_some() || code.expires_at <= now || !code.newest {
        return Verdict::Expired;
    }
    let tries = |same: fn(&Asked) -> bool, span: TimeDelta| -> i32 {
        asked
            .iter()
            .filter(|asked| same(asked) && asked.at > now - span)
            .map(|asked| asked.tries)
            .sum()
    };
    let hour = TimeDelta::hours(1);
    if code.tries >= TRIES_OF_CODE
        || tries(|asked| asked.same_email, hour) >= TRIES_AN_HOUR
        || tries(|asked| asked.same_address, hour) >= TRIES_AN_HOUR
        || tries(|asked| asked.same_email, LOOK_BACK) >= TRIES_A_DAY
    {
        return Verdict::TooManyTries;
    }
    let right = hash(code.id, browser, typed);
    if bool::from(right[..].ct_eq(&code.code_hash)) {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// What is kept of a code. The browser's secret is in it, so that a million guesses at a stolen row tell nothing.
pub fn hash(id: Uuid, browser: &str, code: &str) -> [u8; 32] {
    sha256(format!("{id} {browser} {code}").as_bytes())
}

/// An address as it is kept, if it can be one: `somebody@somewhere`, lower case.
pub fn email(typed: &str) -> Option<String> {
    let email = typed.trim();
    let (who, host) = email.split_once('@')?;
    let fits = !who.is_empty()
        && !host.is_empty()
        && email.len() <= 254
        && !host.contains('@')
        && email.chars().all(|c| {
            !c.is_control() && !c.is_whitespace() && !matches!(c, ',' | ';' | '<' | '>' | '"')
        });
    fits.then(|| email.to_lowercase())
}

/// A way back after signing in: a path of ours, or the start. Anything that a browser could read as another host is
/// not a path of ours.
pub fn local(next: Option<&str>) -> &str {
    match next {
        Some(next)
            if next.starts_with('/')
                && !next.starts_with("//")
                && !next.contains(|c: char| c == '\\' || c.is_control() || !c.is_ascii()) =>
        {
            next
        }
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn asked(minutes: i64, tries: i32) -> Asked {
        Asked {
            at: at(minutes),
            same_email: true,
            same_address: false,
            tries,
        }
    }

    #[test]
    fn three_codes_in_a_quarter_of_an_hour_and_five_in_an_hour() {
        for (before, now, expected) in [
            (vec![], 0, Ok(())),
            (vec![0, 1], 2, Ok(())),
            (vec![0, 1, 2], 3, Err(at(15))),
            (vec![0, 1, 2], 15, Ok(())),
            (vec![0, 1, 2, 15, 16], 31, Err(at(60))),
            (vec![0, 1, 2, 15, 16], 60, Ok(())),
            // Both limits at once: the later one counts.
            (vec![0, 1, 40, 41, 42], 43, Err(at(60))),
        ] {
            let codes: Vec<Asked> = before.iter().map(|minutes| asked(*minutes, 0)).collect();
            assert_eq!(may_mail(&codes, at(now)), expected, "{before:?} at {now}");
            let elsewhere: Vec<Asked> = codes
                .iter()
                .map(|code| Asked {
                    same_email: false,
                    same_address: true,
                    ..*code
                })
                .collect();
            assert_eq!(
                may_mail(&elsewhere, at(now)),
                expected,
                "per network address"
            );
        }
    }

    fn code(tries: i32) -> Code {
        let id = Uuid::from_u128(7);
        Code {
            id,
            email: "op@example.org".to_owned(),
            code_hash: hash(id, "browser", "042137").to_vec(),
            tries,
            address: String::new(),
            expires_at: at(10),
            used_at: None,
            newest: true,
        }
    }

    #[test]
    fn a_code_is_judged() {
        let judge = |code: &Code, browser: &str, typed: &str, asked: &[Asked], now: i64| {
            super::judge(code, browser, typed, asked, at(now))
        };
        assert_eq!(judge(&code(0), "browser", "042137", &[], 9), Verdict::Right);
        assert_eq!(judge(&code(0), "browser", "042138", &[], 9), Verdict::Wrong);
        assert_eq!(judge(&code(4), "browser", "042138", &[], 9), Verdict::Wrong);
        assert_eq!(
            judge(&code(5), "browser", "042137", &[], 9),
            Verdict::TooManyTries
        );
        assert_eq!(judge(&code(0), "other", "042137", &[], 9), Verdict::Wrong);
        assert_eq!(
            judge(&code(0), "browser", "042137", &[], 10),
            Verdict::Expired
        );
        let used = Code {
            used_at: Some(at(1)),
            ..code(0)
        };
        assert_eq!(judge(&used, "browser", "042137", &[], 2), Verdict::Expired);
        let older = Code {
            newest: false,
            ..code(0)
        };
        assert_eq!(judge(&older, "browser", "042137", &[], 2), Verdict::Expired);

        let hour = [asked(-59, 5), asked(-10, 5)];
        assert_eq!(
            judge(&code(0), "browser", "042137", &hour, 0),
            Verdict::TooManyTries
        );
        assert_eq!(
            judge(&code(0), "browser", "042137", &hour, 2),
            Verdict::Right
        );
        let day: Vec<Asked> = (0..10).map(|code| asked(-100 - 60 * code, 5)).collect();
        assert_eq!(
            judge(&code(0), "browser", "042137", &day, 0),
            Verdict::TooManyTries
        );
    }

    #[test]
    fn an_address_is_one_address() {
        assert_eq!(email(" Op@Example.org ").as_deref(), Some("op@example.org"));
        for typed in [
            "",
            "op",
            "@x",
            "op@",
            "a@b@c",
            "a b@c",
            "a@b\r\nBcc: c@d",
            "a@b,c@d",
            "<a@b>",
        ] {
            assert_eq!(email(typed), None, "{typed:?}");
        }
        assert_eq!(email(&format!("{}@b", "a".repeat(254))), None);
    }

    #[test]
    fn the_way_back_leads_to_us() {
        for (next, expected) in [
            (Some("/sessions?from=a&to=b"), "/sessions?from=a&to=b"),
            (None, "/"),
            (Some(""), "/"),
            (Some("sessions"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
            (Some("/\t/evil.example"), "/"),
        ] {
            assert_eq!(local(next), expected, "{next:?}");
        }
    }
}
