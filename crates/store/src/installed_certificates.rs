//! The certificates of others that a station trusts, as far as it said so: its lists replace what was known, and what it
//! agreed to install or delete changes it.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{Result, Scoped};

/// By what a certificate is named on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HashData {
    /// SHA256, SHA384 or SHA512.
    pub algorithm: String,
    /// Hexadecimal.
    pub issuer_name_hash: String,
    /// Hexadecimal.
    pub issuer_key_hash: String,
    /// Hexadecimal.
    pub serial_number: String,
}

/// A certificate that a station has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// CentralSystemRootCertificate or ManufacturerRootCertificate.
    pub certificate_use: String,
    /// Its name on the wire.
    pub hash: HashData,
    /// Known of those that we installed.
    pub pem: Option<String>,
    /// When the station last said that it has it.
    pub seen_at: DateTime<Utc>,
}

/// The station's own list of one use: what it does not name is gone. Of what it names the PEM is kept, whichever the
/// algorithm of this list.
pub async fn replace(
    db: &mut PgConnection,
    station: Uuid,
    certificate_use: &str,
    listed: &[HashData],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = db.begin().await?;
    let known = sqlx::query!(
        "delete from installed_certificates where station_id = $1 and use = $2 returning serial_number, pem",
        station,
        certificate_use
    )
    .fetch_all(&mut *tx)
    .await?;
    for hash in listed {
        let serial = plain(&hash.serial_number);
        let pem = known
            .iter()
            .filter(|known| plain(&known.serial_number) == serial)
            .find_map(|known| known.pem.as_deref());
        add(&mut tx, station, certificate_use, hash, pem, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The station installed this one.
pub async fn add(
    db: &mut PgConnection,
    station: Uuid,
    certificate_use: &str,
    hash: &HashData,
    pem: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into installed_certificates as i
           (station_id, use, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number, pem, seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (station_id, use, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number)
           do update set seen_at = excluded.seen_at, pem = coalesce(excluded.pem, i.pem)",
        station,
        certificate_use,
        hash.algorithm,
        hash.issuer_name_hash,
        hash.issuer_key_hash,
        hash.serial_number,
        pem,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station deleted what has this name, or never had it.
pub async fn remove(db: &mut PgConnection, station: Uuid, hash: &HashData) -> Result<()> {
    sqlx::query!(
        "delete from installed_certificates
         where station_id = $1 and lower(hash_algorithm) = lower($2) and lower(issuer_name_hash) = lower($3)
           and lower(issuer_key_hash) = lower($4) and ltrim(lower(serial_number), '0') = ltrim(lower($5), '0')",
        station,
        hash.algorithm,
        hash.issuer_name_hash,
        hash.issuer_key_hash,
        hash.serial_number
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the station has, by use.
pub async fn list(db: &mut Scoped<'_>, station: Uuid) -> Result<Vec<Installed>> {
    let rows = sqlx::query!(
        "select use, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number, pem, seen_at
         from installed_certificates where station_id = $1 order by use, serial_number, hash_algorithm",
        station
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Installed {
            certificate_use: row.r#use,
            hash: HashData {
                algorithm: row.hash_algorithm,
                issuer_name_hash: row.issuer_name_hash,
                issuer_key_hash: row.issuer_key_hash,
                serial_number: row.serial_number,
            },
            pem: row.pem,
            seen_at: row.seen_at,
        })
        .collect())
}

/// Whether a station that deletes this would trust no central system any more, as far as we know: it is a root of ours,
/// and no other is known.
pub async fn is_last_root(db: &mut Scoped<'_>, station: Uuid, serial_number: &str) -> Result<bool> {
    let installed = list(db, station).await?;
    Ok(is_last_of(&installed, serial_number))
}

/// The same of a list that was read.
pub fn is_last_of(installed: &[Installed], serial_number: &str) -> bool {
    let mut roots: Vec<String> = installed
        .iter()
        .filter(|installed| installed.certificate_use == "CentralSystemRootCertificate")
        .map(|installed| plain(&installed.hash.serial_number))
        .collect();
    roots.sort();
    roots.dedup();
    roots == [plain(serial_number)]
}

/// A serial number, however a station wrote it.
fn plain(serial: &str) -> String {
    let serial = serial.trim().to_ascii_lowercase();
    serial.trim_start_matches('0').to_owned()
}
