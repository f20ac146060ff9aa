//! `/`: what charges now, what needs a person, and the day's figures.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Scope, Scoped,
    overview::{Attention, Figures, Trouble},
    sessions::{self, Session},
    sites::{self, Site},
};
use uuid::Uuid;

use super::{asked::query, frame::Frame};
use crate::{
    AppState, Error, Result,
    live::Part,
    view::{Chip, Moment, number, time},
};

/// More is what the lists themselves are for.
const ACTIVE_SHOWN: i64 = 20;
const ATTENTION_SHOWN: i64 = 25;

#[derive(Template)]
#[template(path = "overview.html", blocks = ["figures", "active", "attention"])]
struct Overview {
    frame: Frame,
    as_of: Moment,
    nothing_to_see: bool,
    figures: Figures,
    power_kw: String,
    today_kwh: String,
    today_sessions: String,
    today_change: Option<String>,
    today_link: String,
    weekday: String,
    offline: i64,
    connector_count: String,
    states: Vec<StateCount>,
    active: Vec<ActiveRow>,
    attention: Vec<Line>,
    refused: i64,
    certificate: Option<Ending>,
    usage: Option<Usage>,
}

/// The certificate that chargers are shown, near its end.
struct Ending {
    chip: Chip,
    said: String,
    at: Moment,
}

/// Usage to Lago at a glance, for who may see it.
struct Usage {
    mappings: i64,
    active_mappings: i64,
    today: i64,
    today_kwh: String,
    week: i64,
    week_kwh: String,
    circuit: Chip,
    metric: Chip,
    metric_detail: String,
    runs: Vec<super::sync::Row>,
}

struct StateCount {
    key: String,
    chip: Chip,
    count: String,
}

struct ActiveRow {
    id: Uuid,
    station: String,
    connector: i32,
    site: String,
    started: Moment,
    /// The time of day, and the day too if it was another.
    since: String,
    id_token: String,
    power_kw: String,
    energy_kwh: String,
    soc: String,
}

struct Line {
    chip: Chip,
    link: String,
    station: String,
    connector: Option<i32>,
    detail: String,
    since: Option<Moment>,
    age: String,
}

/// `GET /`.
pub async fn page(State(app): State<AppState>, mut frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    super::html(&load(&mut db, frame, app.clock.now()).await?)
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    now: DateTime<Utc>,
) -> Result<Vec<Part>> {
    let page = load(db, frame, now).await?;
    Ok(vec![
        Part::render("figures", &page.as_figures())?,
        Part::render("active", &page.as_active())?,
        Part::render("attention", &page.as_attention())?,
    ])
}

async fn load(db: &mut Scoped<'_>, frame: Frame, now: DateTime<Utc>) -> Result<Overview> {
    let figures = store::overview::figures(db, now).await?;
    let attention = store::overview::attention(db, now, ATTENTION_SHOWN).await?;
    let active_only = sessions::Filter {
        state: Some(sessions::State::Active),
        ..sessions::Filter::default()
    };
    let active = sessions::list(db, &active_only, None, ACTIVE_SHOWN).await?;
    let refused = refused_since(db, &frame.scope, now - TimeDelta::hours(24)).await?;
    let zone = common_zone(&sites::list(db).await?);
    let midnight = midnight(now, zone);
    let usage = usage(db, &frame.scope, midnight).await?;
    let certificate = certificate(db, &frame.scope, now).await?;
    Ok(Overview {
        usage,
        as_of: Moment::new(now, None),
        nothing_to_see: frame.sees_nothing(),
        power_kw: number::kilo(figures.power_w),
        today_kwh: number::kilo(figures.today_wh),
        today_sessions: number::count(figures.today_sessions),
        today_change: number::change(figures.today_wh, figures.week_ago_wh),
        today_link: format!("/sessions{}", query(&[("from", time::for_input(midnight))])),
        weekday: now.with_timezone(&zone).format("%A").to_string(),
        offline: figures.stations - figures.online,
        connector_count: number::count(figures.connectors.iter().map(|state| state.1).sum()),
        states: figures.connectors.iter().map(state_count).collect(),
        active: active
            .iter()
            .map(|row| active_row(row, &frame, now))
            .collect(),
        attention: attention
            .into_iter()
            .map(|line| attention_line(line, now))
            .collect(),
        refused,
        certificate,
        figures,
        frame,
    })
}

/// Chargers that were not let in; they belong to no site.
async fn refused_since(db: &mut Scoped<'_>, scope: &Scope, since: DateTime<Utc>) -> Result<i64> {
    if *scope != Scope::All {
        return Ok(0);
    }
    let refusals = store::refusals::list(db, None, 100).await?;
    let recent = refusals.iter().filter(|refusal| refusal.last_at >= since);
    i64::try_from(recent.count()).map_err(|_| Error::Broken("too many refusals".to_owned()))
}

/// The certificate of the chargers' TLS, once it ends soon or has ended; it belongs to no site.
async fn certificate(
    db: &mut Scoped<'_>,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Option<Ending>> {
    /// As early as the log and the events say so.
    const SOON: TimeDelta = TimeDelta::days(30);
    if *scope != Scope::All {
        return Ok(None);
    }
    let until = store::csms_nodes::certificate_expires_at(db).await?;
    let until = until.filter(|until| *until - now <= SOON);
    Ok(until.map(|until| Ending {
        chip: Chip::certificate(until <= now),
        said: match until - now {
            left if left <= TimeDelta::zero() => {
                "The chargers' TLS certificate has ended: none can connect by wss".to_owned()
            }
            left => format!(
                "The chargers' TLS certificate ends in {}",
                number::age(left)
            ),
        },
        at: Moment::new(until, None),
    }))
}

/// Mappings, events and runs belong to no site. Where nobody maps tokens there is nothing to tell.
async fn usage(
    db: &mut Scoped<'_>,
    scope: &Scope,
    midnight: DateTime<Utc>,
) -> Result<Option<Usage>> {
    /// Runs shown.
    const RUNS: i64 = 5;
    if *scope != Scope::All {
        return Ok(None);
    }
    let (mappings, active_mappings) = store::tag_mappings::count(db).await?;
    let runs = store::lago::runs::recent(db, RUNS).await?;
    if mappings == 0 && runs.is_empty() {
        return Ok(None);
    }
    let (today, today_kwh) = store::lago::events::total(db, midnight).await?;
    let (week, week_kwh) = store::lago::events::total(db, midnight - TimeDelta::days(6)).await?;
    let link = store::lago::link::load(db).await?;
    Ok(Some(Usage {
        mappings,
        active_mappings,
        today,
        today_kwh: format!("{today_kwh:.2}"),
        week,
        week_kwh: format!("{week_kwh:.2}"),
        circuit: Chip::circuit(&link.circuit),
        metric: Chip::metric(link.metric_ok),
        metric_detail: link.metric_detail,
        runs: runs.into_iter().map(super::sync::Row::new).collect(),
    }))
}

/// The zone that all sites share; UTC if they do not.
pub(super) fn common_zone(sites: &[Site]) -> chrono_tz::Tz {
    match sites {
        [first, rest @ ..] if rest.iter().all(|site| site.time_zone == first.time_zone) => {
            first.time_zone
        }
        _ => chrono_tz::Tz::UTC,
    }
}

/// When the day of `now` began in `zone`. Where midnight did not exist it is the first instant after it.
pub(super) fn midnight(now: DateTime<Utc>, zone: chrono_tz::Tz) -> DateTime<Utc> {
    let day = now.with_timezone(&zone).date_naive();
    (0..4)
        .filter_map(|hour| day.and_hms_opt(hour, 0, 0))
        .find_map(|start| start.and_local_timezone(zone).earliest())
        .map_or(now, |start| start.with_timezone(&Utc))
}

fn state_count((state, count): &(String, i64)) -> StateCount {
    StateCount {
        key: state.clone(),
        chip: Chip::connector(state),
        count: number::count(*count),
    }
}

fn active_row(session: &Session, frame: &Frame, now: DateTime<Utc>) -> ActiveRow {
    let zone = session.time_zone.as_deref();
    let started = Moment::new(session.started_at, zone);
    ActiveRow {
        since: if started.day == Moment::new(now, zone).day {
            started.clock.clone()
        } else {
            format!("{} {}", started.day, started.clock)
        },
        id: session.id,
        station: session.station.clone().unwrap_or_default(),
        connector: session.evse,
        site: session.site.clone().unwrap_or_default(),
        started,
        id_token: frame.token(&session.id_token),
        power_kw: number::kilo_or_blank(session.power_w),
        energy_kwh: number::kilo_or_blank(session.energy_wh),
        soc: number::soc_range(session.soc_start_pm, session.soc_end_pm),
    }
}

fn attention_line(line: Attention, now: DateTime<Utc>) -> Line {
    let link = match (line.trouble, line.subject) {
        (Trouble::NoMeterValues, Some(session)) => format!("/sessions/{session}"),
        _ => format!(
            "/stations/{}",
            askama::filters::urlencode_strict(&line.station).expect("percent-encoding cannot fail")
        ),
    };
    let said = match line.trouble {
        Trouble::Faulted | Trouble::CommandFailed => line.detail,
        Trouble::Offline => String::new(),
        Trouble::NoMeterValues => "active without meter values".to_owned(),
        Trouble::StuckPreparing => "plugged in, nothing started".to_owned(),
        Trouble::StuckFinishing => "charged, still plugged in".to_owned(),
    };
    let parts = [said, line.site.unwrap_or_default()];
    Line {
        chip: Chip::trouble(line.trouble),
        link,
        station: line.station,
        connector: line.connector,
        detail: parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        since: line
            .since
            .map(|since| Moment::new(since, line.time_zone.as_deref())),
        age: line
            .since
            .map_or_else(String::new, |since| number::age(now - since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_sites_midnight_even_where_there_is_none() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let amsterdam = "Europe/Amsterdam".parse().unwrap();
        assert_eq!(
            midnight(at("2026-11-20T12:00:00Z"), amsterdam),
            at("2026-11-19T23:00:00Z")
        );
        // Clocks in Beirut went from 00:00 to 01:00 on that day.
        let beirut = "Asia/Beirut".parse().unwrap();
        assert_eq!(
            midnight(at("2025-03-30T12:00:00Z"), beirut),
            at("2025-03-29T22:00:00Z")
        );
    }
}
