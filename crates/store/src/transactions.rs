//! Transactions as programs read them: OCPP's facts, without what people make of them. They are written in `ingest`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Result, Scoped};

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id; that of its charging session too.
    pub id: Uuid,
    /// The transactionId that the station was given; for an orphan the one it claimed.
    pub number: i64,
    /// The station's identity.
    pub station: String,
    /// Where the station stood at the start.
    pub site_id: Option<Uuid>,
    /// 1.6: the connectorId.
    pub evse: i32,
    /// 1.6: always 1.
    pub connector: i32,
    /// Verbatim.
    pub id_token: String,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// Our time.
    pub start_received_at: DateTime<Utc>,
    /// The register at the start, Wh.
    pub meter_start_wh: i64,
    /// The charger's time.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Our time.
    pub stop_received_at: Option<DateTime<Utc>>,
    /// The register at the stop, Wh.
    pub meter_stop_wh: Option<i64>,
    /// Verbatim.
    pub stop_reason: Option<String>,
    /// Who stopped it, if not who started it.
    pub stop_id_token: Option<String>,
    /// What is odd about it.
    pub flags: Vec<String>,
}

impl From<&Transaction> for Cursor {
    fn from(transaction: &Transaction) -> Self {
        Cursor {
            at: transaction.started_at,
            id: transaction.id,
        }
    }
}

/// Which transactions; the empty filter is every one of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At the station of this identity, whatever the case.
    pub station: Option<String>,
    /// Started at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Started before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Only those that run (`true`) or that have stopped (`false`).
    pub open: Option<bool>,
}

/// The transactions of the filter after `after`, newest first, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Transaction>> {
    Ok(sqlx::query_as!(
        Transaction,
        r#"select t.id, t.number, s.identity as station, t.site_id, t.evse, t.connector, t.id_token, t.started_at,
                  t.start_received_at, t.meter_start_wh, t.stopped_at, t.stop_received_at, t.meter_stop_wh,
                  t.stop_reason, t.stop_id_token, t.flags
           from transactions t join stations s on s.id = t.station_id
           where ($1::text is null or t.station_id = (select id from stations where lower(identity) = lower($1)))
             and t.started_at >= coalesce($2::timestamptz, '-infinity')
             and t.started_at < coalesce($3::timestamptz, 'infinity')
             and ($4::boolean is null or (t.stopped_at is null) = $4)
             and (t.started_at, t.id)
                 < (coalesce($5::timestamptz, 'infinity'), coalesce($6::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by t.started_at desc, t.id desc limit $7"#,
        filter.station,
        filter.from,
        filter.to,
        filter.open,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}
