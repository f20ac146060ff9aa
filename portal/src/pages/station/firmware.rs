//! The tab Firmware and diagnostics of a station: what it was asked to install and to send, how far it is, and the forms
//! that ask.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Scoped, files,
    station_jobs::{self as jobs, Job, JobEvent, Kind},
};
use uuid::Uuid;

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    auth::Viewer,
    live::Part,
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
    station_jobs::{self as asked, FirmwareOrder, Log, LogOrder, Signed, Source, Tries},
    view::{Chip, Moment, number, time::parse_in},
};

const SLUG: &str = "firmware";
/// Jobs of each kind that are shown, and words of none.
const MOST: i64 = 20;
/// Who fills in a form takes as long; what was now then is not over yet.
const PAST: TimeDelta = TimeDelta::minutes(10);
/// What can be asked for, by its name in the form and in words.
const LOGS: [(&str, &str, Log); 3] = [
    ("Diagnostics", "Diagnostics (OCPP 1.6)", Log::Diagnostics),
    (
        "DiagnosticsLog",
        "Diagnostics log (security extension)",
        Log::DiagnosticsLog,
    ),
    (
        "SecurityLog",
        "Security log (security extension)",
        Log::SecurityLog,
    ),
];

#[derive(Template)]
#[template(path = "station_firmware.html")]
struct Page {
    frame: Frame,
    head: Head,
    lists: Vec<List>,
    update: Form,
    log: Form,
    images: Vec<(String, String)>,
    logs: Vec<(String, String)>,
    /// In which zone times are typed.
    zone: String,
}

/// What of it changes by itself.
#[derive(Template)]
#[template(path = "station_firmware_jobs.html")]
struct Jobs {
    lists: Vec<List>,
}

/// The jobs of a kind.
struct List {
    title: &'static str,
    none: &'static str,
    rows: Vec<Row>,
    strays: Vec<Step>,
}

struct Row {
    what: String,
    chip: Chip,
    created: Moment,
    place: String,
    /// Where the log can be had, and the station's name for it.
    file: Option<(String, String)>,
    versions: String,
    steps: Vec<Step>,
}

/// A state with its time.
struct Step {
    state: String,
    at: Moment,
    more: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/firmware", Access::Read, page),
        Route::post(
            "/stations/{identity}/firmware/update",
            Access::Control,
            update,
        ),
        Route::post("/stations/{identity}/firmware/log", Access::Control, log),
        Route::get(
            "/stations/{identity}/logs/{id}",
            Access::Read,
            crate::api::files::log,
        ),
    ]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    html(&load(&mut db, frame, head, Form::default(), Form::default()).await?)
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    update: Form,
    log: Form,
) -> Result<Page> {
    let mut images = vec![(String::new(), "none: from the URL below".to_owned())];
    for image in files::images(db).await? {
        let words = format!("{} {}", image.name, image.version);
        images.push((image.id.to_string(), words.trim().to_owned()));
    }
    Ok(Page {
        lists: lists(db, &head).await?,
        logs: LOGS
            .map(|(name, words, _)| (name.to_owned(), words.to_owned()))
            .to_vec(),
        zone: zone(&head).to_owned(),
        frame,
        head,
        update,
        log,
        images,
    })
}

async fn lists(db: &mut Scoped<'_>, head: &Head) -> Result<Vec<List>> {
    let firmware = list(db, head, Kind::Firmware).await?;
    Ok(vec![firmware, list(db, head, Kind::Log).await?])
}

async fn list(db: &mut Scoped<'_>, head: &Head, kind: Kind) -> Result<List> {
    let found = jobs::list(db, kind, Some(head.identity()), None, MOST).await?;
    let ids: Vec<Uuid> = found.iter().map(|job| job.id).collect();
    let events = jobs::events(db, &ids).await?;
    let strays = jobs::strays(db, kind, head.identity(), MOST).await?;
    let (title, none) = match kind {
        Kind::Firmware => ("Firmware updates", "No firmware update was asked for."),
        Kind::Log => ("Logs and diagnostics", "No log was asked for."),
    };
    Ok(List {
        title,
        none,
        rows: found.iter().map(|job| row(job, &events, head)).collect(),
        strays: strays.iter().map(|event| step(event, head)).collect(),
    })
}

fn row(job: &Job, events: &[JobEvent], head: &Head) -> Row {
    let mine = events.iter().filter(|event| event.job_id == Some(job.id));
    let log = job.file_id.filter(|_| job.action.starts_with("Get"));
    let what = job.log_type.as_ref().unwrap_or(&job.action);
    Row {
        what: format!("{what} · request {}", job.request_id),
        chip: Chip::job(&job.state, job.succeeded),
        created: Moment::new(job.created_at, head.zone()),
        place: job
            .location
            .clone()
            .unwrap_or_else(|| "this server".to_owned()),
        file: log.map(|id| {
            let path = head.below(&format!("logs/{id}"));
            (path, job.file_name.clone().unwrap_or_default())
        }),
        versions: [&job.from_version, &job.booted_version]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(" → "),
        steps: mine.map(|event| step(event, head)).collect(),
    }
}

fn step(event: &JobEvent, head: &Head) -> Step {
    let mut more: Vec<String> = event.detail.iter().cloned().collect();
    if let (None, Some(id)) = (event.job_id, event.request_id) {
        more.push(format!("request {id}"));
    }
    if event.times > 1 {
        more.push(format!("{} times", number::count(event.times.into())));
    }
    Step {
        state: event.state.clone(),
        at: Moment::new(event.received_at, head.zone()),
        more: more.join(", "),
    }
}

/// `POST …/firmware/update`.
async fn update(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    match read_update(&mut form, head.zone(), app.clock.now()) {
        Some(order) if form.is_clean() => {
            asked::update_firmware(&app, &mut db, &viewer, &head.station, &order).await?;
            db.commit().await?;
            let said = format!("{} will be asked to update its firmware.", head.identity());
            Ok(Flash::new(said).to(&app, &head.below(SLUG)))
        }
        _ => {
            let page = load(&mut db, frame, head, form, Form::default()).await?;
            again(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// In which zone times are typed.
fn zone(head: &Head) -> &str {
    head.zone().unwrap_or("UTC")
}

/// A time by the clocks of the site; may be empty.
fn instant(form: &mut Form, name: &str, zone: Option<&str>) -> Option<DateTime<Utc>> {
    let expected = format!(
        "a day and time such as 2026-11-20T14:00 by the clocks of {}",
        zone.unwrap_or("UTC")
    );
    form.optional(name, &expected, |text| parse_in(text, zone))
}

fn read_tries(form: &mut Form, retries: &str, interval: &str) -> Tries {
    let whole = |most: i64| move |text: &str| text.parse().ok().filter(|n| (0..=most).contains(n));
    Tries {
        retries: form.optional(
            retries,
            "a whole number from 0 to 100",
            whole(Tries::MOST.0),
        ),
        interval: form.optional(
            interval,
            "a number of seconds from 0 to 86400",
            whole(Tries::MOST.1),
        ),
    }
}

fn read_update(form: &mut Form, zone: Option<&str>, now: DateTime<Utc>) -> Option<FirmwareOrder> {
    let image = form.optional("image", "an image of the list", |text| {
        text.parse::<Uuid>().ok()
    });
    let location = form.value("location").to_owned();
    let from = match (image, location.is_empty()) {
        (Some(image), true) => Some(Source::Image(image)),
        (None, false) => {
            if let Err(told) = asked::check_location(&location) {
                form.complain("location", told);
            }
            Some(Source::Elsewhere(location))
        }
        (Some(_), false) => {
            form.complain("location", "expected an image or a URL, not both");
            None
        }
        (None, true) => {
            form.complain("image", "is missing; expected an image or a URL");
            None
        }
    };
    let retrieve_at = instant(form, "retrieve_at", zone);
    if retrieve_at.is_some_and(|at| at < now - PAST) {
        form.expected("retrieve_at", "a time to come");
    }
    let signed = read_signed(form, zone, now);
    let install_at = signed.as_ref().and_then(|signed| signed.install_at);
    if asked::check_after(install_at, Some(retrieve_at.unwrap_or(now) - PAST)).is_err() {
        form.expected("install_at", "a time after the station has fetched it");
    }
    Some(FirmwareOrder {
        from: from?,
        retrieve_at,
        signed,
        tries: read_tries(form, "retries", "retry_interval"),
    })
}

/// Signature and certificate come together, or not at all.
fn read_signed(form: &mut Form, zone: Option<&str>, now: DateTime<Utc>) -> Option<Signed> {
    let install_at = instant(form, "install_at", zone);
    let signature: String = form.value("signature").split_whitespace().collect();
    let certificate = form.value("certificate").to_owned();
    if signature.is_empty() && certificate.is_empty() {
        if install_at.is_some() {
            form.complain(
                "install_at",
                "is for signed updates: expected a signature and a certificate beside it, or nothing",
            );
        }
        return None;
    }
    if let Err(told) = asked::check_signature(&signature) {
        form.complain("signature", told);
    }
    if let Err(told) = asked::check_certificate(&certificate, now) {
        form.complain("certificate", told);
    }
    Some(Signed {
        signature,
        certificate,
        install_at,
    })
}

/// `POST …/firmware/log`.
async fn log(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    let log = form.choice("log", &LOGS.map(|(name, _, log)| (name, log)));
    let to = Some(form.value("to").to_owned()).filter(|to| !to.is_empty());
    if let Some(Err(told)) = to.as_deref().map(asked::check_location) {
        form.complain("to", told);
    }
    let oldest = instant(&mut form, "oldest", head.zone());
    let latest = instant(&mut form, "latest", head.zone());
    if asked::check_after(latest, oldest).is_err() {
        form.expected("latest", "a time after the first of the log");
    }
    let tries = read_tries(&mut form, "log_retries", "log_retry_interval");
    match log {
        Some(log) if form.is_clean() => {
            let order = LogOrder {
                log,
                to,
                oldest,
                latest,
                tries,
            };
            asked::get_log(&app, &mut db, &viewer, &head.station, &order).await?;
            db.commit().await?;
            let said = format!("{} will be asked for its log.", head.identity());
            Ok(Flash::new(said).to(&app, &head.below(SLUG)))
        }
        _ => {
            let page = load(&mut db, frame, head, Form::default(), form).await?;
            again(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What of it changes by itself.
pub(super) async fn parts(db: &mut Scoped<'_>, head: &Head) -> Result<Vec<Part>> {
    let lists = lists(db, head).await?;
    Ok(vec![Part::render("station-jobs", &Jobs { lists })?])
}
