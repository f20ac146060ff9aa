//! `/tasks`: one command for many stations, and how far each task is.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use ocpp::{Version, limits::Known};
use store::{
    Cursor, Scoped, commands, connectors,
    sites::{self, Site},
    stations_read::Targets,
    tasks as rows,
};
use uuid::Uuid;

use super::{
    again,
    asked::{Id, Parameters, query},
    command_form::CommandForm,
    command_rows::{Row, actor},
    flash::Flash,
    form::Form,
    frame::Frame,
    html,
};
use crate::{
    Access, AppState, Error, Result, Route,
    auth::Viewer,
    live::Part,
    tasks,
    view::{Chip, Moment},
};

/// Tasks on one page.
const PAGE: i64 = 50;
/// Chosen stations that are named before a command is.
const NAMED: usize = 8;
/// Results on one page.
const RESULTS: i64 = 200;

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/tasks", Access::Read, list),
        Route::post("/tasks", Access::Control, create),
        Route::get("/tasks/new", Access::Control, new),
        Route::get("/tasks/{id}", Access::Read, page),
        Route::get("/tasks/{id}/results.csv", Access::Read, tasks::csv),
        Route::post("/tasks/{id}/cancel", Access::Control, cancel),
    ]
}

#[derive(Template)]
#[template(path = "tasks.html")]
struct List {
    frame: Frame,
    rows: Vec<Line>,
    is_first: bool,
    next_link: Option<String>,
}

/// A task as a line.
struct Line {
    id: Uuid,
    action: String,
    at: Moment,
    actor: String,
    chip: Chip,
    progress: rows::Progress,
}

impl Line {
    fn new(task: &rows::Task) -> Self {
        let progress = task.progress;
        Line {
            id: task.id,
            action: task.action.clone(),
            at: Moment::new(task.created_at, None),
            actor: actor(&task.actor_kind, task.actor.as_deref()),
            chip: Chip::task(
                progress.done() == progress.stations,
                task.cancelled_at.is_some(),
            ),
            progress,
        }
    }

    /// Refused, failed or too late.
    fn amiss(&self) -> i64 {
        self.progress.refused + self.progress.failed + self.progress.expired
    }
}

/// `GET /tasks`.
async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let after: Option<Cursor> =
        parameters.read("after", "a place that this list handed out", |text| {
            text.parse().ok()
        })?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut found = rows::list(&mut db, after, PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let next = found.last().filter(|_| more).map(Cursor::from);
    html(&List {
        rows: found.iter().map(Line::new).collect(),
        is_first: after.is_none(),
        next_link: next.map(|next| format!("/tasks{}", query(&[("after", next.to_string())]))),
        frame,
    })
}

#[derive(Template)]
#[template(path = "task_new.html")]
struct New {
    frame: Frame,
    command: CommandForm,
    sites: Vec<Site>,
    /// Those that are chosen come first.
    stations: Vec<String>,
    chosen: usize,
}

impl New {
    async fn load(db: &mut Scoped<'_>, frame: Frame, command: CommandForm) -> Result<Self> {
        let mut stations: Vec<String> = Vec::new();
        for station in command.form.all("_station") {
            if !stations.iter().any(|known| known == station) {
                stations.push(station.to_owned());
            }
        }
        let chosen = stations.len();
        let others = connectors::identities(db).await?.into_iter();
        stations.extend(others.filter(|other| !command.form.has("_station", other)));
        Ok(New {
            sites: sites::list(db).await?,
            stations,
            chosen,
            frame,
            command,
        })
    }

    /// The first of those that are chosen.
    fn named(&self) -> String {
        let first: Vec<&str> = self.stations[..self.chosen.min(NAMED)]
            .iter()
            .map(String::as_str)
            .collect();
        match self.chosen.saturating_sub(NAMED) {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        }
    }

    fn has(&self, station: &str) -> bool {
        self.command.form.has("_station", station)
    }

    fn is_site(&self, site: &Uuid) -> bool {
        self.command.form.value("_site") == site.to_string()
    }
}

/// `GET /tasks/new?_action=…&_station=…`.
async fn new(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let form = Form::filled(parameters.pairs().to_vec());
    let mut db = frame.scope.begin(&app.pool).await?;
    html(&New::load(&mut db, frame, CommandForm::new(Version::V16, form)).await?)
}

/// `POST /tasks`.
async fn create(
    State(app): State<AppState>,
    viewer: Viewer,
    frame: Frame,
    mut form: Form,
) -> Result<Response> {
    let targets = targets(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    // What each of the stations has is looked at once they are known.
    let known = Known {
        now: app.clock.now(),
        security_profile: 0,
    };
    let mut shown = match CommandForm::read(Version::V16, &known, form.clone()) {
        Ok(order) => match tasks::order(&mut db, &viewer, &targets, order, known.now).await {
            Ok(id) => {
                db.commit().await?;
                let done = Flash::new("The task was queued.");
                return Ok(done.to(&app, &format!("/tasks/{id}")));
            }
            Err(Error::Invalid(complaints)) => {
                for complaint in complaints {
                    form.complain("", complaint.detail);
                }
                CommandForm::new(Version::V16, form)
            }
            Err(error) => return Err(error),
        },
        Err(shown) => *shown,
    };
    // Nothing was written but what this transaction takes back.
    drop(db);
    shown.form.remove("_more");
    let mut db = viewer.scope.begin(&app.pool).await?;
    let page = New::load(&mut db, frame, shown).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Ticked stations, or all of a site and a model.
fn targets(form: &mut Form) -> Targets {
    let stations: Vec<String> = form
        .all("_station")
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !stations.is_empty() {
        return Targets {
            identities: Some(stations),
            ..Targets::default()
        };
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let site_id = form.optional("_site", "one of the sites", |text| text.parse().ok());
    let targets = Targets {
        site_id,
        model: some(form.value("_model")),
        firmware: some(form.value("_firmware")),
        ..Targets::default()
    };
    // Nobody means the whole fleet by leaving everything empty.
    if targets == Targets::default() && !form.checked("_all") {
        form.complain(
            "",
            "no station is chosen; expected stations, a site, a model or all of them",
        );
    }
    targets
}

#[derive(Template)]
#[template(path = "task.html", blocks = ["results"])]
struct Page {
    frame: Frame,
    as_of: Moment,
    task: Line,
    payload: String,
    expires: Moment,
    results: Vec<Row>,
    controls: bool,
    newest_link: Option<String>,
    older_link: Option<String>,
    live_query: String,
}

/// `GET /tasks/{id}`.
async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Id(id): Id,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    html(&load(&app, &mut db, frame, id, &parameters).await?)
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    id: Uuid,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let page = load(app, db, frame, id, parameters).await?;
    Ok(vec![Part::render("task", &page.as_results())?])
}

async fn load(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    id: Uuid,
    parameters: &Parameters,
) -> Result<Page> {
    let task = tasks::found(db, &id.to_string()).await?;
    let after: Option<Cursor> =
        parameters.read("after", "a place that this list handed out", |text| {
            text.parse().ok()
        })?;
    let filter = commands::Filter {
        task: Some(id),
        ..commands::Filter::default()
    };
    let mut found = commands::list(db, &filter, after, RESULTS + 1).await?;
    let most = usize::try_from(RESULTS).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(Cursor::from);
    let path = format!("/tasks/{id}");
    Ok(Page {
        as_of: Moment::new(app.clock.now(), None),
        results: found
            .iter()
            .map(|command| Row::new(command, None))
            .collect(),
        payload: task.payload.clone(),
        expires: Moment::new(task.expires_at, None),
        // Whether each station may be commanded is asked again when a button is pressed.
        controls: frame.viewer.may(Access::Control).is_ok(),
        newest_link: after.map(|_| path.clone()),
        older_link: next.map(|next| format!("{path}{}", query(&[("after", next.to_string())]))),
        live_query: after.map_or_else(String::new, |after| {
            query(&[("after", after.to_string())]).replacen('?', "&", 1)
        }),
        task: Line::new(&task),
        frame,
    })
}

/// `POST /tasks/{id}/cancel`.
async fn cancel(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let task = tasks::found(&mut db, &id.to_string()).await?;
    let count = tasks::cancel(&mut db, &viewer, &task, app.clock.now()).await?;
    db.commit().await?;
    let done = match count {
        0 => "Nothing was left to cancel.".to_owned(),
        1 => "One command was cancelled.".to_owned(),
        count => format!("{count} commands were cancelled."),
    };
    Ok(Flash::new(done).to(&app, &format!("/tasks/{id}")))
}

/// Back to the page of a station's commands, or of the task that a command is part of.
pub(crate) fn back(app: &AppState, said: &str, command: &commands::Command) -> Response {
    let path = match command.task_id {
        Some(task) => format!("/tasks/{task}"),
        None => {
            let station = askama::filters::urlencode_strict(&command.station)
                .map(|identity| identity.to_string());
            match station {
                Ok(station) => format!("/stations/{station}/commands"),
                Err(_) => return Redirect::to("/stations").into_response(),
            }
        }
    };
    Flash::new(said).to(app, &path)
}
