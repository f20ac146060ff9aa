//! Who may connect, and in which version: a pure decision, tested as a table. Sockets and SQL are elsewhere.

mod profile;

use hyper::StatusCode;
use ocpp::Version;
use service::config::UnknownStations;
use store::stations::Station;

use crate::arrival::{Ended, Security};
use crate::credentials::{Basic, Presented};
use crate::ops::Seated;

use profile::Proof;
pub(crate) use profile::certificate_name;

/// What a request to connect says, once its station was looked up.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// From the path; `None` if no station could have that name.
    pub identity: Option<&'a str>,
    /// The registered station of that identity.
    pub station: Option<&'a Station>,
    /// The subprotocols offered, in order.
    pub offered: &'a [String],
    /// The credentials.
    pub presented: &'a Presented,
    /// What protects the connection.
    pub security: &'a Security,
    /// Who operates the stations: O of their certificates.
    pub operator: Option<&'a str>,
}

/// What to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Check this password (at leisure: hashing is slow), then let it in; or, if it does not fit, by the other way.
    CheckPassword(Basic, Entry, Option<Entry>),
    /// Let it in.
    Accept(Entry),
    /// Nobody knows it, and the policy lets it in all the same.
    Register {
        /// Held until an operator decides.
        pending: bool,
        /// How to go on once it is registered.
        accept: Accept,
    },
    /// Look at this password as if there were one that it could fit, then say no: the time that it takes tells nothing.
    Pretend(Basic, Refusal),
    /// Say no.
    Refuse(Refusal),
}

/// How a station comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub accept: Accept,
    /// The security profile that it comes up to.
    pub profile: i16,
}

/// How the handshake is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// Speak this version; `echo` tells whether the station asked for it by name.
    Speak {
        /// The version.
        version: Version,
        /// Whether to name it in the answer.
        echo: bool,
    },
    /// It offers nothing that we speak: complete without the header, then close at once (OCPP-J 3.2).
    Close,
}

/// Why it may not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    /// The rule, as a word for lists and filters.
    pub reason: &'static str,
    /// For the operator: what happened and what to do.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Refusal {
            status,
            reason,
            detail: detail.into(),
        }
    }
}

/// The decision. Credentials come before subprotocols: a stranger learns nothing of what we speak.
pub(crate) fn decide(request: &Request<'_>, unknown: UnknownStations) -> Decision {
    let Some(identity) = request.identity else {
        return Decision::Refuse(Refusal::new(
            StatusCode::NOT_FOUND,
            "bad_identity",
            "The URL must end in /ocpp/ and the station's identity: 1 to 255 characters without / \\ : or control characters.",
        ));
    };
    let Some(station) = request.station else {
        let accept = match pick(request.offered, false) {
            Ok(accept) => accept,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        return match unknown {
            UnknownStations::Refuse => match request.presented {
                Presented::Basic(basic) if profile::same_name(&basic.user, identity) => {
                    Decision::Pretend(basic.clone(), unknown_station(identity))
                }
                _ => Decision::Refuse(unknown_station(identity)),
            },
            UnknownStations::Pending => Decision::Register {
                pending: true,
                accept,
            },
            UnknownStations::Accept => Decision::Register {
                pending: false,
                accept,
            },
        };
    };
    let check = |profile| profile::check(station, profile, request).map(|proof| (proof, profile));
    let now = check(station.security_profile);
    // Those that it was told to use count as well, until it first comes with one: of several orders it may have followed
    // any.
    let ordered = station
        .access
        .profiles
        .iter()
        .filter(|ordered| **ordered > station.security_profile)
        .find_map(|ordered| check(*ordered).ok());
    let (best, otherwise) = match (ordered, now) {
        (Some(best), now) => (best, now.ok()),
        (None, Ok(now)) => (now, None),
        (None, Err(refusal)) => return Decision::Refuse(refusal),
    };
    let accept = match pick(request.offered, station.options.assume_16) {
        Ok(accept) => accept,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let entry = |profile| Entry { accept, profile };
    match best {
        (Proof::Nothing, profile) => Decision::Accept(entry(profile)),
        (Proof::Password(basic), profile) => {
            let otherwise = otherwise.filter(|(proof, _)| *proof == Proof::Nothing);
            let otherwise = otherwise.map(|(_, profile)| entry(profile));
            Decision::CheckPassword(basic, entry(profile), otherwise)
        }
    }
}

/// What an operator must see of a socket that never came to say who it is; most of those are of no interest.
pub(crate) fn refusal_before(ended: &Ended) -> Option<Refusal> {
    let refusal = |reason, detail| Some(Refusal::new(StatusCode::BAD_REQUEST, reason, detail));
    match ended {
        Ended::Tls(error @ rustls::Error::PeerIncompatible(_)) => refusal(
            "tls_too_old",
            format!(
                "A charger speaks no TLS that is served here: {error}. Those of TLS 1.0, or with the TLS_RSA suites alone, \
                 need a proxy in front (docs/security.md)."
            ),
        ),
        Ended::Tls(error @ rustls::Error::AlertReceived(_)) => refusal(
            "tls_refused",
            format!(
                "A charger does not take the server's certificate: {error}. Does it know the authority that signed it?"
            ),
        ),
        Ended::Tls(error) => refusal("tls_failed", format!("{error}.")),
        Ended::Proxy(error) => refusal("proxy_header", format!("{error}; see OCPP_PROXIES.")),
        Ended::TooSlow(_) | Ended::Socket(_) => None,
    }
}

fn unknown_station(identity: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown_station",
        format!(
            "No station is registered as {identity:?}. Add it in the portal, or: forecourt station add {identity:?}"
        ),
    )
}

/// The refusal of a password that did not fit.
pub(crate) fn wrong_password() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "wrong_password",
        "The password does not fit. Set the same one here and as the station's AuthorizationKey.",
    )
}

/// The refusal of one that came in and then said that it is another one.
pub(crate) fn other_serial(seated: &Seated) -> Refusal {
    let certified = seated.certified.as_deref().unwrap_or_default();
    Refusal::new(
        StatusCode::FORBIDDEN,
        "other_serial",
        format!(
            "Its BootNotification gives another serial number than its certificate, whose CN is {certified:?}."
        ),
    )
}

/// The refusal of one that guesses: its passwords are not even looked at.
pub(crate) fn too_many_attempts() -> Refusal {
    Refusal::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_attempts",
        "Too many wrong passwords in a minute. One that is right is let in again after the minute at the latest.",
    )
}

/// The best version that is offered and spoken here.
fn pick(offered: &[String], assume_16: bool) -> Result<Accept, Refusal> {
    if offered.is_empty() {
        return if assume_16 {
            Ok(Accept::Speak {
                version: Version::V16,
                echo: false,
            })
        } else {
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "no_subprotocol",
                "The station offers no Sec-WebSocket-Protocol. If it cannot be taught to, switch on \"assume 1.6\" for it.",
            ))
        };
    }
    let speaks_16 = offered
        .iter()
        .any(|name| name.eq_ignore_ascii_case(Version::V16.subprotocol()));
    Ok(if speaks_16 {
        Accept::Speak {
            version: Version::V16,
            echo: true,
        }
    } else {
        Accept::Close
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Certificate;
    use store::stations::{Options, Registration};
    use uuid::Uuid;

    fn station(security_profile: i16, assume_16: bool) -> Station {
        Station {
            id: Uuid::from_u128(1),
            identity: "CP1".to_owned(),
            site_id: None,
            registration: Registration::Accepted,
            security_profile,
            password_hash: None,
            options: Options {
                assume_16,
                ..Options::default()
            },
            first_accepted_at: None,
            access: Default::default(),
        }
    }

    fn basic(user: &str) -> Presented {
        Presented::Basic(Basic {
            user: user.into(),
            password: b"secret".to_vec(),
        })
    }

    #[track_caller]
    fn check(station: Option<Station>, offered: &str, presented: Presented, expected: &str) {
        check_over(&Security::Plain, station, offered, presented, expected);
    }

    #[track_caller]
    fn check_over(
        security: &Security,
        station: Option<Station>,
        offered: &str,
        presented: Presented,
        expected: &str,
    ) {
        let offered: Vec<String> = offered.split_whitespace().map(str::to_owned).collect();
        let request = Request {
            identity: Some("CP1"),
            station: station.as_ref(),
            offered: &offered,
            presented: &presented,
            security,
            operator: Some("Example CPO"),
        };
        let told = |entry: Entry| format!("{:?} at {}", entry.accept, entry.profile);
        let said = match decide(&request, UnknownStations::Refuse) {
            Decision::Accept(entry) => told(entry),
            Decision::CheckPassword(_, entry, None) => format!("check, then {}", told(entry)),
            Decision::CheckPassword(_, entry, Some(other)) => {
                format!("check, then {}, else at {}", told(entry), other.profile)
            }
            Decision::Register { .. } => "register".to_owned(),
            Decision::Pretend(_, refusal) => {
                format!("check, then {} {}", refusal.status.as_u16(), refusal.reason)
            }
            Decision::Refuse(refusal) => format!("{} {}", refusal.status.as_u16(), refusal.reason),
        };
        assert_eq!(said, expected);
    }

    const SPEAK: &str = "Speak { version: V16, echo: true } at 0";
    const CHECK: &str = "check, then Speak { version: V16, echo: true } at";

    #[test]
    fn the_table() {
        use Presented::{Nothing, Unreadable};
        check(None, "ocpp1.6", Nothing, "404 unknown_station");
        check(None, "ocpp1.6", basic("CP2"), "404 unknown_station");
        check(
            None,
            "ocpp1.6",
            basic("cp1"),
            "check, then 404 unknown_station",
        );
        check(Some(station(0, false)), "ocpp1.6", Nothing, SPEAK);
        check(Some(station(0, false)), "ocpp9.9 ocpp1.6", Nothing, SPEAK);
        check(Some(station(0, false)), "ocpp9.9", Nothing, "Close at 0");
        check(Some(station(0, false)), "", Nothing, "400 no_subprotocol");
        check(
            Some(station(0, true)),
            "",
            Nothing,
            "Speak { version: V16, echo: false } at 0",
        );
        check(
            Some(station(1, false)),
            "ocpp1.6",
            Nothing,
            "401 no_password",
        );
        check(
            Some(station(1, false)),
            "ocpp1.6",
            Unreadable,
            "401 unreadable_credentials",
        );
        check(
            Some(station(1, false)),
            "ocpp1.6",
            basic("CP2"),
            "401 wrong_user",
        );
        check(
            Some(station(1, false)),
            "ocpp9.9",
            Nothing,
            "401 no_password",
        );
        check(
            Some(station(1, false)),
            "ocpp1.6",
            basic("cp1"),
            &format!("{CHECK} 1"),
        );
        check(
            Some(station(2, false)),
            "ocpp1.6",
            basic("CP1"),
            "403 needs_tls",
        );
    }

    #[test]
    fn strangers_meet_the_policy() {
        let request = Request {
            identity: Some("CP1"),
            station: None,
            offered: &["ocpp1.6".to_owned()],
            presented: &Presented::Nothing,
            security: &Security::Plain,
            operator: None,
        };
        for (policy, pending) in [
            (UnknownStations::Pending, true),
            (UnknownStations::Accept, false),
        ] {
            let Decision::Register { pending: held, .. } = decide(&request, policy) else {
                panic!("not registered")
            };
            assert_eq!(held, pending);
        }
    }

    fn certificate(common_name: &str, organisation: &str) -> Security {
        let at = chrono::DateTime::UNIX_EPOCH;
        Security::Tls(Certificate::Believed(certs::Facts {
            common_name: common_name.to_owned(),
            organisation: organisation.to_owned(),
            issuer: String::new(),
            serial: String::new(),
            fingerprint: String::new(),
            not_before: at,
            not_after: at,
            is_authority: false,
            public_key: Vec::new(),
        }))
    }

    const TLS: Security = Security::Tls(Certificate::Nothing);

    /// Every profile, by every way in.
    #[test]
    fn a_profile_opens_to_what_it_asks_for_and_to_nothing_less() {
        use Presented::Nothing;
        let mine = certificate("CP1", "Example CPO");
        let doubted = Security::Tls(Certificate::Doubted("it has expired".to_owned()));
        let ways = [
            (Security::Plain, Nothing),
            (Security::Plain, basic("CP1")),
            (TLS, Nothing),
            (TLS, basic("CP1")),
            (Security::TlsToProxy, basic("CP1")),
            (mine.clone(), Nothing),
            (mine, basic("CP1")),
            (certificate("CP2", "Example CPO"), basic("CP1")),
            (certificate("cp1", "Example CPO"), Nothing),
            (certificate("CP1", "Example Cpo"), Nothing),
            (certificate("CP1", ""), Nothing),
            (doubted, basic("CP1")),
        ];
        let speak = |profile| format!("Speak {{ version: V16, echo: true }} at {profile}");
        let check = |profile| format!("{CHECK} {profile}");
        let no_password = || "401 no_password".to_owned();
        let needs_tls = || "403 needs_tls".to_owned();
        let other = || "403 other_certificate".to_owned();
        let operator = || "403 other_operator".to_owned();
        let no = || "403 no_certificate".to_owned();
        let table: [[String; 12]; 4] = [
            std::array::from_fn(|_| speak(0)),
            [
                no_password(),
                check(1),
                no_password(),
                check(1),
                check(1),
                no_password(),
                check(1),
                check(1),
                no_password(),
                no_password(),
                no_password(),
                check(1),
            ],
            [
                needs_tls(),
                needs_tls(),
                no_password(),
                check(2),
                check(2),
                no_password(),
                check(2),
                check(2),
                no_password(),
                no_password(),
                no_password(),
                check(2),
            ],
            [
                needs_tls(),
                needs_tls(),
                no(),
                no(),
                no(),
                speak(3),
                speak(3),
                other(),
                other(),
                operator(),
                operator(),
                "403 bad_certificate".to_owned(),
            ],
        ];
        for (profile, row) in (0..).zip(table) {
            for ((security, presented), expected) in ways.iter().zip(row) {
                let station = Some(station(profile, false));
                check_over(security, station, "ocpp1.6", presented.clone(), &expected);
            }
        }
    }

    #[test]
    fn a_certificate_may_bear_the_serial_number_that_the_operator_named() {
        let mut named = station(3, false);
        named.access.certificate_name = Some("SN-1".to_owned());
        let speak = "Speak { version: V16, echo: true } at 3";
        let come = |name: &str, expected: &str| {
            let security = certificate(name, "Example CPO");
            check_over(
                &security,
                Some(named.clone()),
                "ocpp1.6",
                Presented::Nothing,
                expected,
            );
        };
        come("SN-1", speak);
        come("CP1", "403 other_certificate");
    }

    #[test]
    fn an_ordered_profile_opens_beside_the_old_one_and_not_below() {
        let ordered = |now, ordered: &[i16]| {
            let mut station = station(now, false);
            station.access.profiles = ordered.to_vec();
            Some(station)
        };
        let mine = certificate("CP1", "Example CPO");
        let come = |security: &Security, station, presented, expected: &str| {
            check_over(security, station, "ocpp1.6", presented, expected);
        };
        come(
            &mine,
            ordered(2, &[3]),
            Presented::Nothing,
            "Speak { version: V16, echo: true } at 3",
        );
        come(&TLS, ordered(2, &[3]), basic("CP1"), &format!("{CHECK} 2"));
        come(
            &Security::Plain,
            ordered(2, &[3]),
            basic("CP1"),
            "403 needs_tls",
        );
        come(&TLS, ordered(1, &[2]), basic("CP1"), &format!("{CHECK} 2"));
        come(
            &Security::Plain,
            ordered(1, &[2]),
            basic("CP1"),
            &format!("{CHECK} 1"),
        );
        come(&TLS, ordered(3, &[2]), basic("CP1"), "403 no_certificate");
        // Told 3 and then 2, or 2 and then 3, it may have followed either.
        let both = || ordered(1, &[3, 2]);
        come(&TLS, both(), basic("CP1"), &format!("{CHECK} 2"));
        come(
            &mine,
            both(),
            Presented::Nothing,
            "Speak { version: V16, echo: true } at 3",
        );
        come(
            &Security::Plain,
            both(),
            basic("CP1"),
            &format!("{CHECK} 1"),
        );
        // A station of profile 0 may send anything; what it sends proves the new profile if it fits.
        come(
            &Security::Plain,
            ordered(0, &[1]),
            basic("CP1"),
            &format!("{CHECK} 1, else at 0"),
        );
        come(
            &Security::Plain,
            ordered(0, &[1]),
            Presented::Nothing,
            SPEAK,
        );
    }
}
