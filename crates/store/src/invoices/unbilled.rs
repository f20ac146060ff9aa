//! What may be invoiced: sessions that are over at a seller's sites whose newest price is not held and that are on no live
//! document; and what was invoiced at a price that has changed since.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// A session with its newest price.
#[derive(Debug, Clone, PartialEq)]
pub struct Billable {
    /// Which.
    pub session_id: Uuid,
    /// Of its price.
    pub revision: i32,
    /// Verbatim.
    pub id_token: String,
    /// Where.
    pub site_id: Option<Uuid>,
    /// Its name.
    pub site: String,
    /// IANA name of the site's zone.
    pub time_zone: String,
    /// The station's identity.
    pub station: String,
    /// 1.6: the connectorId.
    pub connector: i32,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The charger's time.
    pub ended_at: DateTime<Utc>,
    /// Wh.
    pub energy_wh: Option<i64>,
    /// Wh, the meter's reading at the start; none where a person said what was charged.
    pub register_start_wh: Option<i64>,
    /// Wh, the meter's reading at the stop.
    pub register_stop_wh: Option<i64>,
    /// sha256 of its signed meter values, hex.
    pub signed: Vec<String>,
    /// ISO 4217.
    pub currency: String,
    /// Do the tariff's prices include the tax?
    pub prices_include_tax: bool,
    /// billing::price::Line, as JSON.
    pub lines: Value,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// That ended in this time.
    Ended {
        /// At this instant or later.
        from: DateTime<Utc>,
        /// Before this instant.
        to: DateTime<Utc>,
    },
    /// These.
    These(Vec<Uuid>),
}

/// The sessions that may be invoiced now, by their start.
pub async fn billable(db: &mut PgConnection, entity: Uuid, which: &Which) -> Result<Vec<Billable>> {
    let (from, to, these) = match which {
        Which::Ended { from, to } => (Some(*from), Some(*to), None),
        Which::These(ids) => (None, None, Some(ids.as_slice())),
    };
    Ok(sqlx::query_as!(
        Billable,
        r#"select s.id as session_id, p.revision, s.id_token, s.site_id, t.name as site, t.time_zone,
                  coalesce(c.identity, '') as "station!", s.evse as connector, s.started_at, s.ended_at as "ended_at!",
                  coalesce(k.energy_wh, s.energy_wh) as energy_wh,
                  case when k.energy_wh is null then x.meter_start_wh end as register_start_wh,
                  case when k.energy_wh is null then x.meter_stop_wh end as register_stop_wh,
                  array(select encode(v.sha256, 'hex') from signed_meter_values v
                        where v.transaction_id = s.id and v.station_id = s.station_id order by v.at, v.sha256) as "signed!",
                  p.currency, coalesce((v.content->>'prices_include_tax')::boolean, false) as "prices_include_tax!", p.lines
           from charging_sessions s
           join sites t on t.id = s.site_id and t.legal_entity_id = $1
           join lateral (select * from session_prices p where p.session_id = s.id order by p.revision desc limit 1) p on true
           join tariff_versions v on v.id = p.tariff_version_id
           left join stations c on c.id = s.station_id
           left join transactions x on x.id = s.id
           left join lateral (select c.energy_wh from session_corrections c where c.session_id = s.id
                              order by c.revision desc limit 1) k on true
           where s.state <> 'active' and p.state = 'priced' and s.ended_at is not null
             and s.ended_at >= coalesce($2::timestamptz, '-infinity') and s.ended_at < coalesce($3::timestamptz, 'infinity')
             and ($4::uuid[] is null or s.id = any ($4))
             and not exists (select from invoiced_sessions i where i.session_id = s.id)
           order by s.started_at, s.id"#,
        entity,
        from,
        to,
        these as Option<&[Uuid]>
    )
    .fetch_all(db)
    .await?)
}

/// A session that was invoiced at a price that is no longer the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Stale {
    /// The session.
    pub session_id: Uuid,
    /// The live document that it is on.
    pub invoice_id: Uuid,
    /// billing::price::Line of the invoiced price, as JSON.
    pub invoiced: Value,
    /// billing::price::Line of the newest price, as JSON.
    pub newest: Value,
}

/// The seller's sessions whose newest price is another than the invoiced one, not held, and was computed at `since` or
/// later.
pub async fn stale(
    db: &mut PgConnection,
    entity: Uuid,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Stale>> {
    Ok(sqlx::query_as!(
        Stale,
        "select i.session_id, i.invoice_id, o.lines as invoiced, n.lines as newest
         from invoiced_sessions i
         join invoices d on d.id = i.invoice_id and d.legal_entity_id = $1
         join session_prices o on o.session_id = i.session_id and o.revision = i.revision
         join session_prices n on n.session_id = i.session_id and n.revision > i.revision and n.state = 'priced'
           and n.computed_at >= coalesce($2::timestamptz, '-infinity')
         where not exists (select from session_prices y where y.session_id = n.session_id and y.revision > n.revision)
         order by i.invoice_id, i.session_id",
        entity,
        since
    )
    .fetch_all(db)
    .await?)
}
