//! A station asks to have a certificate signed (SignCertificate). Whether that is passed on is decided here; who signs is
//! in `signing`.

use certs::{Request, Unfit};
use store::certificate_requests::Lately;
use store::stations::Station;

use crate::handshake::certificate_name;

/// Requests of one station in an hour.
const MOST_AN_HOUR: i64 = 5;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is passed on.
    Sign,
    /// It is being signed already; the station says it twice.
    Known,
    /// It is not, and the operator is told why.
    Refuse(String),
}

/// The decision. `operator` is O of every certificate, `None` if nobody said or nobody can sign.
pub(crate) fn decide(
    station: &Station,
    request: &str,
    operator: Option<&str>,
    lately: &Lately,
) -> Verdict {
    let refuse = |why: &str| Verdict::Refuse(why.to_owned());
    let Some(operator) = operator else {
        return refuse(
            "Nobody here signs certificates: set OCPP_SIGNING_CERT, OCPP_SIGNING_KEY and OCPP_CPO_NAME.",
        );
    };
    if station.security_profile == 0 {
        return refuse(
            "The station has security profile 0: nobody knows who asks. Give it a password first.",
        );
    }
    if lately.signing.as_deref() == Some(request) {
        return Verdict::Known;
    }
    if lately.signing.is_some() {
        return refuse("Another request of the station is being signed.");
    }
    if lately.asked >= MOST_AN_HOUR {
        return refuse("The station asked too often: five requests an hour are looked at.");
    }
    match unfit(station, request, operator) {
        Some(unfit) => Verdict::Refuse(format!("The request is refused: {unfit}.")),
        None => Verdict::Sign,
    }
}

fn unfit(station: &Station, request: &str, operator: &str) -> Option<Unfit> {
    let read = Request::read(request);
    let checked = read.and_then(|request| request.check(operator, certificate_name(station)));
    checked.err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::stations::{Options, Registration};
    use uuid::Uuid;

    fn station(security_profile: i16) -> Station {
        Station {
            id: Uuid::from_u128(1),
            identity: "CP1".to_owned(),
            site_id: None,
            registration: Registration::Accepted,
            security_profile,
            password_hash: None,
            options: Options::default(),
            first_accepted_at: None,
            access: store::stations::Access::default(),
        }
    }

    #[track_caller]
    fn refused(station: &Station, operator: Option<&str>, lately: &Lately, because: &str) {
        match decide(station, "no request", operator, lately) {
            Verdict::Refuse(why) => assert!(why.contains(because), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_may_ask_and_how_often() {
        let (operator, never) = (Some("Example CPO"), Lately::default());
        refused(&station(2), None, &never, "Nobody here signs");
        refused(&station(0), operator, &never, "profile 0");
        refused(
            &station(2),
            operator,
            &never,
            "no certificate signing request",
        );
        let often = Lately {
            asked: 5,
            ..Lately::default()
        };
        refused(&station(2), operator, &often, "too often");
        let other = Lately {
            signing: Some("another".to_owned()),
            ..Lately::default()
        };
        refused(&station(2), operator, &other, "Another request");
        let same = Lately {
            signing: Some("no request".to_owned()),
            asked: 5,
        };
        let verdict = decide(&station(2), "no request", operator, &same);
        assert_eq!(verdict, Verdict::Known);
    }
}
