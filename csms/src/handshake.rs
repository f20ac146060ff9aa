//! Who may connect, and in which version: a pure decision, tested as a table. Sockets and SQL are elsewhere.

use hyper::StatusCode;
use ocpp::Version;
use service::config::UnknownStations;
use store::stations::Station;

use crate::credentials::{Basic, Presented};

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
}

/// What to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Check this password (at leisure: hashing is slow), then accept.
    CheckPassword(Basic, Accept),
    /// Let it in.
    Accept(Accept),
    /// Nobody knows it, and the policy lets it in all the same.
    Register {
        /// Held until an operator decides.
        pending: bool,
        /// How to go on once it is registered.
        accept: Accept,
    },
    /// Say no.
    Refuse(Refusal),
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
            UnknownStations::Refuse => Decision::Refuse(Refusal::new(
                StatusCode::NOT_FOUND,
                "unknown_station",
                format!(
                    "No station is registered as {identity:?}. Add it in the portal, or: forecourt station add {identity:?}"
                ),
            )),
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
    let password = match check_profile(station, request.presented) {
        Ok(password) => password,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    match (pick(request.offered, station.options.assume_16), password) {
        (Err(refusal), _) => Decision::Refuse(refusal),
        (Ok(accept), Some(basic)) => Decision::CheckPassword(basic, accept),
        (Ok(accept), None) => Decision::Accept(accept),
    }
}

/// What the station's security profile asks of this (unencrypted) connection: a password to be checked, or nothing.
fn check_profile(station: &Station, presented: &Presented) -> Result<Option<Basic>, Refusal> {
    if station.security_profile >= 2 {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "needs_tls",
            format!(
                "The station has security profile {}, which needs TLS, but came without. Set its URL to wss://.",
                station.security_profile
            ),
        ));
    }
    if station.security_profile == 0 {
        return Ok(None);
    }
    let unauthorized =
        |reason, detail: &str| Refusal::new(StatusCode::UNAUTHORIZED, reason, detail);
    match presented {
        Presented::Nothing => Err(unauthorized(
            "no_password",
            "The station has security profile 1 but sent no Basic credentials. Set its AuthorizationKey.",
        )),
        Presented::Unreadable => Err(unauthorized(
            "unreadable_credentials",
            "The Authorization header is not one header of Basic credentials.",
        )),
        Presented::Basic(basic) if !same_name(&basic.user, &station.identity) => Err(unauthorized(
            "wrong_user",
            "The user name of the Basic credentials is not the station's identity.",
        )),
        Presented::Basic(basic) => Ok(Some(basic.clone())),
    }
}

/// The refusal of a password that did not fit.
pub(crate) fn wrong_password() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "wrong_password",
        "The password does not fit. Set the same one here and as the station's AuthorizationKey.",
    )
}

fn same_name(user: &[u8], identity: &str) -> bool {
    user.eq_ignore_ascii_case(identity.as_bytes())
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
        let offered: Vec<String> = offered.split_whitespace().map(str::to_owned).collect();
        let request = Request {
            identity: Some("CP1"),
            station: station.as_ref(),
            offered: &offered,
            presented: &presented,
        };
        let said = match decide(&request, UnknownStations::Refuse) {
            Decision::Accept(accept) => format!("{accept:?}"),
            Decision::CheckPassword(_, accept) => format!("check, then {accept:?}"),
            Decision::Register { .. } => "register".to_owned(),
            Decision::Refuse(refusal) => format!("{} {}", refusal.status.as_u16(), refusal.reason),
        };
        assert_eq!(said, expected);
    }

    const SPEAK: &str = "Speak { version: V16, echo: true }";

    #[test]
    fn the_table() {
        use Presented::{Nothing, Unreadable};
        check(None, "ocpp1.6", Nothing, "404 unknown_station");
        check(Some(station(0, false)), "ocpp1.6", Nothing, SPEAK);
        check(Some(station(0, false)), "ocpp9.9 ocpp1.6", Nothing, SPEAK);
        check(Some(station(0, false)), "ocpp9.9", Nothing, "Close");
        check(Some(station(0, false)), "", Nothing, "400 no_subprotocol");
        check(
            Some(station(0, true)),
            "",
            Nothing,
            "Speak { version: V16, echo: false }",
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
            &format!("check, then {SPEAK}"),
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
}
