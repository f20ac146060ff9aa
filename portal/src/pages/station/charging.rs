//! The tab Charging profiles of a station: what it was told, and what that comes to, beside what it says itself.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use ocpp::{
    charging::{Step, Supply},
    decode,
    v16::ChargingProfile,
};
use rust_decimal::Decimal;
use serde_json::json;
use store::{
    Scoped,
    charging_profiles::{self, Capability, Profile},
    configuration,
};

use super::{Head, charging_form};
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    auth::Viewer,
    kept::{
        self,
        charging::{self, Both, View},
    },
    live::Part,
    orders::{self, Order},
    pages::{
        again,
        asked::{Parameters, query},
        flash::Flash,
        form::Form,
        frame::Frame,
        html,
    },
    view::{Moment, steps::Steps},
};

pub(super) const SLUG: &str = "charging-profiles";
/// Profiles on the page.
const MOST: i64 = 100;
/// What can be looked at, in hours.
const HOURS: [(i64, &str); 3] = [(1, "1 hour"), (6, "6 hours"), (24, "24 hours")];

#[derive(Template)]
#[template(path = "station_charging.html", blocks = ["composite", "profiles"])]
struct Page {
    frame: Frame,
    head: Head,
    form: Form,
    places: Vec<(String, String)>,
    purposes: Vec<(String, String)>,
    units: Vec<(String, String)>,
    takes: Capability,
    view: View,
    views: Vec<(String, String, bool)>,
    chart: Option<Steps>,
    /// Place and words of the time marks.
    marks: Vec<(i64, String)>,
    now: String,
    /// The same as the drawing, for who cannot see it.
    steps: Vec<(Moment, String)>,
    station: Option<(Moment, String)>,
    rows: Vec<Row>,
}

struct Row {
    number: i32,
    place: String,
    purpose: String,
    kind: String,
    stack: i32,
    limits: String,
    valid: String,
    session: Option<uuid::Uuid>,
    awaits: Option<String>,
    set: Moment,
    ended: Option<(Moment, String)>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/charging-profiles", Access::Read, page),
        Route::post(
            "/stations/{identity}/charging-profiles",
            Access::Control,
            set,
        ),
        Route::post(
            "/stations/{identity}/charging-profiles/clear",
            Access::Control,
            clear,
        ),
        Route::post(
            "/stations/{identity}/charging-profiles/ask",
            Access::Control,
            ask,
        ),
    ]
}

/// What of it is looked at: `?connector=1&hours=6&unit=W`.
fn asked(parameters: &Parameters) -> Result<View> {
    let connector = parameters.read("connector", "a connector's number, or 0", |text| {
        text.parse()
            .ok()
            .filter(|connector| (0..=1000).contains(connector))
    })?;
    let hours = parameters.read("hours", "1, 6 or 24", |text| {
        let hours: i64 = text.parse().ok()?;
        HOURS.iter().any(|known| known.0 == hours).then_some(hours)
    })?;
    let unit = parameters.read("unit", "A or W", |text| match text {
        "A" => Some(false),
        "W" => Some(true),
        _ => None,
    })?;
    Ok(View {
        connector: connector.unwrap_or(1),
        seconds: hours.unwrap_or(6) * 3600,
        watts: unit.unwrap_or(false),
        supply: Supply::default(),
    })
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
    parameters: Parameters,
) -> Result<Response> {
    let view = asked(&parameters)?;
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let form = charging_form::empty();
    html(&load(&mut db, frame, head, view, form, app.clock.now()).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Result<Vec<Part>> {
    let page = load(db, frame, head, asked(parameters)?, Form::default(), now).await?;
    Ok(vec![
        Part::render("composite", &page.as_composite())?,
        Part::render("profiles", &page.as_profiles())?,
    ])
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    mut head: Head,
    view: View,
    form: Form,
    now: DateTime<Utc>,
) -> Result<Page> {
    let station = head.station.id;
    head.live_query = query(&pairs(view)).replacen('?', "&", 1);
    let rows = charging_profiles::list(db, station, true, MOST).await?;
    let both = charging::both(db, station, view, now).await?;
    let keys = configuration::of(db, station).await?;
    let answers = charging_profiles::answers(db, station).await?;
    let theirs = comparable(&both, view, now);
    let chart = Steps::of(&both.expected, &theirs, view.seconds);
    let mark = |second: i64| Moment::new(now + TimeDelta::seconds(second), head.zone()).clock;
    let limit = both.expected.first().and_then(|step| step.limit);
    Ok(Page {
        places: super::places(&head.station),
        purposes: charging_form::purposes(),
        units: charging_form::units(),
        takes: charging::capability(&keys, &answers),
        views: views(&head, view),
        marks: chart
            .iter()
            .flat_map(|chart| chart.marks.iter().map(|(x, second)| (*x, mark(*second))))
            .collect(),
        chart,
        steps: both
            .expected
            .iter()
            .map(|step| {
                let at = now + TimeDelta::seconds(step.start);
                (Moment::new(at, head.zone()), words(step.limit, view.watts))
            })
            .collect(),
        now: words(limit, view.watts),
        station: both
            .station
            .map(|said| (Moment::new(said.at, head.zone()), said.status)),
        rows: rows
            .into_iter()
            .map(|profile| row(profile, head.zone()))
            .collect(),
        view,
        frame,
        head,
        form,
    })
}

/// A limit in words.
fn words(limit: Option<Decimal>, watts: bool) -> String {
    match limit {
        Some(limit) => format!("{} {}", charging::limit(limit), unit(watts)),
        None => "nothing limits".to_owned(),
    }
}

fn unit(watts: bool) -> &'static str {
    if watts { "W" } else { "A" }
}

/// The station's own steps counted from now, where they are in the unit that is looked at.
fn comparable(both: &Both, view: View, now: DateTime<Utc>) -> Vec<Step> {
    let Some(said) = both
        .station
        .as_ref()
        .filter(|said| said.unit.as_deref() == Some(unit(view.watts)))
    else {
        return Vec::new();
    };
    let begin = (said.start.unwrap_or(said.at) - now).num_seconds();
    let mut steps: Vec<Step> = said
        .steps
        .iter()
        .map(|step| Step {
            start: begin + step.start,
            limit: step.limit,
        })
        .collect();
    steps.extend(said.seconds.map(|seconds| Step {
        start: begin + seconds,
        limit: None,
    }));
    steps
}

/// The query of a view.
fn pairs(view: View) -> [(&'static str, String); 3] {
    [
        ("connector", view.connector.to_string()),
        ("hours", (view.seconds / 3600).to_string()),
        ("unit", unit(view.watts).to_owned()),
    ]
}

/// Ways to look at it otherwise: path, words, and whether it is this one.
fn views(head: &Head, view: View) -> Vec<(String, String, bool)> {
    let link = |connector: i32, seconds: i64, watts: bool| {
        let view = View {
            connector,
            seconds,
            watts,
            ..view
        };
        format!("{}{}", head.below(SLUG), query(&pairs(view)))
    };
    let connectors = super::connectors(&head.station)
        .into_iter()
        .map(|connector| {
            let path = link(connector, view.seconds, view.watts);
            (path, super::place(connector), connector == view.connector)
        });
    let hours = HOURS.into_iter().map(|(hours, words)| {
        let path = link(view.connector, hours * 3600, view.watts);
        (path, words.to_owned(), hours * 3600 == view.seconds)
    });
    let units = [(false, "Amperes"), (true, "Watts")]
        .into_iter()
        .map(|(watts, words)| {
            let path = link(view.connector, view.seconds, watts);
            (path, words.to_owned(), watts == view.watts)
        });
    connectors.chain(hours).chain(units).collect()
}

fn row(profile: Profile, zone: Option<&str>) -> Row {
    let read: Option<ChargingProfile> = decode(&profile.profile).ok();
    let moment = |at: Option<ocpp::Timestamp>| {
        let at = at.and_then(ocpp::Timestamp::stated)?;
        let at = Moment::new(at, zone);
        Some(format!("{} {}", at.day, at.clock))
    };
    let valid = read
        .as_ref()
        .map(|read| (moment(read.valid_from), moment(read.valid_to)));
    Row {
        number: profile.place.number,
        place: profile
            .place
            .connector
            .map_or_else(|| "of its transaction".to_owned(), super::place),
        purpose: profile.place.purpose.trim_end_matches("Profile").to_owned(),
        kind: profile.kind,
        stack: profile.place.stack_level,
        limits: read.map_or_else(String::new, |read| limits(&read)),
        valid: match valid {
            Some((Some(from), Some(to))) => format!("{from} to {to}"),
            Some((Some(from), None)) => format!("from {from}"),
            Some((None, Some(to))) => format!("until {to}"),
            _ => String::new(),
        },
        session: profile.transaction_id,
        awaits: profile.awaits,
        set: Moment::new(profile.set_at, zone),
        ended: profile.ended_at.map(|at| {
            let why = profile.ended_why.unwrap_or_default();
            (
                Moment::new(at, zone),
                if why == "transaction" {
                    "with its transaction".to_owned()
                } else {
                    why
                },
            )
        }),
    }
}

/// The limits of a schedule in a line: `16 A, after 30 min 8 A`.
fn limits(profile: &ChargingProfile) -> String {
    let schedule = &profile.charging_schedule;
    let unit = schedule
        .charging_rate_unit
        .as_ref()
        .map_or("A", |unit| unit.as_str());
    let periods = schedule.charging_schedule_period.iter().map(|period| {
        let limit = period.limit.map_or_else(|| "?".to_owned(), charging::limit);
        match period.start_period.unwrap_or(0) {
            0 => format!("{limit} {unit}"),
            seconds if seconds % 60 == 0 => format!("after {} min {limit} {unit}", seconds / 60),
            seconds => format!("after {seconds} s {limit} {unit}"),
        }
    });
    periods.collect::<Vec<_>>().join(", ")
}

async fn set(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let station = &head.station;
    viewer.must_control(station.site_id)?;
    let known = charging_profiles::list(&mut db, station.id, false, MOST).await?;
    let number = known
        .iter()
        .map(|profile| profile.place.number)
        .max()
        .unwrap_or(0)
        + 1;
    let wanted = charging_form::read(&mut form);
    let running = match &wanted {
        Some(wanted) => charging_profiles::running(&mut db, station.id, wanted.connector).await?,
        None => None,
    };
    if wanted
        .as_ref()
        .is_some_and(charging_form::Wanted::needs_transaction)
        && running.is_none()
    {
        form.complain(
            "connector",
            "has no transaction now: expected one that charges, or another purpose",
        );
    }
    let (Some(wanted), true) = (wanted, form.is_clean()) else {
        let view = asked(&Parameters::default())?;
        let page = load(&mut db, frame, head, view, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let payload = charging_form::payload(&wanted, number, running.map(|running| running.0), now);
    let order = Order::new("SetChargingProfile", payload.to_string());
    orders::queue(&mut db, &viewer, station, &order, now).await?;
    db.commit().await?;
    let sent = Flash::new("The profile is being sent. It counts once the station accepted it.");
    Ok(sent.to(&app, &head.below(SLUG)))
}

async fn clear(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    // Only what was left empty means all of them.
    let number: Option<i32> =
        form.optional("number", "a profile's number", |text| text.parse().ok());
    if !form.is_clean() {
        let said = "Nothing was cleared: expected a profile's number, or none for all.";
        return Ok(Flash::new(said).to(&app, &super::path(&station.identity, SLUG)));
    }
    let payload = number.map_or_else(|| json!({}), |number| json!({ "id": number }));
    let order = Order::new("ClearChargingProfile", payload.to_string());
    orders::queue(&mut db, &viewer, &station, &order, now).await?;
    db.commit().await?;
    let sent = Flash::new("The station was asked to clear it.");
    Ok(sent.to(&app, &super::path(&station.identity, SLUG)))
}

async fn ask(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let connector = form.read("connector", "a connector's number", |text| {
        text.parse().ok()
    });
    let seconds = form.read("seconds", "a number of seconds", |text| text.parse().ok());
    let (Some(connector), Some(seconds)) = (connector, seconds) else {
        let said = "Nothing was asked: expected a connector's number, and for how many seconds.";
        return Ok(Flash::new(said).to(&app, &super::path(&station.identity, SLUG)));
    };
    let watts = form.value("unit") == "W";
    let wanted = (connector, seconds, unit(watts));
    kept::ask_composite(&mut db, &viewer, &station, wanted, now).await?;
    db.commit().await?;
    let path = format!(
        "{}?connector={connector}&hours={}&unit={}",
        super::path(&station.identity, SLUG),
        seconds / 3600,
        unit(watts)
    );
    Ok(Flash::new("The station was asked what its profiles come to.").to(&app, &path))
}
