//! `/waiting`: stations that nobody has accepted, and chargers that were refused, each with what would let it in.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use store::{
    refusals::{self, Listed, Place, Search},
    stations::is_identity,
    stations_read::{self, Station},
};

use super::{
    asked::{Parameters, query, refuse},
    frame::Frame,
    html,
};
use crate::{
    Access, AppState, Result, Route,
    view::{Chip, Moment, number, state::plain},
};

/// Refusals on one page.
const PAGE: i64 = 50;
/// Stations that wait, shown.
const WAITING: i64 = 100;

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/waiting", Access::ReadAll, page)]
}

/// What the page was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    search: Search,
    after: Option<Place>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self> {
        let short = |name| {
            parameters.read(name, "at most 255 characters", |text| {
                (text.chars().count() <= 255).then(|| text.to_owned())
            })
        };
        Ok(Asked {
            search: Search {
                text: short("q")?,
                reason: short("reason")?,
            },
            after: parameters.first("after").map(place).transpose()?,
        })
    }

    fn text(&self) -> &str {
        self.search.text.as_deref().unwrap_or_default()
    }

    fn is_reason(&self, reason: &str) -> bool {
        self.search.reason.as_deref() == Some(reason)
    }

    fn any(&self) -> bool {
        self.search != Search::default()
    }

    fn link(&self, after: Option<&Place>) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.search.text.clone().map(|text| ("q", text)));
        pairs.extend(self.search.reason.clone().map(|reason| ("reason", reason)));
        pairs.extend(after.map(|(at, identity, reason)| {
            let at = at.timestamp_micros();
            ("after", format!("{at}/{reason}/{identity}"))
        }));
        format!("/waiting{}", query(&pairs))
    }
}

/// The place that a page before named: time, reason and identity.
fn place(text: &str) -> Result<Place> {
    let mut parts = text.splitn(3, '/');
    let at = parts
        .next()
        .and_then(|micros| micros.parse().ok())
        .and_then(DateTime::from_timestamp_micros);
    match (at, parts.next(), parts.next()) {
        (Some(at), Some(reason), Some(identity)) => {
            Ok((at, identity.to_owned(), reason.to_owned()))
        }
        _ => Err(refuse("after", text, "a place that this list handed out")),
    }
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting {
    frame: Frame,
    asked: Asked,
    reasons: Vec<(String, String)>,
    stations: Vec<StationRow>,
    refusals: Vec<RefusalRow>,
    first_link: String,
    next_link: Option<String>,
    /// This page, where its buttons lead back to.
    here: String,
}

struct StationRow {
    identity: String,
    chip: Option<Chip>,
    is_pending: bool,
    site: String,
    model: String,
    address: String,
    registered: Moment,
    seen: Option<Moment>,
    seen_age: String,
}

struct RefusalRow {
    identity: String,
    reason: String,
    detail: String,
    address: String,
    attempts: String,
    first: Moment,
    last: Moment,
    age: String,
    fix: Fix,
}

/// What would let a charger in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fix {
    /// It is registered, or blocked for good.
    Register,
    /// Its station is served as OCPP 1.6 whatever it offers.
    Assume16,
    /// Its station is given another password or another profile.
    Security,
    /// Something at the charger.
    AtTheCharger,
}

impl Fix {
    /// What helps against a refusal.
    pub(super) fn of(reason: &str, identity: &str) -> Self {
        match reason {
            "unknown_station" if is_identity(identity) => Fix::Register,
            "no_subprotocol" => Fix::Assume16,
            "wrong_password" | "no_password" | "needs_tls" => Fix::Security,
            _ => Fix::AtTheCharger,
        }
    }
}

/// `GET /waiting`
async fn page(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let asked = Asked::read(&parameters)?;
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut refused =
        refusals::search(&mut db, &asked.search, asked.after.as_ref(), PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = refused.len() > page;
    refused.truncate(page);
    let last: Option<Place> = refused
        .last()
        .map(|last| (last.last_at, last.identity.clone(), last.reason.clone()));
    let reasons = refusals::reasons(&mut db).await?;
    let unaccepted = stations_read::Filter {
        unaccepted: true,
        ..stations_read::Filter::default()
    };
    let stations = stations_read::list(&mut db, &unaccepted, None, WAITING).await?;
    html(&Waiting {
        reasons: reasons
            .into_iter()
            .map(|(reason, count)| {
                let words = format!("{} ({})", plain(&reason), number::count(count));
                (reason, words)
            })
            .collect(),
        stations: stations
            .into_iter()
            .map(|station| station_row(station, now))
            .collect(),
        refusals: refused
            .into_iter()
            .map(|line| refusal_row(line, now))
            .collect(),
        first_link: asked.link(None),
        next_link: last.filter(|_| more).map(|last| asked.link(Some(&last))),
        here: frame.back.clone(),
        asked,
        frame,
    })
}

fn station_row(station: Station, now: DateTime<Utc>) -> StationRow {
    let zone = station.time_zone.as_deref();
    StationRow {
        chip: Chip::registration(&station.registration),
        is_pending: station.registration == "pending",
        registered: Moment::new(station.created_at, zone),
        seen: station.last_seen_at.map(|seen| Moment::new(seen, zone)),
        seen_age: station
            .last_seen_at
            .map_or_else(String::new, |seen| number::age_by_the_minute(now - seen)),
        site: station.site.unwrap_or_default(),
        model: [station.vendor, station.model]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        address: station.address.unwrap_or_default(),
        identity: station.identity,
    }
}

fn refusal_row(line: Listed, now: DateTime<Utc>) -> RefusalRow {
    RefusalRow {
        fix: Fix::of(&line.reason, &line.identity),
        identity: line.identity,
        reason: plain(&line.reason),
        detail: line.detail,
        address: line.address,
        attempts: number::count(line.attempts),
        first: Moment::new(line.first_at, None),
        last: Moment::new(line.last_at, None),
        age: number::age_by_the_minute(now - line.last_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_identity_with_slashes() {
        let at = "2026-11-20T12:00:00.123456Z".parse().unwrap();
        let last: Place = (at, "a/b c".to_owned(), "wrong_password".to_owned());
        let link = Asked::default().link(Some(&last));
        let after = link.split("after=").nth(1).unwrap();
        let after = after.replace("%2F", "/").replace("%20", " ");
        assert_eq!(place(&after).unwrap(), last);
        assert!(place("1").is_err());
    }

    #[test]
    fn every_refusal_has_what_helps() {
        assert_eq!(Fix::of("unknown_station", "CP 1"), Fix::Register);
        assert_eq!(Fix::of("unknown_station", "../x"), Fix::AtTheCharger);
        assert_eq!(Fix::of("no_subprotocol", "CP"), Fix::Assume16);
        assert_eq!(Fix::of("wrong_user", "CP"), Fix::AtTheCharger);
    }
}
