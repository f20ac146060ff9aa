//! `/stations/{identity}/firmware-jobs` and `/log-jobs`: what stations are asked to do over minutes, and how far they are.

use std::{collections::HashMap, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use store::{
    Scoped,
    station_jobs::{self as jobs, Kind},
    stations_read,
};
use uuid::Uuid;

use super::{
    input::{self, Fields, Params, Segment},
    shape::{self, List, Stamp},
    stations::no_station,
};
use crate::{
    AppState, Error, Result, answers,
    auth::Viewer,
    station_jobs::{
        self as asked, FirmwareOrder, LONGEST_CERTIFICATE, LONGEST_LOCATION, LONGEST_SIGNATURE,
        Log, LogOrder, Signed, Source, Tries,
    },
};

/// A job with all of its states.
#[derive(Debug, Serialize)]
pub(crate) struct Job {
    id: Uuid,
    station: String,
    action: String,
    request_id: i32,
    command: Option<Uuid>,
    state: String,
    state_at: Stamp,
    ended_at: Option<Stamp>,
    succeeded: Option<bool>,
    /// Null: here.
    location: Option<String>,
    log_type: Option<String>,
    file_name: Option<String>,
    /// An image, or the log that came.
    file: Option<Uuid>,
    from_version: Option<String>,
    booted_version: Option<String>,
    booted_at: Option<Stamp>,
    created_at: Stamp,
    states: Vec<Word>,
}

/// A state, and who said so.
#[derive(Debug, Serialize)]
struct Word {
    state: String,
    source: String,
    detail: Option<String>,
    at: Stamp,
    times: i32,
    last_at: Stamp,
}

/// Jobs as they are shown, each with its states.
async fn shown(db: &mut Scoped<'_>, rows: Vec<jobs::Job>) -> Result<Vec<Job>> {
    let ids: Vec<Uuid> = rows.iter().map(|job| job.id).collect();
    let mut words: HashMap<Option<Uuid>, Vec<Word>> = HashMap::new();
    for event in jobs::events(db, &ids).await? {
        words.entry(event.job_id).or_default().push(Word {
            state: event.state,
            source: event.source,
            detail: event.detail,
            at: Stamp(event.received_at),
            times: event.times,
            last_at: Stamp(event.last_at),
        });
    }
    let job = |job: jobs::Job| Job {
        states: words.remove(&Some(job.id)).unwrap_or_default(),
        id: job.id,
        station: job.station,
        action: job.action,
        request_id: job.request_id,
        command: job.command_id,
        state: job.state,
        state_at: Stamp(job.state_at),
        ended_at: job.ended_at.map(Stamp),
        succeeded: job.succeeded,
        location: job.location,
        log_type: job.log_type,
        file_name: job.file_name,
        file: job.file_id,
        from_version: job.from_version,
        booted_version: job.booted_version,
        booted_at: job.booted_at.map(Stamp),
        created_at: Stamp(job.created_at),
    };
    Ok(rows.into_iter().map(job).collect())
}

/// The firmware jobs of a station, newest first.
pub(crate) async fn list_firmware(
    state: State<AppState>,
    viewer: Viewer,
    identity: Segment,
    params: Params,
) -> Result<Json<List<Job>>> {
    list(state, viewer, identity, params, Kind::Firmware).await
}

/// The log jobs of a station, newest first.
pub(crate) async fn list_logs(
    state: State<AppState>,
    viewer: Viewer,
    identity: Segment,
    params: Params,
) -> Result<Json<List<Job>>> {
    list(state, viewer, identity, params, Kind::Log).await
}

async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
    kind: Kind,
) -> Result<Json<List<Job>>> {
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    let rows = jobs::list(&mut db, kind, Some(&identity), after, limit + 1).await?;
    // `states` belong to what is shown, not to the row that only says that there is more.
    let places: Vec<String> = rows.iter().map(shape::cursor).collect();
    let shown = shown(&mut db, rows).await?;
    let rows = places.into_iter().zip(shown).collect();
    Ok(shape::list(
        rows,
        limit,
        |(place, _): &(String, Job)| place.clone(),
        |(_, job)| job,
    ))
}

/// Asks for a firmware update (202), and with `?wait=N` waits for the station's answer (200).
pub(crate) async fn post_firmware(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Job>)> {
    let patience = patience(&mut params);
    params.finish()?;
    let now = app.clock.now();
    let image = fields.read("image", "the id of an image", |value| {
        value.as_str()?.parse().ok()
    });
    let location = fields.text("location", LONGEST_LOCATION);
    if let Some(Err(told)) = location.as_deref().map(asked::check_location) {
        fields.complain("location", told);
    }
    let from = match (image, location) {
        (Some(image), None) => Some(Source::Image(image)),
        (None, Some(location)) => Some(Source::Elsewhere(location)),
        (Some(_), Some(_)) => {
            fields.complain("location", "expected an image or a location, not both");
            None
        }
        (None, None) => {
            fields.complain("image", "missing: expected an image or a location");
            None
        }
    };
    let order = FirmwareOrder {
        from: from.unwrap_or_else(|| Source::Elsewhere(String::new())),
        retrieve_at: instant(&mut fields, "retrieve_at"),
        signed: signed(&mut fields, now),
        tries: tries(&mut fields),
    };
    let install_at = order.signed.as_ref().and_then(|signed| signed.install_at);
    if let Err(told) = asked::check_after(install_at, order.retrieve_at) {
        fields.complain("install_at", told);
    }
    fields.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    viewer.must_control(station.site_id)?;
    let job = asked::update_firmware(&app, &mut db, &viewer, &station, &order).await?;
    db.commit().await?;
    answered(&app, &viewer, job, patience).await
}

/// Asks for a log (202), diagnostics unless it says otherwise, and with `?wait=N` waits for the station's answer (200).
pub(crate) async fn post_log(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Job>)> {
    let patience = patience(&mut params);
    params.finish()?;
    let log = fields.choice(
        "log",
        &[
            ("Diagnostics", Log::Diagnostics),
            ("DiagnosticsLog", Log::DiagnosticsLog),
            ("SecurityLog", Log::SecurityLog),
        ],
    );
    let to = fields.text("location", LONGEST_LOCATION);
    if let Some(Err(told)) = to.as_deref().map(asked::check_location) {
        fields.complain("location", told);
    }
    let order = LogOrder {
        log: log.unwrap_or(Log::Diagnostics),
        to,
        oldest: instant(&mut fields, "from"),
        latest: instant(&mut fields, "to"),
        tries: tries(&mut fields),
    };
    if let Err(told) = asked::check_after(order.latest, order.oldest) {
        fields.complain("to", told);
    }
    fields.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    viewer.must_control(station.site_id)?;
    let job = asked::get_log(&app, &mut db, &viewer, &station, &order).await?;
    db.commit().await?;
    answered(&app, &viewer, job, patience).await
}

/// The job as it is once its command ended, or when `patience` is over.
async fn answered(
    app: &AppState,
    viewer: &Viewer,
    id: Uuid,
    patience: Duration,
) -> Result<(StatusCode, Json<Job>)> {
    let gone = || Error::Broken(format!("the job {id} is gone"));
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mut job = jobs::get(&mut db, id).await?.ok_or_else(gone)?;
    let mut status = StatusCode::ACCEPTED;
    if let (false, Some(command)) = (patience.is_zero(), job.command_id) {
        drop(db);
        let command = answers::wait(app, &viewer.scope, command, patience).await?;
        if command.is_some_and(|command| matches!(command.status.as_str(), "answered" | "error")) {
            status = StatusCode::OK;
        }
        db = viewer.scope.begin(&app.pool).await?;
        job = jobs::get(&mut db, id).await?.ok_or_else(gone)?;
    }
    let job = shown(&mut db, vec![job]).await?.pop().ok_or_else(gone)?;
    Ok((status, Json(job)))
}

fn patience(params: &mut Params) -> Duration {
    let seconds = params.read("wait", "a number of seconds from 0 to 60", |text| {
        text.parse()
            .ok()
            .filter(|seconds| (0..=60).contains(seconds))
    });
    Duration::from_secs(seconds.unwrap_or(0))
}

fn instant(fields: &mut Fields, name: &'static str) -> Option<DateTime<Utc>> {
    let expected = "an RFC 3339 time such as 2026-11-20T12:00:00Z";
    fields.read(name, expected, |value| input::time(value.as_str()?))
}

fn tries(fields: &mut Fields) -> Tries {
    let whole = |most: i64| move |value: &Value| value.as_i64().filter(|n| (0..=most).contains(n));
    Tries {
        retries: fields.read(
            "retries",
            "a whole number from 0 to 100",
            whole(Tries::MOST.0),
        ),
        interval: fields.read(
            "retry_interval",
            "a number of seconds from 0 to 86400",
            whole(Tries::MOST.1),
        ),
    }
}

/// Signature and certificate come together, or not at all.
fn signed(fields: &mut Fields, now: DateTime<Utc>) -> Option<Signed> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let signature = fields.read(
        "signature",
        &format!("base64 of 1 to {LONGEST_SIGNATURE} characters"),
        text,
    );
    let certificate = fields.read(
        "signing_certificate",
        &format!("a certificate as PEM of at most {LONGEST_CERTIFICATE} characters"),
        text,
    );
    let install_at = instant(fields, "install_at");
    if let Some(Err(told)) = signature.as_deref().map(asked::check_signature) {
        fields.complain("signature", told);
    }
    let certificate_is = certificate.as_deref();
    if let Some(Err(told)) = certificate_is.map(|text| asked::check_certificate(text, now)) {
        fields.complain("signing_certificate", told);
    }
    match (signature, certificate) {
        (Some(signature), Some(certificate)) => Some(Signed {
            signature,
            certificate,
            install_at,
        }),
        (None, None) => {
            if install_at.is_some() {
                fields.complain("install_at", "expected only with a signature");
            }
            None
        }
        (Some(_), None) => {
            fields.complain(
                "signing_certificate",
                "missing: expected beside a signature",
            );
            None
        }
        (None, Some(_)) => {
            fields.complain("signature", "missing: expected beside a certificate");
            None
        }
    }
}
