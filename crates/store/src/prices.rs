//! What sessions cost. Every price is a revision; rows are only added, and the newest counts. `billing` computes, this file
//! keeps; a person may release a price that is held.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error, Result, Scoped,
    audit::{self, Actor, Entry},
    sessions::Filter,
};

/// Whether a price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It counts.
    Priced,
    /// A person has to look; it is never invoiced as it stands.
    Held,
}

impl State {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Priced => "priced",
            State::Held => "held",
        }
    }

    /// The reverse of [`State::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [State::Priced, State::Held]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A price that was computed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPrice {
    /// Of this session.
    pub session_id: Uuid,
    /// The session's site.
    pub site_id: Option<Uuid>,
    /// Its station.
    pub station_id: Option<Uuid>,
    /// By what this says.
    pub tariff_version_id: Uuid,
    /// Whether it counts.
    pub state: State,
    /// What is odd about it; without commas.
    pub reasons: Vec<String>,
    /// ISO 4217.
    pub currency: String,
    /// Without tax.
    pub net: Decimal,
    /// Tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// `billing::price::Line`s, as JSON text.
    pub lines: String,
    /// sha256 of everything it was made from.
    pub made_from: [u8; 32],
}

/// A price as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// Of this session.
    pub session_id: Uuid,
    /// 1, 2, …
    pub revision: i32,
    /// The tariff's name.
    pub tariff: String,
    /// The tariff.
    pub tariff_id: Uuid,
    /// Its version.
    pub version: i32,
    /// When it was computed, or released.
    pub computed_at: DateTime<Utc>,
    /// Whether it counts.
    pub state: State,
    /// What is odd about it, and what was said when it was released.
    pub reasons: Vec<String>,
    /// ISO 4217.
    pub currency: String,
    /// Without tax.
    pub net: Decimal,
    /// Tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// `billing::price::Line`s.
    pub lines: Value,
}

/// Makes this transaction the only one that writes prices until it ends: revisions follow each other.
pub async fn take_turn(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('session_prices'))")
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Adds a revision for each price that was made from something else than the session's newest, with its event
/// `session.priced`; answers which. The transaction must have taken its turn ([`take_turn`]); it holds a session once.
pub async fn write(
    db: &mut PgConnection,
    prices: &[NewPrice],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, i32)>> {
    if prices.is_empty() {
        return Ok(Vec::new());
    }
    fn column<T>(prices: &[NewPrice], of: impl Fn(&NewPrice) -> T) -> Vec<T> {
        prices.iter().map(of).collect()
    }
    let rows = sqlx::query!(
        r#"with said as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                                  $8::numeric[], $9::numeric[], $10::numeric[], $11::text[], $12::bytea[])
               as said (session_id, site_id, station_id, tariff_version_id, state, reasons, currency, net, tax, total,
                        lines, made_from)),
           written as (
             insert into session_prices (session_id, revision, site_id, station_id, tariff_version_id, computed_at, state,
               reasons, currency, net, tax, total, lines, made_from)
             select said.session_id, coalesce(newest.revision, 0) + 1, said.site_id, said.station_id,
                    said.tariff_version_id, $13, said.state, string_to_array(said.reasons, ','), said.currency, said.net,
                    said.tax, said.total, said.lines::jsonb, said.made_from
             from said
             left join lateral (
               select p.revision, p.made_from from session_prices p where p.session_id = said.session_id
               order by p.revision desc limit 1) newest on true
             where newest.made_from is distinct from said.made_from
             returning session_id, revision, site_id, station_id, state),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $13, 'session.priced', site_id, station_id, session_id,
                    jsonb_build_object('revision', revision, 'state', state)
             from written)
           select session_id as "session_id!", revision as "revision!" from written"#,
        &column(prices, |price| price.session_id),
        &column(prices, |price| price.site_id) as &[Option<Uuid>],
        &column(prices, |price| price.station_id) as &[Option<Uuid>],
        &column(prices, |price| price.tariff_version_id),
        &column(prices, |price| price.state.as_str().to_owned()),
        &column(prices, |price| price.reasons.join(",")),
        &column(prices, |price| price.currency.clone()),
        &column(prices, |price| price.net),
        &column(prices, |price| price.tax),
        &column(prices, |price| price.total),
        &column(prices, |price| price.lines.clone()),
        &column(prices, |price| price.made_from.to_vec()),
        now
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.session_id, row.revision))
        .collect())
}

/// A price as the database has it.
struct Row {
    session_id: Uuid,
    revision: i32,
    tariff: String,
    tariff_id: Uuid,
    version: i32,
    computed_at: DateTime<Utc>,
    state: String,
    reasons: Vec<String>,
    currency: String,
    net: Decimal,
    tax: Decimal,
    total: Decimal,
    lines: Value,
}

impl TryFrom<Row> for Price {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = State::parse(&row.state).ok_or_else(|| Error::Corrupt {
            table: "session_prices",
            column: "state",
            row: row.session_id.to_string(),
            value: row.state.clone(),
        })?;
        Ok(Price {
            session_id: row.session_id,
            revision: row.revision,
            tariff: row.tariff,
            tariff_id: row.tariff_id,
            version: row.version,
            computed_at: row.computed_at,
            state,
            reasons: row.reasons,
            currency: row.currency,
            net: row.net,
            tax: row.tax,
            total: row.total,
            lines: row.lines,
        })
    }
}

/// Every revision of a session's price, the newest first.
pub async fn revisions(db: &mut Scoped<'_>, session_id: Uuid) -> Result<Vec<Price>> {
    sqlx::query_as!(
        Row,
        "select p.session_id, p.revision, t.name as tariff, t.id as tariff_id, v.version, p.computed_at, p.state,
                p.reasons, p.currency, p.net, p.tax, p.total, p.lines
         from session_prices p
         join tariff_versions v on v.id = p.tariff_version_id join tariffs t on t.id = v.tariff_id
         where p.session_id = $1 order by p.revision desc",
        session_id
    )
    .fetch_all(&mut **db)
    .await?
    .into_iter()
    .map(Price::try_from)
    .collect()
}

/// The price that counts of each of these sessions; what has none is not among them.
pub async fn newest(db: &mut PgConnection, sessions: &[Uuid]) -> Result<HashMap<Uuid, Price>> {
    sqlx::query_as!(
        Row,
        r#"select p.session_id, p.revision, t.name as tariff, t.id as tariff_id, v.version, p.computed_at, p.state,
                  p.reasons, p.currency, p.net, p.tax, p.total, p.lines
           from unnest($1::uuid[]) as asked (id)
           cross join lateral (
             select * from session_prices p where p.session_id = asked.id order by p.revision desc limit 1) p
           join tariff_versions v on v.id = p.tariff_version_id join tariffs t on t.id = v.tariff_id"#,
        sessions
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| Ok((row.session_id, Price::try_from(row)?)))
    .collect()
}

/// Lets a held price count as it stands: a new revision of the same sums, with the reason that the person gives, and an
/// entry in the audit log. `None` if the session has no held price that the scope sees.
pub async fn release(
    db: &mut Scoped<'_>,
    session_id: Uuid,
    actor: Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Option<i32>> {
    let revision = sqlx::query_scalar!("select release_price($1, $2, $3)", session_id, reason, now)
        .fetch_one(&mut **db)
        .await?;
    let Some(revision) = revision else {
        return Ok(None);
    };
    let entry = Entry {
        at: now,
        actor,
        action: "price.release".to_owned(),
        entity: format!("session/{session_id}"),
        detail: json!({ "revision": revision, "reason": reason }),
    };
    audit::record(db, &entry).await?;
    Ok(Some(revision))
}

/// Sums of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revenue {
    /// ISO 4217.
    pub currency: String,
    /// How many sessions have a price that counts.
    pub sessions: i64,
    /// Without tax.
    pub net: Decimal,
    /// With tax.
    pub total: Decimal,
}

/// What the sessions of a filter cost together, by currency; amounts of two currencies are never added. Held prices do
/// not count.
pub async fn revenue(db: &mut Scoped<'_>, filter: &Filter) -> Result<Vec<Revenue>> {
    Ok(sqlx::query_as!(
        Revenue,
        r#"select p.currency, count(*) as "sessions!", sum(p.net) as "net!", sum(p.total) as "total!"
           from charging_sessions c join session_prices p on p.session_id = c.id
           where c.started_at >= coalesce($1::timestamptz, '-infinity')
             and c.started_at < coalesce($2::timestamptz, 'infinity')
             and ($3::text[] is null
                  or c.station_id = any (array(select id from stations where lower(identity) = any ($3))))
             and ($4::uuid is null or c.site_id = $4)
             and ($5::text is null or c.state = $5)
             and (not $6 or c.id in (select session_id from held_sessions))
             and ($7::text is null or lower(c.id_token) = lower($7))
             and p.state = 'priced'
             and not exists (select from session_prices n where n.session_id = p.session_id and n.revision > p.revision)
           group by 1 order by 1"#,
        filter.from,
        filter.to,
        filter.identities() as Option<Vec<String>>,
        filter.site_id,
        filter.state(),
        filter.held,
        filter.id_token
    )
    .fetch_all(&mut **db)
    .await?)
}
