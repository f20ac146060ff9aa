//! Settings of usage to Lago. A part given by halves is refused: its missing half is named.

use chrono::{DateTime, Utc};

use super::{Env, with_scheme};
use crate::schedule::Schedule;

/// Usage to Lago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lago {
    /// `LAGO_API_URL` and `LAGO_API_KEY`. Without them events stay in the outbox, from where they can be exported.
    pub api: Option<LagoApi>,
    /// `LAGO_METRIC_CODE`: the billable metric.
    pub metric_code: String,
    /// `LAGO_METRIC_PROPERTY`: the property that it sums.
    pub metric_property: String,
    /// `LAGO_WEBHOOK_HMAC_KEY`: webhooks signed with it are obeyed.
    pub webhook_hmac_key: Option<Secret>,
    /// `LAGO_WEBHOOK_PUBLIC_KEY`: webhooks signed by jwt with its other half are obeyed.
    pub webhook_public_key: Option<String>,
    /// `SYNC_CRON_SCHEDULE`.
    pub schedule: Schedule,
    /// `SYNC_ON_STARTUP`.
    pub on_startup: bool,
    /// `SYNC_CADENCE`.
    pub cadence: Cadence,
    /// `SYNC_METER_SECONDS` and `SYNC_METER_WH`: sessions that charge are billed between the runs too, when this long or
    /// this much has passed since their last event.
    pub meter: Option<MeterFlush>,
    /// `SYNC_SINCE`: sessions that began before are never sent.
    pub since: Option<DateTime<Utc>>,
    /// `SYNC_TAG_GATING`: tokens on nobody's account may not charge.
    pub tag_gating: bool,
}

/// Where Lago is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LagoApi {
    /// Without `/api/v1` and without a slash at the end.
    pub url: String,
    /// The API key.
    pub key: Secret,
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Whether every tick of the schedule is a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// Every tick.
    Cron,
    /// Ticks are skipped while nothing happens: then one an hour, and after long quiet one a week.
    Adaptive,
}

/// When the meter of a charging session is worth an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterFlush {
    /// So many seconds after the last one.
    pub seconds: u32,
    /// Or so many Wh.
    pub wh: u32,
}

impl Default for Lago {
    /// Local mode: nothing is set.
    fn default() -> Self {
        Self::from_env(&mut Env::of::<String, String>([]))
    }
}

impl Lago {
    pub(super) fn from_env(env: &mut Env) -> Self {
        Self {
            api: api(env),
            metric_code: word(env.text("LAGO_METRIC_CODE"), "ev_charging_kwh"),
            metric_property: word(env.text("LAGO_METRIC_PROPERTY"), "kwh"),
            webhook_hmac_key: env.text("LAGO_WEBHOOK_HMAC_KEY").map(Secret),
            webhook_public_key: env.text("LAGO_WEBHOOK_PUBLIC_KEY"),
            schedule: env
                .read(
                    "SYNC_CRON_SCHEDULE",
                    "five fields of cron, in UTC, such as */15 * * * *",
                    |pattern| pattern.parse().ok(),
                )
                .unwrap_or_else(Schedule::every_quarter),
            on_startup: env.flag("SYNC_ON_STARTUP"),
            cadence: env.choice(
                "SYNC_CADENCE",
                Cadence::Cron,
                &[("cron", Cadence::Cron), ("adaptive", Cadence::Adaptive)],
            ),
            meter: meter(env),
            since: env.read("SYNC_SINCE", "a time such as 2026-01-01T00:00:00Z", |at| {
                at.parse().ok()
            }),
            tag_gating: env.flag("SYNC_TAG_GATING"),
        }
    }
}

fn word(text: Option<String>, default: &str) -> String {
    text.unwrap_or_else(|| default.to_owned())
}

fn api(env: &mut Env) -> Option<LagoApi> {
    let url = env.read(
        "LAGO_API_URL",
        "a URL such as https://api.getlago.com",
        |url| {
            let url = with_scheme(url, &["http", "https"])?;
            Some(url.strip_suffix("/api/v1").unwrap_or(&url).to_owned())
        },
    );
    let key = env.text("LAGO_API_KEY");
    match (url, key) {
        (Some(url), Some(key)) => Some(LagoApi {
            url,
            key: Secret(key),
        }),
        (Some(_), None) => {
            env.complain(
                "LAGO_API_KEY",
                String::new(),
                "the key that goes with LAGO_API_URL",
            );
            None
        }
        (None, Some(_)) if env.text("LAGO_API_URL").is_none() => {
            env.complain(
                "LAGO_API_URL",
                String::new(),
                "the address that goes with LAGO_API_KEY",
            );
            None
        }
        _ => None,
    }
}

fn meter(env: &mut Env) -> Option<MeterFlush> {
    const AMOUNT: &str = "a whole number from 1 to 1000000; the other of SYNC_METER_SECONDS and SYNC_METER_WH then is 60 \
                          or 1000 by itself";
    let amount = |text: &str| text.parse().ok().filter(|n| (1..=1_000_000).contains(n));
    let seconds = env.read("SYNC_METER_SECONDS", AMOUNT, amount);
    let wh = env.read("SYNC_METER_WH", AMOUNT, amount);
    (seconds.is_some() || wh.is_some()).then(|| MeterFlush {
        seconds: seconds.unwrap_or(60),
        wh: wh.unwrap_or(1_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn local_mode_needs_no_setting() {
        let lago = Config::from_env(Env::of([("PATH", "/bin")])).unwrap().lago;
        assert_eq!(lago.api, None);
        assert_eq!(
            (lago.metric_code.as_str(), lago.metric_property.as_str()),
            ("ev_charging_kwh", "kwh")
        );
        assert_eq!(lago.schedule, "*/15 * * * *".parse().unwrap());
        assert_eq!((lago.meter, lago.tag_gating), (None, false));
    }

    #[test]
    fn an_address_without_its_key_is_refused_by_name() {
        let problems = |variables: &[(&str, &str)]| {
            Config::from_env(Env::of(variables.iter().copied()))
                .unwrap_err()
                .to_string()
        };
        let text = problems(&[("LAGO_API_URL", "https://lago.example.org")]);
        assert!(text.contains("LAGO_API_KEY=: expected the key"), "{text}");
        let text = problems(&[("LAGO_API_KEY", "hunter2")]);
        assert!(text.contains("LAGO_API_URL=: expected"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let text = problems(&[
            ("LAGO_API_URL", "lago"),
            ("LAGO_API_KEY", "k"),
            ("SYNC_CRON_SCHEDULE", "now and then"),
            ("SYNC_METER_WH", "0"),
            ("SYNC_CADENCE", "often"),
        ]);
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn an_address_may_end_in_its_version_and_a_key_is_never_shown() {
        let lago = Config::from_env(Env::of([
            ("LAGO_API_URL", "https://lago.example.org/api/v1/"),
            ("LAGO_API_KEY", "hunter2"),
            ("SYNC_METER_SECONDS", "30"),
        ]))
        .unwrap()
        .lago;
        assert!(!format!("{lago:?}").contains("hunter2"));
        assert_eq!(lago.api.unwrap().url, "https://lago.example.org");
        assert_eq!(
            lago.meter,
            Some(MeterFlush {
                seconds: 30,
                wh: 1_000
            })
        );
    }
}
