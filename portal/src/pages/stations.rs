//! `/stations`: the fleet as it is now, filtered by the query; for readers of all sites also who was refused, and why.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use store::{
    Scope, Scoped,
    connectors::{self, Connector, Filter, Station},
    refusals::{self, Listed},
    sites::{self, Site},
    stations::is_identity,
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query},
    frame::Frame,
};
use crate::{
    AppState, Result,
    auth::Viewer,
    live::Part,
    view::{
        Chip, Moment, number,
        state::{CONNECTOR_STATES, plain},
    },
};

/// Stations on one page.
const PAGE: i64 = 50;
/// Refusals shown.
const REFUSALS: i64 = 10;

/// What the page was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    filter: Filter,
    after: Option<String>,
    /// Every box of the page is ticked to begin with.
    ticked: bool,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self> {
        let state = parameters.read(
            "state",
            &format!("one of {}", CONNECTOR_STATES.join(", ")),
            |text| {
                CONNECTOR_STATES
                    .into_iter()
                    .find(|state| state.eq_ignore_ascii_case(text))
            },
        )?;
        Ok(Asked {
            filter: Filter {
                site_id: parameters.id("site")?,
                state: state.map(str::to_owned),
                text: parameters.read("q", "at most 100 characters", |text| {
                    (text.chars().count() <= 100).then(|| text.to_owned())
                })?,
            },
            after: parameters.first("after").map(str::to_owned),
            ticked: parameters
                .read("tick", "all or none", |text| match text {
                    "all" => Some(true),
                    "none" => Some(false),
                    _ => None,
                })?
                .unwrap_or(false),
        })
    }

    fn any(&self) -> bool {
        self.filter != Filter::default()
    }

    fn text(&self) -> &str {
        self.filter.text.as_deref().unwrap_or_default()
    }

    fn is_site(&self, site: &Uuid) -> bool {
        self.filter.site_id.as_ref() == Some(site)
    }

    fn is_state(&self, state: &str) -> bool {
        self.filter.state.as_deref() == Some(state)
    }

    /// The filter in words, for the page that found nothing.
    fn describe(&self) -> String {
        let mut words = Vec::new();
        if let Some(text) = &self.filter.text {
            words.push(format!("“{text}”"));
        }
        if let Some(state) = &self.filter.state {
            words.push(format!(
                "a connector that is {}",
                Chip::connector(state).word
            ));
        }
        if self.filter.site_id.is_some() {
            words.push("one site only".to_owned());
        }
        words.join(", ")
    }

    fn pairs(&self, after: Option<&str>) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        let mut pairs = Vec::new();
        pairs.extend(filter.text.clone().map(|text| ("q", text)));
        pairs.extend(filter.site_id.map(|site| ("site", site.to_string())));
        pairs.extend(filter.state.clone().map(|state| ("state", state)));
        pairs.extend(after.map(|after| ("after", after.to_owned())));
        pairs
    }
}

#[derive(Template)]
#[template(path = "stations.html", blocks = ["list", "refusals"])]
struct Stations {
    frame: Frame,
    as_of: Moment,
    nothing_to_see: bool,
    asked: Asked,
    sites: Vec<Site>,
    states: Vec<(&'static str, Chip)>,
    rows: Vec<Row>,
    total: String,
    first_link: String,
    next_link: Option<String>,
    /// This page with every box ticked, and with none; nothing where the reader commands none of these stations.
    tick_links: Option<(String, String)>,
    live_query: String,
    ocpp_url: String,
    sees_refusals: bool,
    refusals: Vec<Refusal>,
}

struct Row {
    id: Uuid,
    identity: String,
    site: String,
    /// Whether this reader may command it: then it has a box.
    may_control: bool,
    registration: Option<&'static str>,
    is_pending: bool,
    connected: bool,
    connectors: Vec<ConnectorChip>,
    active: i64,
    power_kw: String,
    seen: Option<Moment>,
    seen_age: String,
    protocol: String,
    model: String,
    firmware: String,
}

struct ConnectorChip {
    name: String,
    chip: Chip,
    remark: String,
}

struct Refusal {
    identity: String,
    /// Whether it would be let in if it were registered.
    is_unknown: bool,
    reason: String,
    detail: String,
    address: String,
    attempts: String,
    last: Moment,
    age: String,
}

/// `GET /stations`.
pub async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    super::html(&load(&app, &mut db, frame, &parameters).await?)
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let page = load(app, db, frame, parameters).await?;
    let mut parts = vec![Part::render("stations", &page.as_list())?];
    if page.sees_refusals {
        parts.push(Part::render("refusals", &page.as_refusals())?);
    }
    Ok(parts)
}

async fn load(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    parameters: &Parameters,
) -> Result<Stations> {
    let asked = Asked::read(parameters)?;
    let now = app.clock.now();
    let mut stations =
        connectors::list(db, &asked.filter, asked.after.as_deref(), PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = stations.len() > page;
    stations.truncate(page);
    let last = stations.last().map(|station| station.identity.clone());
    let link = |after: Option<&str>| format!("/stations{}", query(&asked.pairs(after)));
    let tick = |word: &str| {
        let mut pairs = asked.pairs(asked.after.as_deref());
        pairs.push(("tick", word.to_owned()));
        format!("/stations{}", query(&pairs))
    };
    let rows: Vec<Row> = stations
        .into_iter()
        .map(|station| row(station, &frame.viewer, now))
        .collect();
    let sees_refusals = frame.scope == Scope::All;
    let refused = if sees_refusals {
        refusals::list(db, None, REFUSALS).await?
    } else {
        Vec::new()
    };
    Ok(Stations {
        as_of: Moment::new(now, None),
        nothing_to_see: frame.sees_nothing(),
        sites: sites::list(db).await?,
        states: CONNECTOR_STATES
            .map(|state| (state, Chip::connector(state)))
            .to_vec(),
        total: number::count(connectors::count(db, &asked.filter).await?),
        tick_links: rows
            .iter()
            .any(|row| row.may_control)
            .then(|| (tick("all"), tick("none"))),
        rows,
        first_link: link(None),
        next_link: last.filter(|_| more).map(|last| link(Some(&last))),
        live_query: query(&asked.pairs(asked.after.as_deref())).replacen('?', "&", 1),
        ocpp_url: app.config.ocpp_public_url.clone(),
        sees_refusals,
        refusals: refused.into_iter().map(|line| refusal(line, now)).collect(),
        asked,
        frame,
    })
}

fn row(station: Station, viewer: &Viewer, now: DateTime<Utc>) -> Row {
    let zone = station.time_zone.as_deref();
    // The station speaks of itself as connector 0; that is news only where it has no other connector, or is broken.
    let alone = station
        .connectors
        .iter()
        .all(|connector| connector.evse == 0);
    Row {
        id: station.id,
        may_control: viewer.may_control(station.site_id),
        site: station.site.unwrap_or_default(),
        registration: match station.registration.as_str() {
            "pending" => Some("Registration pending"),
            "rejected" => Some("Registration rejected"),
            _ => None,
        },
        is_pending: station.registration == "pending",
        connected: station.connected,
        connectors: station
            .connectors
            .iter()
            .filter(|connector| {
                connector.evse > 0 || alone || !matches!(connector.status.as_str(), "Available")
            })
            .map(connector_chip)
            .collect(),
        active: station.active,
        power_kw: number::kilo_or_blank(station.power_w.or((station.active > 0).then_some(0))),
        seen: station.last_seen_at.map(|seen| Moment::new(seen, zone)),
        seen_age: station
            .last_seen_at
            .map_or_else(String::new, |seen| number::age_by_the_minute(now - seen)),
        protocol: station.protocol.unwrap_or_default(),
        model: [station.vendor, station.model]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        firmware: station.firmware.unwrap_or_default(),
        identity: station.identity,
    }
}

fn connector_chip(connector: &Connector) -> ConnectorChip {
    let error = (connector.error_code != "NoError").then(|| connector.error_code.clone());
    let remark = [
        error,
        connector.vendor_error_code.clone(),
        connector.info.clone(),
    ];
    ConnectorChip {
        name: if connector.evse == 0 {
            "station".to_owned()
        } else {
            connector.evse.to_string()
        },
        chip: Chip::connector(&connector.status),
        remark: remark
            .into_iter()
            .flatten()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
    }
}

fn refusal(line: Listed, now: DateTime<Utc>) -> Refusal {
    Refusal {
        is_unknown: line.reason == "unknown_station" && is_identity(&line.identity),
        identity: line.identity,
        reason: plain(&line.reason),
        detail: line.detail,
        address: line.address,
        attempts: number::count(line.attempts),
        last: Moment::new(line.last_at, None),
        age: number::age_by_the_minute(now - line.last_at),
    }
}
