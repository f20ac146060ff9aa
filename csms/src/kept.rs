//! What the end of a command means for what is kept of its station: a plain match by action, one function per feature, in a
//! file of its own. It runs in the transaction that ends the command.

mod certificate_signed;
mod certificates;
mod charging;
pub(crate) mod configuration;
mod credentials;
mod limits;
mod local_list;
mod reservation;
pub(crate) mod station_jobs;

use chrono::{DateTime, Utc};
use store::commands::{Ended, Outcome, is_agreed};

/// How a command ended.
pub(crate) struct Answer<'a> {
    /// As it was sent, secrets and all, and what came back.
    pub(crate) ended: &'a Ended<'a>,
    /// The answer's `status` to the letter.
    pub(crate) verdict: Option<&'a str>,
    pub(crate) now: DateTime<Utc>,
}

impl Answer<'_> {
    /// Whether the station did, or is about to do, what it was asked for.
    pub(crate) fn is_agreed(&self) -> bool {
        matches!(self.ended.outcome, Outcome::Answered(_)) && is_agreed(self.verdict)
    }
}

/// Writes what follows from an answer, an error or a time-out. (A command that expired, was cancelled or is unknown does not
/// pass by here: its row says so, and `upkeep` looks for what waits for it.)
pub(crate) async fn keep(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    match answer.ended.action {
        "GetConfiguration" => configuration::read(db, answer).await?,
        "ChangeConfiguration" => {
            configuration::set(db, answer).await?;
            credentials::changed(db, answer).await?;
        }
        "ReserveNow" => reservation::reserve(db, answer).await?,
        "CancelReservation" => reservation::cancel(db, answer).await?,
        "SendLocalList" => local_list::sent(db, answer).await?,
        "GetLocalListVersion" => local_list::version(db, answer).await?,
        "SetChargingProfile" => charging::set(db, answer).await?,
        "ClearChargingProfile" => charging::clear(db, answer).await?,
        "RemoteStartTransaction" => charging::remote_start(db, answer).await?,
        "TriggerMessage" | "ExtendedTriggerMessage" => limits::trigger(db, answer).await?,
        "UpdateFirmware" | "SignedUpdateFirmware" | "GetDiagnostics" | "GetLog" => {
            station_jobs::reply(db, answer).await?;
        }
        "GetInstalledCertificateIds" => certificates::listed(db, answer).await?,
        "InstallCertificate" => certificates::added(db, answer).await?,
        "DeleteCertificate" => certificates::removed(db, answer).await?,
        "CertificateSigned" => certificate_signed::brought(db, answer).await?,
        _ => {}
    }
    limits::action(db, answer).await
}
