//! What the nodes of the csms offer to chargers, as they said when they started.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Result, Scoped};

/// What a node offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The highest OCPP security profile that a charger can connect by.
    pub highest_profile: i16,
    /// When the certificate that it shows to chargers ends.
    pub certificate_expires_at: Option<DateTime<Utc>>,
}

/// A node starts, and offers this.
pub async fn started(db: &mut PgConnection, offer: &Offer<'_>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into csms_nodes (node, started_at, highest_profile, certificate_expires_at) values ($1, $2, $3, $4)
         on conflict (node) do update set
           started_at = excluded.started_at, highest_profile = excluded.highest_profile,
           certificate_expires_at = excluded.certificate_expires_at",
        offer.node,
        now,
        offer.highest_profile,
        offer.certificate_expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A node shows another certificate from now on.
pub async fn renewed(db: &mut PgConnection, node: &str, expires_at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update csms_nodes set certificate_expires_at = $2 where node = $1",
        node,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The highest security profile that chargers can connect by anywhere; `None` while no node has ever started.
pub async fn highest_profile(db: &mut Scoped<'_>) -> Result<Option<i16>> {
    Ok(
        sqlx::query_scalar!("select max(highest_profile) from csms_nodes")
            .fetch_one(&mut **db)
            .await?,
    )
}

/// When the first of the certificates that chargers are shown ends.
pub async fn certificate_expires_at(db: &mut Scoped<'_>) -> Result<Option<DateTime<Utc>>> {
    Ok(
        sqlx::query_scalar!("select min(certificate_expires_at) from csms_nodes")
            .fetch_one(&mut **db)
            .await?,
    )
}
