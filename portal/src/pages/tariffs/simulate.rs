//! `/tariffs/{id}/simulate`: what a session would cost under a version of the tariff, line by line and why; and what all
//! sessions of the last days would. Nothing is written.

use askama::Template;
use axum::{extract::State, response::Response};
use billing::{
    price::Priced,
    pricing::simulate::{self, Delta},
    tariff::Tariff,
};
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use store::{
    Scoped,
    charges::Walk,
    sessions::{self, Session},
    sites::{self, Site},
    tariffs,
};
use uuid::Uuid;

use super::{in_force, no_such_tariff, said, seen};
use crate::{
    AppState, Error, Result,
    pages::{
        asked::{Id, Parameters},
        frame::Frame,
        html,
    },
    view::{Moment, number, tariff as words, week},
};

/// Sessions that can be chosen.
const RECENT: i64 = 30;
/// Days of a preview.
const DAYS: i64 = 30;
/// Sessions of a preview; a person waits for it.
const MOST: u64 = 5_000;
/// Changes that the page shows.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "tariff_simulate.html")]
struct Page {
    frame: Frame,
    id: Uuid,
    name: String,
    number: i32,
    versions: Vec<i32>,
    sessions: Vec<(String, String)>,
    chosen: String,
    receipt: Option<Receipt>,
    /// The session that was priced: what it is, and what it costs now.
    priced: Option<(String, String)>,
    sites: Vec<Site>,
    site: String,
    preview: Option<Preview>,
}

/// What a session would cost.
pub struct Receipt {
    /// ISO 4217.
    pub currency: String,
    /// The site's, of the lines' times.
    pub zone: String,
    /// What it is made of.
    pub lines: Vec<Line>,
    /// kWh.
    pub energy: String,
    /// Without tax.
    pub net: String,
    /// The tax.
    pub tax: String,
    /// With tax.
    pub total: String,
    /// Why a person would have to look first.
    pub reasons: Vec<String>,
    /// What a person may want to know.
    pub flags: Vec<String>,
}

/// A line of it.
pub struct Line {
    /// What for.
    pub what: String,
    /// Under which conditions of the tariff.
    pub why: String,
    /// From when to when, by the clock of the site.
    pub times: String,
    /// How much.
    pub quantity: String,
    /// Of what; empty where it is counted.
    pub unit: &'static str,
    /// As in the tariff.
    pub unit_price: String,
    /// Per cent.
    pub tax_rate: String,
    /// Without tax.
    pub net: String,
    /// With tax.
    pub total: String,
}

/// What all sessions of the last days would cost.
struct Preview {
    currency: String,
    sessions: String,
    held: u64,
    unpriced: u64,
    /// Whether there are more than were tried.
    is_cut: bool,
    before: Vec<(String, String)>,
    after: String,
    /// How much more it would be, if everything was priced in this currency.
    change: Option<String>,
    changes: Vec<Change>,
}

struct Change {
    id: Uuid,
    started: Moment,
    before: String,
    after: String,
    difference: String,
}

/// `GET /tariffs/{id}/simulate`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    Id(id): Id,
    parameters: Parameters,
) -> Result<Response> {
    let now = app.clock.now();
    let asked: Option<i32> = parameters.read("version", "the number of a version", |text| {
        text.parse().ok()
    })?;
    let session = parameters.id("session")?;
    let site = parameters.id("site")?;
    let previews = parameters.first("preview").is_some();
    let mut db = frame.scope.begin(&app.pool).await?;
    let (tariff, _) = seen(&mut db, &frame.scope, id).await?;
    let versions = tariffs::versions(&mut db, id).await?;
    let version = match asked {
        Some(number) => versions.iter().find(|version| version.version == number),
        None => in_force(&versions, now).or(versions.first()),
    };
    let version = version.ok_or_else(no_such_tariff)?;
    let content = said(version)?;
    let (mut receipt_of, mut priced) = (None, None);
    if let Some(session) = session {
        receipt_of = receipt(&mut db, session, &content, now).await?;
        let found = sessions::get(&mut db, session).await?;
        let found = found
            .filter(|_| receipt_of.is_some())
            .ok_or_else(no_such_session)?;
        let cost = store::prices::newest(&mut db, &[session]).await?;
        let cost = cost.get(&session).map_or_else(
            || "has no price".to_owned(),
            |price| {
                format!(
                    "costs {} {} by “{}”",
                    number::money(price.total, &price.currency),
                    price.currency,
                    price.tariff
                )
            },
        );
        priced = Some((label(&found), cost));
    }
    let preview = if previews {
        let walk = Walk {
            from: Some(now - TimeDelta::days(DAYS)),
            to: Some(now),
            site_id: site,
            ..Walk::default()
        };
        let summary = simulate::preview(&mut db, &content, walk, Some(MOST), now).await?;
        Some(Preview::of(&content, summary))
    } else {
        None
    };
    html(&Page {
        id,
        name: tariff.name,
        number: version.version,
        versions: versions.iter().map(|version| version.version).collect(),
        sessions: recent(&mut db).await?,
        chosen: session.map_or_else(String::new, |session| session.to_string()),
        receipt: receipt_of,
        priced,
        sites: sites::list(&mut db).await?,
        site: site.map_or_else(String::new, |site| site.to_string()),
        preview,
        frame,
    })
}

/// The sessions that ended last: id, and what people call it.
pub async fn recent(db: &mut Scoped<'_>) -> Result<Vec<(String, String)>> {
    let ended = sessions::Filter {
        state: Some(sessions::State::Ended),
        ..sessions::Filter::default()
    };
    let found = sessions::list(db, &ended, None, RECENT).await?;
    Ok(found
        .iter()
        .map(|session| (session.id.to_string(), label(session)))
        .collect())
}

fn label(session: &Session) -> String {
    let started = Moment::new(session.started_at, session.time_zone.as_deref());
    format!(
        "{} {}, {} · {}, {} kWh",
        started.day,
        started.clock,
        session.station.as_deref().unwrap_or_default(),
        session.evse,
        number::kilo_or_blank(session.energy_wh)
    )
}

/// What a session of the scope would cost under a tariff; none if there is no such session.
pub async fn receipt(
    db: &mut Scoped<'_>,
    session: Uuid,
    tariff: &Tariff,
    now: DateTime<Utc>,
) -> Result<Option<Receipt>> {
    let zone = sessions::get(db, session)
        .await?
        .and_then(|session| session.time_zone);
    let priced = simulate::session_under(db, session, tariff, now).await?;
    Ok(priced.map(|priced| Receipt::of(tariff, &priced, zone.as_deref())))
}

impl Receipt {
    fn of(tariff: &Tariff, priced: &Priced, zone: Option<&str>) -> Self {
        let currency = priced.currency.code();
        let money = |amount: Decimal| number::money(amount, currency);
        let lines = priced.lines.iter().map(|line| {
            let element = line
                .element
                .and_then(|element| tariff.elements.get(element));
            let (from, to) = (Moment::new(line.from, zone), Moment::new(line.to, zone));
            Line {
                what: line.name(),
                why: element.map_or_else(|| "bound of a session".to_owned(), words::when),
                times: if from.day == to.day {
                    format!("{} – {}", from.clock, to.clock)
                } else {
                    format!("{} {} – {} {}", from.day, from.clock, to.day, to.clock)
                },
                quantity: line.quantity.normalize().to_string(),
                unit: line.kind.unit(),
                unit_price: week::decimals(line.unit_price),
                tax_rate: line.tax_rate.normalize().to_string(),
                net: money(line.net),
                total: money(line.total),
            }
        });
        Receipt {
            lines: lines.collect(),
            currency: currency.to_owned(),
            zone: priced
                .lines
                .first()
                .map_or_else(String::new, |line| Moment::new(line.from, zone).zone),
            energy: priced.energy_kwh.normalize().to_string(),
            net: money(priced.net),
            tax: money(priced.tax),
            total: money(priced.total),
            reasons: priced.reasons.clone(),
            flags: priced.flags.clone(),
        }
    }
}

impl Preview {
    fn of(tariff: &Tariff, summary: simulate::Summary) -> Self {
        let code = tariff.currency.code();
        let comparable = summary.before.len() == 1 && summary.unpriced == 0 && summary.held == 0;
        let before = summary.before.get(code).filter(|_| comparable);
        Preview {
            currency: code.to_owned(),
            sessions: number::count(i64::try_from(summary.sessions).unwrap_or(i64::MAX)),
            held: summary.held,
            unpriced: summary.unpriced,
            is_cut: summary.is_cut,
            before: summary
                .before
                .iter()
                .map(|(code, amount)| (number::money(*amount, code), code.clone()))
                .collect(),
            after: number::money(summary.after, code),
            change: before.map(|before| signed(summary.after - before, code)),
            changes: summary
                .largest
                .iter()
                .take(SHOWN)
                .map(|delta| Change::of(delta, code))
                .collect(),
        }
    }
}

impl Change {
    fn of(delta: &Delta, code: &str) -> Self {
        let difference = delta.difference(code);
        Change {
            id: delta.session_id,
            started: Moment::new(delta.started_at, None),
            before: delta
                .before
                .as_ref()
                .map_or_else(String::new, |(code, amount)| {
                    format!("{} {code}", number::money(*amount, code))
                }),
            after: if delta.held {
                "held".to_owned()
            } else {
                number::money(delta.after, code)
            },
            difference: difference.map_or_else(String::new, |amount| signed(amount, code)),
        }
    }
}

fn signed(amount: Decimal, currency: &str) -> String {
    let plus = if amount.is_sign_positive() && !amount.is_zero() {
        "+"
    } else {
        ""
    };
    format!("{plus}{}", number::money(amount, currency))
}

fn no_such_session() -> Error {
    Error::NotFound("there is no such session".to_owned())
}
