//! `/billing-events`: what was put down for Lago, and what became of it.

use askama::Template;
use axum::{extract::State, response::Response};
use store::{
    holds,
    lago::events::{self, Event, Filter, Status},
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query},
    frame::Frame,
    html,
};
use crate::{
    AppState, Result,
    view::{Chip, Moment, number},
};

/// Events on the page, at most.
const MOST: i64 = 1_000;
/// Sessions that wait, at most; all of them are under `/held`.
const MOST_HELD: i64 = 20;

#[derive(Template)]
#[template(path = "billing_events.html")]
struct Page {
    frame: Frame,
    from: String,
    to: String,
    status: String,
    rows: Vec<Row>,
    total_kwh: String,
    is_cut: bool,
    export_link: String,
    held: Vec<Waits>,
}

/// A session whose usage waits for a person.
struct Waits {
    session: Uuid,
    station: String,
    started: Moment,
    reasons: String,
}

struct Row {
    event: Event,
    token: String,
    kwh: String,
    at: Moment,
    sent_at: Option<Moment>,
    chip: Chip,
}

/// `GET /billing-events`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let filter = Filter {
        from: parameters.instant("from", false)?,
        to: parameters.instant("to", true)?,
        status: parameters.read(
            "status",
            "pending, sent, duplicate or rejected",
            Status::parse,
        )?,
    };
    let mut db = frame.scope.begin(&app.pool).await?;
    let found = events::list(&mut db, &filter, MOST + 1).await?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let is_cut = found.len() > most;
    let total: i64 = found
        .iter()
        .take(most)
        .map(|event| event.to_wh - event.from_wh)
        .sum();
    let rows = found
        .into_iter()
        .take(most)
        .map(|event| Row {
            token: frame.token(&event.id_token),
            kwh: number::kilo(event.to_wh - event.from_wh),
            at: Moment::new(event.at, None),
            sent_at: event.sent_at.map(|at| Moment::new(at, None)),
            chip: Chip::billing_event(&event.status),
            event,
        })
        .collect();
    let held = holds::list(&mut db, None, None, MOST_HELD).await?;
    let held = held
        .into_iter()
        .filter(|held| held.usage)
        .map(|held| Waits {
            session: held.session_id,
            station: held.station.unwrap_or_default(),
            started: Moment::new(held.started_at, held.time_zone.as_deref()),
            reasons: held.reasons.join(", ").replace('-', " "),
        });
    let held = held.collect();
    let asked = |name: &str| parameters.first(name).unwrap_or_default().to_owned();
    let mut pairs = Vec::new();
    if let Some(from) = filter.from {
        pairs.push(("start", from.to_rfc3339()));
    }
    if let Some(to) = filter.to {
        pairs.push(("end", to.to_rfc3339()));
    }
    if let Some(status) = filter.status {
        pairs.push(("status", status.as_str().to_owned()));
    }
    html(&Page {
        frame,
        from: asked("from"),
        to: asked("to"),
        status: asked("status"),
        rows,
        total_kwh: number::kilo(total),
        is_cut,
        held,
        export_link: format!("/api/v1/billing-events/export{}", query(&pairs)),
    })
}
