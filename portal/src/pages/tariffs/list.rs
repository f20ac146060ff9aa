//! `/tariffs`: every tariff that the reader may see, in a line each.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use billing::tariff::{Kind, Price, Tariff};
use store::{
    tariff_assignments::{self as assignments, Assignment},
    tariffs::{self, Version},
};
use uuid::Uuid;

use super::{holds, is_seen, places, said, state};
use crate::{
    AppState, Result,
    pages::{asked::Parameters, frame::Frame, html},
    view::{Chip, tariff as words, week},
};

#[derive(Template)]
#[template(path = "tariffs.html")]
struct List {
    frame: Frame,
    archived: bool,
    rows: Vec<Row>,
}

struct Row {
    id: Uuid,
    name: String,
    currency: String,
    energy: String,
    besides: String,
    places: String,
    version: String,
    chip: Chip,
}

/// `GET /tariffs`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let archived = parameters.first("archived").is_some();
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let places = assignments::list(&mut db, None).await?;
    let mut current: HashMap<Uuid, Version> = tariffs::versions_at(&mut db, now)
        .await?
        .into_iter()
        .map(|version| (version.tariff_id, version))
        .collect();
    let rows = tariffs::list(&mut db, archived)
        .await?
        .into_iter()
        .filter(|tariff| tariff.archived_at.is_some() == archived)
        .filter(|tariff| is_seen(&frame.scope, tariff.id, &places))
        .map(|tariff| {
            let version = current.remove(&tariff.id);
            let said = version.as_ref().and_then(|version| said(version).ok());
            let holds: Vec<&Assignment> = places
                .iter()
                .filter(|place| place.tariff_id == tariff.id && holds(place, now))
                .collect();
            Row {
                chip: state(tariff.archived_at, version.is_some(), !holds.is_empty()),
                energy: said.as_ref().map_or_else(String::new, energy),
                besides: said.as_ref().map_or_else(String::new, besides),
                places: some_of(&holds),
                version: version.map_or_else(String::new, |version| version.version.to_string()),
                id: tariff.id,
                name: tariff.name,
                currency: tariff.currency,
            }
        })
        .collect();
    html(&List {
        frame,
        archived,
        rows,
    })
}

/// The prices per kWh, from the lowest to the highest.
fn energy(tariff: &Tariff) -> String {
    let mut fixed = Vec::new();
    let mut feeds = Vec::new();
    for component in components(tariff, Kind::Energy) {
        match &component.price {
            Price::Fixed(price) => fixed.push(*price),
            Price::Dynamic(_) => feeds.push(week::price(&component.price)),
        }
    }
    fixed.sort_unstable();
    let mut words = match (fixed.first(), fixed.last()) {
        (Some(low), Some(high)) if low == high => vec![week::decimals(*low)],
        (Some(low), Some(high)) => {
            vec![format!(
                "{} – {}",
                week::decimals(*low),
                week::decimals(*high)
            )]
        }
        _ => Vec::new(),
    };
    words.append(&mut feeds);
    words.join(", ")
}

/// The other kinds that have a price.
fn besides(tariff: &Tariff) -> String {
    Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Energy && components(tariff, *kind).next().is_some())
        .map(words::kind)
        .collect::<Vec<_>>()
        .join(", ")
}

fn components(tariff: &Tariff, kind: Kind) -> impl Iterator<Item = &billing::tariff::Component> {
    tariff
        .elements
        .iter()
        .filter_map(move |element| element.component(kind))
}

fn some_of(places: &[&Assignment]) -> String {
    let shown: Vec<String> = places
        .iter()
        .take(3)
        .map(|place| places::name(place))
        .collect();
    let more = places.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}
