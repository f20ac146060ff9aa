//! The certificates that stations came in with.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Scoped};

/// A certificate of a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the whole, hexadecimal.
    pub fingerprint: String,
    /// CN.
    pub common_name: String,
    /// O.
    pub organisation: String,
    /// Who signed it.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Since when it is valid.
    pub not_before: DateTime<Utc>,
    /// Until when it is valid.
    pub not_after: DateTime<Utc>,
}

/// Notes that a station came in with a certificate.
pub async fn used(
    db: &mut PgConnection,
    station_id: Uuid,
    certificate: &ClientCertificate,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into client_certificates (station_id, fingerprint, common_name, organisation, issuer, serial,
           not_before, not_after, first_used_at, last_used_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict (station_id, fingerprint) do update set last_used_at = excluded.last_used_at",
        station_id,
        certificate.fingerprint,
        certificate.common_name,
        certificate.organisation,
        certificate.issuer,
        certificate.serial,
        certificate.not_before,
        certificate.not_after,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A certificate and when it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// SHA-256 of the whole, hexadecimal.
    pub fingerprint: String,
    /// CN.
    pub common_name: String,
    /// Who signed it.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Until when it is valid.
    pub not_after: DateTime<Utc>,
    /// When it was first seen.
    pub first_used_at: DateTime<Utc>,
    /// When the station last came in with it.
    pub last_used_at: DateTime<Utc>,
}

/// The certificates of a station, the one used last first.
pub async fn of(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Used>> {
    Ok(sqlx::query_as!(
        Used,
        "select fingerprint, common_name, issuer, serial, not_after, first_used_at, last_used_at
         from client_certificates where station_id = $1 order by last_used_at desc, fingerprint limit 20",
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}
