//! Settings, from the environment only. Every problem is reported at once, with the name, the value and what was
//! expected. No setting is needed to start. `.env.example` documents each variable; a test compares the two.

mod lago;
mod tls;

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

pub use lago::{Cadence, Lago, LagoApi, MeterFlush, Secret};
pub use tls::Tls;

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: &'static str,
    /// Its value; dots where it may hold a password.
    pub value: String,
    /// What it should look like.
    pub expected: String,
}

/// Every setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these settings cannot be used:")?;
        for Problem {
            name,
            value,
            expected,
        } in &self.0
        {
            write!(f, "\n  {name}={value}: expected {expected}")?;
        }
        Ok(())
    }
}

/// Variables, and the problems found while reading them. An empty value counts as not set.
#[derive(Debug)]
pub struct Env {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Env {
    /// The process's environment. Values that are not Unicode count as not set.
    pub fn of_process() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// The given variables, for tests.
    pub fn of<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            problems: Vec::new(),
        }
    }

    /// The value as it is.
    pub fn text(&self, name: &'static str) -> Option<String> {
        self.values
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The value read by `parse`. `expected` completes the sentence "expected …".
    pub fn read<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.complain(name, value, expected);
        }
        parsed
    }

    /// Like [`Self::read`] for a value that may hold a password: it is never repeated.
    pub fn secret<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&self.text(name)?);
        if parsed.is_none() {
            self.complain(name, "…".to_owned(), expected);
        }
        parsed
    }

    /// The value by its type's own reader, or `default`.
    pub fn or<T: FromStr>(&mut self, name: &'static str, default: T, expected: &str) -> T {
        self.read(name, expected, |value| value.parse().ok())
            .unwrap_or(default)
    }

    /// One of a few words, or `default`.
    pub fn choice<T: Copy>(&mut self, name: &'static str, default: T, choices: &[(&str, T)]) -> T {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", words.join(", "));
        self.read(name, &expected, |value| {
            choices
                .iter()
                .find(|(word, _)| *word == value)
                .map(|(_, choice)| *choice)
        })
        .unwrap_or(default)
    }

    /// `1`/`true` or `0`/`false`; not set is false.
    pub fn flag(&mut self, name: &'static str) -> bool {
        self.choice(
            name,
            false,
            &[("1", true), ("0", false), ("true", true), ("false", false)],
        )
    }

    /// Values separated by commas.
    pub fn list<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Vec<T> {
        self.read(name, expected, |value| {
            value
                .split(',')
                .map(|item| item.trim().parse().ok())
                .collect()
        })
        .unwrap_or_default()
    }

    /// A number of days from 1 to 36,500.
    pub fn days(&mut self, name: &'static str, default: u32) -> u32 {
        self.read(name, "a number of days from 1 to 36500", |value| {
            value
                .parse()
                .ok()
                .filter(|days| (1..=36_500).contains(days))
        })
        .unwrap_or(default)
    }

    /// A number of things, at least one.
    pub fn count(&mut self, name: &'static str, default: usize) -> usize {
        self.read(name, "a whole number from 1 on", |value| {
            value.parse().ok().filter(|count| *count > 0)
        })
        .unwrap_or(default)
    }

    /// `config` if nothing was wrong.
    ///
    /// # Errors
    /// Every problem found.
    pub fn finish<T>(self, config: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems(self.problems))
        }
    }

    fn complain(&mut self, name: &'static str, value: String, expected: &str) {
        self.problems.push(Problem {
            name,
            value,
            expected: expected.to_owned(),
        });
    }
}

/// Every setting, by owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the data is.
    pub database: Database,
    /// The chargers' room.
    pub csms: Csms,
    /// The people's room.
    pub portal: Portal,
    /// How long things are kept.
    pub retention: Retention,
    /// Outgoing mail.
    pub mail: Mail,
    /// `OUTBOUND_PRIVATE`: whether servers that people name may be inside our own network.
    pub outbound_private: bool,
    /// Usage to Lago.
    pub lago: Lago,
    /// What the process says of itself.
    pub log: Log,
    /// `HEALTH_LISTEN`: where health and metrics answer.
    pub health: SocketAddr,
    /// `FORECOURT_DEMO`: mails are shown instead of sent, sign-in codes are printed. Never on a public server.
    pub demo: bool,
}

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `DATABASE_URL`: a server that runs already. Without it, a private cluster below `data` is used.
    pub url: Option<String>,
    /// `FORECOURT_DATA`: the installation's folder.
    pub data: PathBuf,
}

/// Settings of the chargers' room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csms {
    /// `OCPP_LISTEN`.
    pub listen: SocketAddr,
    /// `OCPP_PUBLIC_URL`, without a slash at the end: what a charger is configured with, before `/{identity}`.
    pub public_url: String,
    /// `UNKNOWN_STATIONS`.
    pub unknown_stations: UnknownStations,
    /// TLS on the same address.
    pub tls: Option<Tls>,
    /// `OCPP_CPO_NAME`: who operates the stations; O of their certificates.
    pub operator: Option<String>,
    /// `OCPP_SIGNING_CERT` and `OCPP_SIGNING_KEY`: the authority that signs what stations ask for.
    pub signer: Option<(PathBuf, PathBuf)>,
    /// `OCPP_PROXIES`: balancers that speak PROXY protocol version 2.
    pub proxies: Vec<IpAddr>,
    /// `OCPP_MAX_SOCKETS`: of chargers, and of those who only knock.
    pub max_sockets: usize,
    /// `OCPP_MAX_PER_ADDRESS`: of these, from one address.
    pub max_per_address: usize,
}

/// What to do with a charger that nobody has added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownStations {
    /// 404, and it is listed.
    Refuse,
    /// It may connect, its boot stays pending until somebody accepts it.
    Pending,
    /// It is added and accepted.
    Accept,
}

/// Settings of the people's room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// `PORTAL_LISTEN`.
    pub listen: SocketAddr,
    /// `PUBLIC_URL`, without a slash at the end: links in mails begin with it; https makes cookies Secure.
    pub public_url: String,
    /// `TRUSTED_PROXIES`: only these may say who the client is (X-Forwarded-*).
    pub trusted_proxies: Vec<IpAddr>,
}

/// How long things are kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// `MESSAGE_RETENTION_DAYS`: the OCPP message log.
    pub messages: u32,
    /// `METER_RETENTION_DAYS`: meter values (their hourly and daily sums stay).
    pub meter_values: u32,
}

/// Outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// `SMTP_URL`.
    pub smtp_url: Option<String>,
    /// `MAIL_FROM`.
    pub from: String,
}

/// What the process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `LOG`, such as `info,csms=debug`.
    pub filter: String,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const ADDRESS: &str = "an address and port such as 127.0.0.1:9000 or [::]:9000";

impl Config {
    /// All settings from `env`.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_env(mut env: Env) -> Result<Self, Problems> {
        let config = Self {
            database: Database::from_env(&mut env),
            csms: Csms::from_env(&mut env),
            portal: Portal::from_env(&mut env),
            retention: Retention {
                messages: env.days("MESSAGE_RETENTION_DAYS", 90),
                meter_values: env.days("METER_RETENTION_DAYS", 730),
            },
            mail: Mail::from_env(&mut env),
            outbound_private: env.flag("OUTBOUND_PRIVATE"),
            lago: Lago::from_env(&mut env),
            log: Log {
                filter: env
                    .text("LOG")
                    .unwrap_or_else(|| "info,sqlx=warn".to_owned()),
                format: env.choice(
                    "LOG_FORMAT",
                    LogFormat::Text,
                    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                ),
            },
            health: env.or(
                "HEALTH_LISTEN",
                SocketAddr::from(([127, 0, 0, 1], 9100)),
                ADDRESS,
            ),
            demo: env.flag("FORECOURT_DEMO"),
        };
        env.finish(config)
    }
}

impl Database {
    fn from_env(env: &mut Env) -> Self {
        Self {
            url: env.secret(
                "DATABASE_URL",
                "a URL such as postgres://user:password@host:5432/forecourt",
                |url| with_scheme(url, &["postgres", "postgresql"]),
            ),
            data: env
                .text("FORECOURT_DATA")
                .map_or_else(|| PathBuf::from("data"), PathBuf::from),
        }
    }
}

impl Csms {
    fn from_env(env: &mut Env) -> Self {
        let listen = env.or(
            "OCPP_LISTEN",
            SocketAddr::from(([127, 0, 0, 1], 9000)),
            ADDRESS,
        );
        let tls = Tls::from_env(env);
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        Self {
            listen,
            public_url: env
                .read(
                    "OCPP_PUBLIC_URL",
                    "a URL such as wss://charge.example.org/ocpp",
                    |url| with_scheme(url, &["ws", "wss"]),
                )
                .unwrap_or_else(|| format!("{scheme}://{listen}/ocpp")),
            operator: tls::operator(env),
            signer: tls::signer(env),
            proxies: env.list(
                "OCPP_PROXIES",
                "addresses separated by commas, such as 10.0.0.1,::1",
            ),
            max_sockets: env.count("OCPP_MAX_SOCKETS", 50_000),
            max_per_address: env.count("OCPP_MAX_PER_ADDRESS", 20_000),
            tls,
            unknown_stations: env.choice(
                "UNKNOWN_STATIONS",
                UnknownStations::Refuse,
                &[
                    ("refuse", UnknownStations::Refuse),
                    ("pending", UnknownStations::Pending),
                    ("accept", UnknownStations::Accept),
                ],
            ),
        }
    }
}

impl Portal {
    fn from_env(env: &mut Env) -> Self {
        let listen = env.or(
            "PORTAL_LISTEN",
            SocketAddr::from(([127, 0, 0, 1], 8080)),
            ADDRESS,
        );
        Self {
            listen,
            public_url: env
                .read(
                    "PUBLIC_URL",
                    "a URL such as https://charge.example.org",
                    |url| with_scheme(url, &["http", "https"]),
                )
                .unwrap_or_else(|| format!("http://{listen}")),
            trusted_proxies: env.list(
                "TRUSTED_PROXIES",
                "addresses separated by commas, such as 10.0.0.1,::1",
            ),
        }
    }
}

impl Mail {
    fn from_env(env: &mut Env) -> Self {
        Self {
            smtp_url: env.secret(
                "SMTP_URL",
                "a URL such as smtp://user:password@mail.example.org:587?tls=required or smtps://mail.example.org",
                |url| with_scheme(url, &["smtp", "smtps"]),
            ),
            from: env
                .read("MAIL_FROM", "a mailbox such as Forecourt <charge@example.org>", |from| {
                    from.parse::<lettre::message::Mailbox>().ok().map(|_| from.to_owned())
                })
                .unwrap_or_else(|| "Forecourt <forecourt@localhost>".to_owned()),
        }
    }
}

/// `url` without slashes at its end, if it has one of the schemes and something after it.
fn with_scheme(url: &str, schemes: &[&str]) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let usable =
        schemes.contains(&scheme) && !rest.is_empty() && !rest.contains(char::is_whitespace);
    usable.then(|| url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_is_needed() {
        let config = Config::from_env(Env::of([("PATH", "/bin"), ("PUBLIC_URL", " ")])).unwrap();
        assert_eq!(config.csms.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(config.csms.public_url, "ws://127.0.0.1:9000/ocpp");
        assert_eq!(config.csms.unknown_stations, UnknownStations::Refuse);
        assert_eq!(config.portal.public_url, "http://127.0.0.1:8080");
        assert_eq!(config.health.to_string(), "127.0.0.1:9100");
        assert_eq!(config.database.url, None);
        assert!(!config.demo);
    }

    #[test]
    fn settings_are_read() {
        let config = Config::from_env(Env::of([
            ("DATABASE_URL", "postgres:///x?host=/run"),
            ("PUBLIC_URL", "https://charge.example.org/"),
            ("TRUSTED_PROXIES", "10.0.0.1, ::1"),
            ("UNKNOWN_STATIONS", "pending"),
            ("METER_RETENTION_DAYS", "90"),
            ("FORECOURT_DEMO", "1"),
        ]))
        .unwrap();
        assert_eq!(
            config.database.url.as_deref(),
            Some("postgres:///x?host=/run")
        );
        assert_eq!(config.portal.public_url, "https://charge.example.org");
        assert_eq!(config.portal.trusted_proxies.len(), 2);
        assert_eq!(config.csms.unknown_stations, UnknownStations::Pending);
        assert_eq!(config.retention.meter_values, 90);
        assert!(config.demo);
    }

    #[test]
    fn all_problems_are_told_at_once_and_no_password() {
        let problems = Config::from_env(Env::of([
            ("OCPP_LISTEN", "9000"),
            ("LOG_FORMAT", "xml"),
            ("METER_RETENTION_DAYS", "0"),
            ("DATABASE_URL", "mysql://root:hunter2@db/x"),
            ("TRUSTED_PROXIES", "10.0.0.1,proxy"),
        ]))
        .unwrap_err();
        let text = problems.to_string();
        assert_eq!(problems.0.len(), 5, "{text}");
        assert!(
            text.contains("OCPP_LISTEN=9000: expected an address and port"),
            "{text}"
        );
        assert!(
            text.contains("LOG_FORMAT=xml: expected one of text, json"),
            "{text}"
        );
        assert!(text.contains("METER_RETENTION_DAYS=0"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
