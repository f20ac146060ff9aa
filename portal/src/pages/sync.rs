//! `/sync`: the runs that send usage to Lago, how it stands between us and Lago, and what needs a person.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::json;
use store::{
    Scoped, holds,
    lago::{
        events,
        link::{self, Link},
        reconciliations::{self, Reconciliation},
        runs::{self, Line, Run},
        state::{self, State as Billed},
        webhooks::{self, Webhook},
    },
};

use super::{asked::Id, flash::Flash, frame::Frame, html};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    view::{Chip, Moment, number},
};

/// Runs, and other lists of this page.
const RUNS: i64 = 20;
const SHOWN: i64 = 20;
/// Lines of a log.
const LINES: i64 = 2_000;

#[derive(Template)]
#[template(path = "sync.html")]
struct Page {
    frame: Frame,
    configured: bool,
    schedule: String,
    circuit: Chip,
    metric: Chip,
    link: Link,
    next_try: Option<Moment>,
    last_success: Option<Moment>,
    pending: i64,
    rejected: i64,
    held: i64,
    runs: Vec<Row>,
    flagged: Vec<Billed>,
    webhooks: Vec<Kept>,
    gate_closed: bool,
    wrong: Vec<Reconciliation>,
}

pub(super) struct Row {
    pub(super) run: Run,
    pub(super) started: Moment,
    pub(super) took: String,
    pub(super) chip: Chip,
}

struct Kept {
    webhook: Webhook,
    at: Moment,
}

#[derive(Template)]
#[template(path = "sync_run.html")]
struct RunPage {
    frame: Frame,
    row: Row,
    lines: Vec<(Line, Moment)>,
}

impl Row {
    pub(super) fn new(run: Run) -> Self {
        Row {
            started: Moment::new(run.started_at, None),
            took: run
                .completed_at
                .map_or_else(String::new, |at| number::spell(at - run.started_at)),
            chip: Chip::run(&run.status),
            run,
        }
    }
}

/// `GET /sync`.
pub async fn page(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let link = link::load(&mut db).await?;
    let counts = events::counts(&mut db).await?;
    let count = |word: &str| {
        let found = counts.iter().find(|(status, _)| status == word);
        found.map_or(0, |(_, count)| *count)
    };
    let rows = runs::recent(&mut db, RUNS).await?;
    let hooks = webhooks::recent(&mut db, SHOWN).await?;
    let (_, closed) = webhooks::gate(&mut db).await?;
    html(&Page {
        configured: app.lago.client.is_some(),
        schedule: app.lago.settings.schedule.to_string(),
        circuit: Chip::circuit(&link.circuit),
        metric: Chip::metric(link.metric_ok),
        next_try: link.next_try_at.map(|at| Moment::new(at, None)),
        last_success: link.last_success_at.map(|at| Moment::new(at, None)),
        pending: count("pending"),
        rejected: count("rejected"),
        held: holds::count(&mut db).await?,
        runs: rows.into_iter().map(Row::new).collect(),
        flagged: state::list(&mut db, true, SHOWN).await?,
        webhooks: hooks
            .into_iter()
            .map(|webhook| Kept {
                at: Moment::new(webhook.received_at, None),
                webhook,
            })
            .collect(),
        gate_closed: closed.is_some(),
        wrong: reconciliations::recent(&mut db, true, SHOWN).await?,
        link,
        frame,
    })
}

/// `GET /sync/runs/{id}`: one run and its log.
pub async fn run(
    State(app): State<AppState>,
    frame: Frame,
    Path(id): Path<String>,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let run = found(&mut db, &id).await?;
    let lines = runs::log_of(&mut db, run.id, LINES).await?;
    html(&RunPage {
        frame,
        row: Row::new(run),
        lines: lines
            .into_iter()
            .map(|line| {
                let at = Moment::new(line.at, None);
                (line, at)
            })
            .collect(),
    })
}

/// `POST /sync`: one more run, now.
pub async fn request(State(app): State<AppState>, viewer: Viewer) -> Result<Response> {
    ask(&app, &viewer, None).await?;
    Ok(Flash::new("A run was asked for; it begins within seconds.").to(&app, "/sync"))
}

/// `POST /sync/runs/{id}/replay`: the events of a run, sent again.
pub async fn replay(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let run = found(&mut db, &id).await?.id;
    drop(db);
    ask(&app, &viewer, Some(run)).await?;
    let text = format!("Run {run} is sent again; what Lago has is not billed twice.");
    Ok(Flash::new(text).to(&app, "/sync"))
}

async fn ask(app: &AppState, viewer: &Viewer, replay_of: Option<i64>) -> Result<()> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let id = runs::request(&mut db, "portal", replay_of, now).await?;
    let detail = json!({ "replay_of": replay_of });
    let entry = viewer.did(now, "sync.request", format!("sync_request/{id}"), detail);
    store::audit::record(&mut db, &entry).await?;
    Ok(db.commit().await?)
}

/// `POST /sync/retry`: every refused event waits again, and a run is asked for.
pub async fn retry(State(app): State<AppState>, viewer: Viewer) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let again = events::retry(&mut db, None).await?;
    runs::request(&mut db, "portal", None, now).await?;
    let detail = json!({ "events": again });
    let entry = viewer.did(now, "sync.retry", "lago_events".to_owned(), detail);
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let plural = if again == 1 { "" } else { "s" };
    Ok(Flash::new(format!("{again} refused event{plural} will be sent again.")).to(&app, "/sync"))
}

/// `POST /sync/sessions/{id}/resolve`: somebody has looked at a flagged session.
pub async fn resolve(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if !state::resolve(&mut db, id, now).await? {
        return Err(Error::NotFound("there is no such session".to_owned()));
    }
    let entry = viewer.did(now, "sync.resolve", format!("session/{id}"), json!({}));
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let text = "The session is no longer flagged; billing goes on from what its meter shows.";
    Ok(Flash::new(text).to(&app, "/sync"))
}

/// `POST /sync/webhooks/{id}/replay`: a kept webhook has its effect (again).
pub async fn replay_webhook(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(key): Path<String>,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let effect = crate::webhooks::replay(&app, &mut db, &key).await?;
    let entry = viewer.did(now, "webhook.replay", format!("webhook/{key}"), json!({}));
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(Flash::new(format!("The webhook was applied: {effect}.")).to(&app, "/sync"))
}

async fn found(db: &mut Scoped<'_>, id: &str) -> Result<Run> {
    let none = || Error::NotFound("there is no such run".to_owned());
    let id = id.parse().map_err(|_| none())?;
    runs::get(db, id).await?.ok_or_else(none)
}
