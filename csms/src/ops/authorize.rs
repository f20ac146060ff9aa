//! Whether a token may charge.

use chrono::{DateTime, Utc};
use store::authorize_attempts::Attempt;
use store::lookup::Token;
use uuid::Uuid;

use crate::Csms;
use crate::gather::Unavailable;

/// What a station is told of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) verdict: Verdict,
    pub(crate) parent: Option<String>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// The words of OCPP 1.6 7.2; 2.0.1 has more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Blocked,
    Expired,
    Invalid,
    /// It already has as many open transactions as it may have.
    ConcurrentTx,
    /// It charges on nobody's account, where the settings ask for one. The token's own status stays what it is.
    NoAccount,
}

impl Authorization {
    /// What is kept of it: that a token was told no. What was accepted is kept as what it led to.
    pub(crate) fn attempt(
        &self,
        station_id: Uuid,
        token: &str,
        at: DateTime<Utc>,
    ) -> Option<Attempt> {
        let verdict = match self.verdict {
            Verdict::Accepted => return None,
            Verdict::Blocked => "blocked",
            Verdict::Expired => "expired",
            Verdict::Invalid => "invalid",
            Verdict::ConcurrentTx => "concurrent_tx",
            Verdict::NoAccount => "no_account",
        };
        Some(Attempt {
            station_id,
            token: token.replace('\0', "\u{fffd}"),
            verdict,
            at,
        })
    }
}

/// Looks the token up and decides.
pub(crate) async fn authorize(
    csms: &Csms,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Authorization, Unavailable> {
    let key = ocpp::lenient::token_key(token);
    if !csms.options.tag_gating {
        return Ok(decide(csms.lookups.token(&key).await?, true, now));
    }
    let (known, account) = tokio::join!(csms.lookups.token(&key), csms.lookups.account(&key));
    let on_account = account?.is_some_and(|account| account.active);
    Ok(decide(known?, on_account, now))
}

/// A token is as good as the worse of itself and its group; and somebody must pay, if that is asked for.
pub(crate) fn decide(token: Option<Token>, on_account: bool, now: DateTime<Utc>) -> Authorization {
    let Some(token) = token else {
        return Authorization {
            verdict: Verdict::Invalid,
            parent: None,
            expires_at: None,
        };
    };
    let own = verdict(&token.status);
    let group = token
        .parent_status
        .as_deref()
        .map_or(Verdict::Accepted, verdict);
    let verdict = if own != Verdict::Accepted {
        own
    } else if token.expires_at.is_some_and(|at| at <= now) {
        Verdict::Expired
    } else if group != Verdict::Accepted {
        group
    } else if !on_account {
        Verdict::NoAccount
    } else if token
        .max_active
        .is_some_and(|most| token.open >= i64::from(most))
    {
        Verdict::ConcurrentTx
    } else {
        Verdict::Accepted
    };
    Authorization {
        verdict,
        parent: token.parent,
        expires_at: token.expires_at,
    }
}

fn verdict(status: &str) -> Verdict {
    match status {
        "accepted" => Verdict::Accepted,
        "blocked" => Verdict::Blocked,
        "expired" => Verdict::Expired,
        _ => Verdict::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(status: &str) -> Token {
        Token {
            status: status.to_owned(),
            parent: None,
            parent_status: None,
            expires_at: None,
            max_active: None,
            open: 0,
        }
    }

    #[track_caller]
    fn check(token: Option<Token>, expected: Verdict) {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        assert_eq!(decide(token.clone(), true, now).verdict, expected);
        // Without an account only what would be accepted, or counted, has another reason.
        let gated = match expected {
            Verdict::Accepted | Verdict::ConcurrentTx => Verdict::NoAccount,
            other => other,
        };
        assert_eq!(decide(token, false, now).verdict, gated);
    }

    #[test]
    fn the_table() {
        let at = |time: &str| Some(time.parse().unwrap());
        check(None, Verdict::Invalid);
        check(Some(token("accepted")), Verdict::Accepted);
        check(Some(token("blocked")), Verdict::Blocked);
        check(Some(token("expired")), Verdict::Expired);
        check(Some(token("invalid")), Verdict::Invalid);
        check(
            Some(Token {
                expires_at: at("2026-11-20T12:00:00Z"),
                ..token("accepted")
            }),
            Verdict::Expired,
        );
        check(
            Some(Token {
                expires_at: at("2026-11-20T12:00:01Z"),
                ..token("accepted")
            }),
            Verdict::Accepted,
        );
        check(
            Some(Token {
                parent_status: Some("blocked".into()),
                ..token("accepted")
            }),
            Verdict::Blocked,
        );
        check(
            Some(Token {
                max_active: Some(1),
                open: 0,
                ..token("accepted")
            }),
            Verdict::Accepted,
        );
        check(
            Some(Token {
                max_active: Some(1),
                open: 1,
                ..token("accepted")
            }),
            Verdict::ConcurrentTx,
        );
    }
}
