//! What a station proves by coming in: that it uses the password or security profile that it was told to, and which
//! certificate it has. Written before it is answered, so that the old way in is closed from then on.

use std::sync::Arc;

use certs::Facts;
use store::client_certificates::{self, ClientCertificate};
use store::credentials;
use store::stations::Station;
use uuid::Uuid;

use crate::Csms;

/// Closes the way that was before, if this station came by one that it was told to use. If that cannot be written now,
/// both stay open until it comes again.
pub(crate) async fn note(csms: &Csms, station: &mut Station, profile: i16, hash: Option<String>) {
    let hash = hash.filter(|hash| station.access.passwords.contains(hash));
    let raised = station.access.profiles.contains(&profile) && profile > station.security_profile;
    if hash.is_none() && !raised {
        return;
    }
    let (id, now) = (station.id, csms.clock.now());
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        credentials::proved(&mut connection, id, profile, hash.as_deref(), now).await
    };
    if let Err(error) = written.await {
        tracing::warn!(station.id = %station.identity, %error, "what a station has proven could not be written");
        return;
    }
    csms.ingest.news();
    tracing::info!(station.id = %station.identity, profile, new_password = hash.is_some(), "a station uses what it was told to");
    station.security_profile = station.security_profile.max(profile);
    if let Some(hash) = hash {
        station.password_hash = Some(hash);
    }
}

/// Writes down which certificate the station came with. Nobody waits for it.
pub(crate) fn certificate(csms: &Arc<Csms>, station: Uuid, facts: &Facts) {
    let certificate = ClientCertificate {
        fingerprint: facts.fingerprint.clone(),
        common_name: facts.common_name.clone(),
        organisation: facts.organisation.clone(),
        issuer: facts.issuer.clone(),
        serial: facts.serial.clone(),
        not_before: facts.not_before,
        not_after: facts.not_after,
    };
    let csms = csms.clone();
    tokio::spawn(async move {
        let written = async {
            let mut connection = csms.pool.acquire().await?;
            client_certificates::used(&mut connection, station, &certificate, csms.clock.now())
                .await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "a station's certificate could not be written down");
        }
    });
}
