//! Commands that people are kept from sending by mistake. Whoever means it sends them unchecked, which is audited.

use ocpp::v16::DeleteCertificateRequest;
use store::{
    Scoped,
    credentials::{self, Order},
    csms_nodes, installed_certificates,
};
use uuid::Uuid;

use crate::{Error, Result, error::Complaint};

/// Refuses one more new password than a station can be let in by: the first of them would be worth nothing while it may be
/// the one that the station follows.
///
/// # Errors
/// [`Error::Conflict`] for such a command, sent raw or not.
pub async fn open_passwords(
    db: &mut Scoped<'_>,
    station: Uuid,
    action: &str,
    payload: &str,
) -> Result<()> {
    if !matches!(Order::of(action, payload), Some(Order::Password(_))) {
        return Ok(());
    }
    let open = credentials::open_passwords(db, station).await?;
    if open >= credentials::MOST_PASSWORDS {
        return Err(Error::Conflict(format!(
            "the station was told {open} new passwords and was not yet seen with one: wait until it comes with one, or \
             cancel those that were not sent"
        )));
    }
    Ok(())
}

/// Refuses to order a security profile that chargers cannot connect by here: a station that obeyed could never come back.
///
/// # Errors
/// [`Error::Invalid`] for such a command, with the settings that are missing.
pub async fn served_profile(db: &mut Scoped<'_>, action: &str, payload: &str) -> Result<()> {
    let Some(Order::Profile(profile)) = Order::of(action, payload) else {
        return Ok(());
    };
    // Before a csms has ever started nobody knows what it will serve.
    match csms_nodes::highest_profile(db).await? {
        Some(served) if served < profile => {
            let detail = unserved(profile, served);
            Err(Error::Invalid(vec![Complaint::at(
                "/payload/value",
                detail,
            )]))
        }
        _ => Ok(()),
    }
}

fn unserved(profile: i16, served: i16) -> String {
    let missing = match (profile, served) {
        (2, _) => "chargers have no TLS here (OCPP_TLS_CERT and OCPP_TLS_KEY, or OCPP_PROXIES)",
        (_, 2) => "chargers are asked for no certificate here (OCPP_TLS_CLIENT_CA)",
        _ => "chargers have no TLS here (OCPP_TLS_CERT and OCPP_TLS_KEY, and OCPP_TLS_CLIENT_CA)",
    };
    format!(
        "\"{profile}\": expected at most {served}, since {missing}, and a station that obeyed could not come back"
    )
}

/// Refuses to have a station delete the last root by which it knows a central system: it could never connect by TLS again.
///
/// # Errors
/// [`Error::Conflict`] for such a command.
pub async fn last_root(
    db: &mut Scoped<'_>,
    station: Uuid,
    action: &str,
    payload: &str,
) -> Result<()> {
    if action != "DeleteCertificate" {
        return Ok(());
    }
    let Ok(request) = ocpp::decode::<DeleteCertificateRequest>(payload) else {
        return Ok(());
    };
    let serial = request.certificate_hash_data.serial_number;
    let serial = serial.unwrap_or_default();
    if installed_certificates::is_last_root(db, station, &serial).await? {
        return Err(Error::Conflict(
            "this is the last CentralSystemRootCertificate that the station is known to have; without it, it trusts no \
             central system. Send the command with ?raw=1 to do it all the same."
                .to_owned(),
        ));
    }
    Ok(())
}
