//! What a security profile of OCPP 1.6 asks of a connection, and whether it is there. Passwords are checked elsewhere:
//! that is slow.

use hyper::StatusCode;
use store::stations::Station;

use super::{Refusal, Request};
use crate::arrival::Security;
use crate::credentials::{Basic, Presented};
use crate::tls::Certificate;

/// What is left to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    Nothing,
    /// Whether this password fits.
    Password(Basic),
}

/// Whether the connection is as profile `profile` wants it.
pub(super) fn check(
    station: &Station,
    profile: i16,
    request: &Request<'_>,
) -> Result<Proof, Refusal> {
    if profile >= 2 && request.security == &Security::Plain {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "needs_tls",
            format!(
                "The station has security profile {profile}, which needs TLS, but came without. Set its URL to wss://."
            ),
        ));
    }
    match profile {
        0 => Ok(Proof::Nothing),
        1 | 2 => password(station, profile, request.presented).map(Proof::Password),
        _ => certificate(station, request).map(|()| Proof::Nothing),
    }
}

fn password(station: &Station, profile: i16, presented: &Presented) -> Result<Basic, Refusal> {
    let unauthorized =
        |reason, detail: &str| Refusal::new(StatusCode::UNAUTHORIZED, reason, detail);
    match presented {
        Presented::Nothing => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "no_password",
            format!(
                "The station has security profile {profile} but sent no Basic credentials. Set its AuthorizationKey."
            ),
        )),
        Presented::Unreadable => Err(unauthorized(
            "unreadable_credentials",
            "The Authorization header is not one header of Basic credentials.",
        )),
        Presented::Basic(basic) if !same_name(&basic.user, &station.identity) => Err(unauthorized(
            "wrong_user",
            "The user name of the Basic credentials is not the station's identity.",
        )),
        Presented::Basic(basic) => Ok(basic.clone()),
    }
}

/// Whether a user name is the station's.
pub(super) fn same_name(user: &[u8], identity: &str) -> bool {
    user.eq_ignore_ascii_case(identity.as_bytes())
}

/// The certificate's path was judged already (RFC 5280, revocation); now whether it is this station's.
fn certificate(station: &Station, request: &Request<'_>) -> Result<(), Refusal> {
    let forbidden =
        |reason, detail: String| Err(Refusal::new(StatusCode::FORBIDDEN, reason, detail));
    let facts = match request.security {
        Security::Tls(Certificate::Believed(facts)) => facts,
        Security::Tls(Certificate::Doubted(why)) => {
            return forbidden(
                "bad_certificate",
                format!("The station's certificate is not to be believed: {why}."),
            );
        }
        Security::TlsToProxy => {
            return forbidden(
                "no_certificate",
                "The station has security profile 3, but a proxy took its TLS off: let the proxy pass TLS through.".to_owned(),
            );
        }
        Security::Tls(Certificate::Nothing) | Security::Plain => {
            return forbidden(
                "no_certificate",
                "The station has security profile 3 but sent no certificate. Give it one, and the server its authority \
                 (OCPP_TLS_CLIENT_CA)."
                    .to_owned(),
            );
        }
    };
    let operator = request.operator.unwrap_or_default();
    if operator.is_empty() || facts.organisation != operator {
        return forbidden(
            "other_operator",
            format!(
                "The certificate's O is {:?}, and not {operator:?} (OCPP_CPO_NAME).",
                facts.organisation
            ),
        );
    }
    let expected = certificate_name(station);
    if facts.common_name != expected {
        return forbidden(
            "other_certificate",
            format!(
                "The certificate's CN is {:?}, and not {expected:?}. If that is the station's serial number, set it as its \
                 certificate name.",
                facts.common_name
            ),
        );
    }
    Ok(())
}

/// The CN that the station's certificate must have.
pub(crate) fn certificate_name(station: &Station) -> &str {
    let named = station.access.certificate_name.as_deref();
    named.unwrap_or(&station.identity)
}
