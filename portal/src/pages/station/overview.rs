//! The tab Overview of a station: a card of each connector with what it does now.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use billing::pricing::{costs, running::Cost};
use chrono::{DateTime, Utc};
use store::{
    Scoped,
    connectors::{self, Connector},
    sessions::{self, Session},
};
use uuid::Uuid;

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    live::Part,
    pages::{frame::Frame, html},
    view::{Chip, Moment, number},
};

/// Sessions that can be active at one station; more are shown by the tab Sessions.
const MOST: i64 = 200;

#[derive(Template)]
#[template(path = "station_overview.html", blocks = ["cards"])]
struct Overview {
    frame: Frame,
    head: Head,
    /// What the station says of itself as a whole, as connector 0.
    whole: Option<Card>,
    cards: Vec<Card>,
    ocpp_url: String,
    act_path: String,
    start_path: String,
    /// What a restart does, and one that waits for nothing.
    restarts: String,
    cuts: String,
}

/// A connector.
struct Card {
    number: i32,
    chip: Chip,
    since: Option<Moment>,
    age: String,
    /// The error, the vendor's code of it and the charger's remark.
    trouble: String,
    /// What unlocking it does.
    unlocks: &'static str,
    session: Option<Running>,
}

/// The session that is active at a connector.
struct Running {
    id: Uuid,
    token: String,
    started: Moment,
    duration: String,
    power_kw: String,
    energy_kwh: String,
    soc: String,
    cost: String,
    currency: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/stations/{identity}", Access::Read, page)]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, "").await?;
    html(&load(&app, &mut db, frame, head).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
) -> Result<Vec<Part>> {
    let page = load(app, db, frame, head).await?;
    Ok(vec![Part::render("cards", &page.as_cards())?])
}

async fn load(app: &AppState, db: &mut Scoped<'_>, frame: Frame, head: Head) -> Result<Overview> {
    let now = app.clock.now();
    let since = connectors::since(db, head.station.id).await?;
    let active = sessions::Filter {
        stations: vec![head.identity().to_owned()],
        state: Some(sessions::State::Active),
        ..sessions::Filter::default()
    };
    let active = sessions::list(db, &active, None, MOST).await?;
    let ids: Vec<Uuid> = active.iter().map(|session| session.id).collect();
    let costs = costs(db, &ids, now).await?;
    let zone = head.zone();
    let card = |connector: &Connector| {
        let at = since
            .get(&(connector.evse, connector.connector))
            .copied()
            .unwrap_or(connector.received_at);
        let session = active
            .iter()
            .find(|session| session.evse == connector.evse)
            .map(|session| running(session, &costs, &frame, now));
        Card {
            since: Some(Moment::new(at, zone)),
            age: number::age_by_the_minute(now - at),
            trouble: trouble(connector),
            unlocks: unlocks(session.is_some()),
            chip: Chip::connector(&connector.status),
            number: connector.evse,
            session,
        }
    };
    let said = &head.station.connectors;
    let mut cards: Vec<Card> = said
        .iter()
        .filter(|connector| connector.evse > 0)
        .map(card)
        .collect();
    cards.extend(unsaid(&active, said, &costs, &frame, now));
    cards.sort_by_key(|card| card.number);
    let whole = said.iter().find(|connector| connector.evse == 0).map(card);
    let ends = match active.len() {
        0 => "Nothing charges there now".to_owned(),
        1 => "1 session will end".to_owned(),
        several => format!("{several} sessions will end"),
    };
    Ok(Overview {
        act_path: head.below("act"),
        start_path: head.below("start"),
        restarts: format!(
            "{ends}; the station stops them in order and is away for a minute or two."
        ),
        cuts: format!(
            "{ends} without being stopped in order; the station is away for a minute or two."
        ),
        whole,
        cards,
        ocpp_url: app.config.ocpp_public_url.clone(),
        frame,
        head,
    })
}

/// Connectors that charge without ever having said what state they are in.
fn unsaid(
    active: &[Session],
    said: &[Connector],
    costs: &HashMap<Uuid, Cost>,
    frame: &Frame,
    now: DateTime<Utc>,
) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    for session in active {
        let known = said.iter().any(|connector| connector.evse == session.evse)
            || cards.iter().any(|card| card.number == session.evse);
        if !known {
            cards.push(Card {
                number: session.evse,
                chip: Chip::connector("not reported"),
                since: None,
                age: String::new(),
                trouble: String::new(),
                unlocks: unlocks(true),
                session: Some(running(session, costs, frame, now)),
            });
        }
    }
    cards
}

fn running(
    session: &Session,
    costs: &HashMap<Uuid, Cost>,
    frame: &Frame,
    now: DateTime<Utc>,
) -> Running {
    let cost = costs.get(&session.id);
    Running {
        id: session.id,
        token: frame.token(&session.id_token),
        started: Moment::new(session.started_at, session.time_zone.as_deref()),
        duration: number::hours(session.duration(now)),
        power_kw: number::kilo_or_blank(session.power_w),
        energy_kwh: number::kilo_or_blank(session.energy_wh),
        soc: number::soc_range(session.soc_start_pm, session.soc_end_pm),
        cost: cost.map_or_else(String::new, |cost| {
            number::money(cost.total, &cost.currency)
        }),
        currency: cost.map_or_else(String::new, |cost| cost.currency.clone()),
    }
}

fn unlocks(charges: bool) -> &'static str {
    if charges {
        "The session there will end, and the cable comes free."
    } else {
        "The cable comes free."
    }
}

fn trouble(connector: &Connector) -> String {
    let error = (connector.error_code != "NoError").then(|| connector.error_code.clone());
    [
        error,
        connector.vendor_error_code.clone(),
        connector.info.clone(),
    ]
    .into_iter()
    .flatten()
    .filter(|word| !word.is_empty())
    .collect::<Vec<_>>()
    .join(" · ")
}
