//! `/sessions/{id}`: one session with its curve and its events.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use store::{
    Scoped, holds,
    sessions::{self, Happening, Session, What},
};
use uuid::Uuid;

use super::{form::Form, frame::Frame, price::PriceView, review::Review};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    live::Part,
    view::{
        Chip, Moment,
        curve::{Curve, Drawing, Point},
        number,
        state::plain,
    },
};

#[derive(Template)]
#[template(path = "session.html", blocks = ["summary", "price", "curve", "happenings"])]
struct SessionPage {
    frame: Frame,
    as_of: Moment,
    id: Uuid,
    live: bool,
    station: String,
    connector: i32,
    site: String,
    chip: Chip,
    stop_reason: Option<String>,
    power_kw: String,
    energy_kwh: String,
    energy_note: &'static str,
    duration: String,
    max_kw: String,
    average_kw: String,
    soc: String,
    soc_note: String,
    started: Moment,
    ended: Option<Moment>,
    id_token: String,
    transaction: Option<i64>,
    flags: Vec<String>,
    zone_name: String,
    points: Vec<Row>,
    thinned: bool,
    gap_s: i64,
    legend: Vec<Entry>,
    drawing: Option<Drawing>,
    has_soc: bool,
    times: Vec<(i64, String)>,
    curve_label: String,
    happenings: Vec<Line>,
    price: PriceView,
    correction: Option<Corrected>,
    usage_held: Vec<String>,
    review: Option<Review>,
}

/// What a person said that it charged.
struct Corrected {
    energy_kwh: String,
    reason: String,
    at: Moment,
}

/// A row of the table that the chart is drawn from: plain numbers for the script, words for people.
struct Row {
    at: i64,
    power: String,
    energy: String,
    soc: String,
    offered: String,
    moment: Moment,
    power_kw: String,
    energy_kwh: String,
    soc_percent: String,
    offered_kw: String,
    current: String,
    voltage: String,
}

struct Entry {
    class: &'static str,
    name: &'static str,
    range: String,
}

struct Line {
    at: Moment,
    chip: Option<Chip>,
    what: &'static str,
    detail: String,
}

/// `GET /sessions/{id}`.
pub async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse().map_err(|_| no_such_session())?;
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    let session = sessions::get(&mut db, id)
        .await?
        .ok_or_else(no_such_session)?;
    let review = Review::load(&mut db, &viewer, &session, Form::default()).await?;
    super::html(&reviewed(&mut db, frame, id, review, app.clock.now()).await?)
}

/// The page with the forms of [`super::review`].
pub(super) async fn reviewed(
    db: &mut Scoped<'_>,
    frame: Frame,
    id: Uuid,
    review: Option<Review>,
    now: DateTime<Utc>,
) -> Result<impl Template + use<>> {
    let page = load(db, frame, id, now).await?;
    Ok(SessionPage { review, ..page })
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Part>> {
    let page = load(db, frame, id, now).await?;
    Ok(vec![
        Part::render("summary", &page.as_summary())?,
        Part::render("price", &page.as_price())?,
        Part::render("curve", &page.as_curve())?,
        Part::render("happenings", &page.as_happenings())?,
    ])
}

fn no_such_session() -> Error {
    Error::NotFound("there is no such session".to_owned())
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<SessionPage> {
    let session = sessions::get(db, id).await?.ok_or_else(no_such_session)?;
    let samples = sessions::samples(db, &session).await?;
    let happenings = sessions::happenings(db, &session).await?;
    let price = PriceView::load(db, &session, now).await?;
    let zone = session.time_zone.as_deref();
    let curve = Curve::of(&samples);
    let drawing = Drawing::of(&curve);
    let times = drawing.as_ref().map_or_else(Vec::new, |drawing| {
        drawing
            .times
            .iter()
            .map(|(x, at)| (*x, Moment::new(*at, zone).clock))
            .collect()
    });
    Ok(SessionPage {
        as_of: Moment::new(now, None),
        id,
        live: session.state == sessions::State::Active,
        station: session.station.clone().unwrap_or_default(),
        connector: session.evse,
        site: session.site.clone().unwrap_or_default(),
        chip: Chip::session(session.state),
        stop_reason: session.stop_reason.clone(),
        power_kw: number::kilo_or_blank(session.power_w),
        energy_kwh: number::kilo_or_blank(session.energy_wh),
        energy_note: match session.state {
            sessions::State::Active => "so far, from the last sample",
            sessions::State::Ended => "stop register less start register",
            sessions::State::Orphan => "the start is not known",
        },
        duration: number::spell(session.duration(now)),
        max_kw: number::kilo_or_blank(session.max_power_w),
        average_kw: average_power_w(&session, now).map_or_else(String::new, number::kilo),
        soc: number::soc_range(session.soc_start_pm, session.soc_end_pm),
        soc_note: session
            .soc_start_pm
            .zip(session.soc_end_pm)
            .map_or_else(String::new, |(start, end)| {
                format!("{} % of the battery", number::percent(end - start))
            }),
        started: Moment::new(session.started_at, zone),
        ended: session.ended_at.map(|ended| Moment::new(ended, zone)),
        id_token: frame.token(&session.id_token),
        transaction: session.transaction_id,
        flags: session.flags.iter().map(|flag| plain(flag)).collect(),
        zone_name: zone.unwrap_or("UTC").to_owned(),
        thinned: curve.thinned,
        gap_s: curve.gap.num_seconds(),
        legend: legend(&curve),
        has_soc: curve.points.iter().any(|point| point.soc_pm.is_some()),
        times,
        curve_label: curve_label(&curve),
        points: curve.points.iter().map(|point| row(point, zone)).collect(),
        drawing,
        price,
        correction: holds::correction(db, id).await?.map(|said| Corrected {
            energy_kwh: number::kilo(said.energy_wh),
            reason: said.reason,
            at: Moment::new(said.at, zone),
        }),
        usage_held: holds::usage(db, id)
            .await?
            .iter()
            .map(|why| plain(why).replace('-', " "))
            .collect(),
        review: None,
        happenings: happenings
            .into_iter()
            .map(|happening| line(happening, zone, &frame))
            .collect(),
        frame,
    })
}

/// Energy over time; of less than a minute it says nothing.
fn average_power_w(session: &Session, now: DateTime<Utc>) -> Option<i64> {
    let seconds = session.duration(now).num_seconds();
    (seconds >= 60).then(|| session.energy_wh.map(|energy| energy * 3600 / seconds))?
}

fn plain_number(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn row(point: &Point, zone: Option<&str>) -> Row {
    Row {
        at: point.at.timestamp(),
        power: plain_number(point.power_w),
        energy: plain_number(point.energy_wh),
        soc: plain_number(point.soc_pm),
        offered: plain_number(point.offered_w),
        moment: Moment::new(point.at, zone),
        power_kw: number::kilo_or_blank(point.power_w),
        energy_kwh: number::kilo_or_blank(point.energy_wh),
        soc_percent: point.soc_pm.map_or_else(String::new, number::percent),
        offered_kw: number::kilo_or_blank(point.offered_w),
        current: number::kilo_or_blank(point.current_ma),
        voltage: number::kilo_or_blank(point.voltage_mv),
    }
}

/// Each measurand with its lowest, highest and last value; what was never measured is left out.
fn legend(curve: &Curve) -> Vec<Entry> {
    let kilo = |of: fn(&Point) -> Option<i64>, unit: &str| {
        curve.range(of).map(|(low, high, last)| {
            format!(
                "min {} · max {} · last {} {unit}",
                number::kilo(low),
                number::kilo(high),
                number::kilo(last)
            )
        })
    };
    let soc = curve
        .range(|point| point.soc_pm.map(i64::from))
        .map(|(low, high, last)| {
            let whole = |per_mille: i64| (per_mille + 5) / 10;
            format!(
                "min {} · max {} · last {} %",
                whole(low),
                whole(high),
                whole(last)
            )
        });
    let entries = [
        (
            "power",
            "Power",
            kilo(|point| point.power_w.map(i64::from), "kW"),
        ),
        ("energy", "Energy", kilo(|point| point.energy_wh, "kWh")),
        ("soc", "State of charge", soc),
        (
            "offered",
            "Offered",
            kilo(|point| point.offered_w.map(i64::from), "kW"),
        ),
    ];
    entries
        .into_iter()
        .filter_map(|(class, name, range)| range.map(|range| Entry { class, name, range }))
        .collect()
}

/// The drawing in words.
fn curve_label(curve: &Curve) -> String {
    let said: Vec<String> = legend(curve)
        .into_iter()
        .map(|entry| format!("{}: {}", entry.name, entry.range))
        .collect();
    format!(
        "Curve of the session. {}. The table below has every value.",
        said.join("; ")
    )
}

fn line(happening: Happening, zone: Option<&str>, frame: &Frame) -> Line {
    let register = |meter_wh: i64| format!("register {} kWh", number::kilo(meter_wh));
    let (chip, what, detail) = match happening.what {
        What::Started { meter_wh } => (None, "Transaction started", register(meter_wh)),
        What::Stopped {
            meter_wh,
            reason,
            id_token,
        } => {
            let by = id_token.map(|token| format!("by {}", frame.token(&token)));
            let said = [Some(reason.unwrap_or_else(|| "Local".to_owned())), by];
            let mut words: Vec<String> = said.into_iter().flatten().collect();
            words.push(register(meter_wh));
            (None, "Transaction stopped", words.join(" · "))
        }
        What::OddStop { meter_wh, why } => (
            None,
            "Odd stop, kept apart",
            format!("{} · {}", plain(&why), register(meter_wh)),
        ),
        What::Status {
            connector,
            status,
            error_code,
            info,
        } => {
            let whose = (connector == 0).then(|| "the station itself".to_owned());
            let error = (error_code != "NoError").then_some(error_code);
            let words: Vec<String> = [whose, error, info]
                .into_iter()
                .flatten()
                .filter(|word| !word.is_empty())
                .collect();
            (Some(Chip::connector(&status)), "", words.join(" · "))
        }
        What::Command { action, status, .. } => (None, "Command", format!("{action} · {status}")),
    };
    Line {
        at: Moment::new(happening.at, zone),
        chip,
        what,
        detail,
    }
}
