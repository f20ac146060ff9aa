//! The tab Commands of a station: a form for each action, and what was asked of the station, what it said, and what was seen
//! to follow. Here too: taking a command back, and ordering it once more.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use store::{
    Cursor, Scoped,
    commands::{self, Command, Filter},
};

use super::Head;
use crate::{
    Access, AppState, Error, Result, Route,
    api::input::Segment,
    auth::Viewer,
    live::Part,
    orders,
    pages::{
        again,
        asked::{Id, Parameters, query},
        command_form::CommandForm,
        command_rows::Row,
        flash::Flash,
        form::Form,
        frame::Frame,
        html, tasks,
    },
};

/// Commands on one page.
const PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    const PATH: &str = "/stations/{identity}/commands";
    vec![
        Route::get(PATH, Access::Read, page),
        Route::post(PATH, Access::Control, send),
        Route::post("/commands/{id}/cancel", Access::Control, cancel),
        Route::post("/commands/{id}/rerun", Access::Control, rerun),
    ]
}

#[derive(Template)]
#[template(path = "station_commands.html")]
struct Commands {
    frame: Frame,
    head: Head,
    command: CommandForm,
    list: List,
}

/// What was asked of the station.
#[derive(Template)]
#[template(path = "station_commands_list.html")]
struct List {
    rows: Vec<Row>,
    controls: bool,
    newest_link: Option<String>,
    older_link: Option<String>,
}

impl askama::filters::HtmlSafe for List {}

impl List {
    async fn load(db: &mut Scoped<'_>, head: &Head, parameters: &Parameters) -> Result<Self> {
        let after = place(parameters)?;
        let filter = Filter {
            station: Some(head.identity()),
            ..Filter::default()
        };
        let mut found = commands::list(db, &filter, after, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().filter(|_| more).map(Cursor::from);
        let path = head.below("commands");
        let rows = found.iter().map(|command| Row::new(command, head.zone()));
        Ok(List {
            rows: rows.collect(),
            controls: head.may_control,
            newest_link: after.map(|_| path.clone()),
            older_link: next.map(|next| format!("{path}{}", query(&[("after", next.to_string())]))),
        })
    }
}

fn place(parameters: &Parameters) -> Result<Option<Cursor>> {
    parameters.read("after", "a place that this list handed out", |text| {
        text.parse().ok()
    })
}

/// `GET /stations/{identity}/commands?_action=…`: the fields that the query names are filled in.
async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
    parameters: Parameters,
) -> Result<Response> {
    let (mut db, mut head) = Head::open(&app, &mut frame, &identity, "commands").await?;
    let version = orders::version(head.station.protocol.as_deref());
    let form = Form::filled(parameters.pairs().to_vec());
    let list = List::load(&mut db, &head, &parameters).await?;
    head.live_query = place(&parameters)?.map_or_else(String::new, |after| {
        query(&[("after", after.to_string())]).replacen('?', "&", 1)
    });
    html(&Commands {
        command: CommandForm::new(version, form),
        frame,
        head,
        list,
    })
}

/// What of it changes by itself.
pub(super) async fn parts(
    db: &mut Scoped<'_>,
    head: &Head,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let list = List::load(db, head, parameters).await?;
    Ok(vec![Part::render("commands", &list)?])
}

/// `POST /stations/{identity}/commands`
async fn send(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, "commands").await?;
    viewer.must_control(head.station.site_id)?;
    let version = orders::version(head.station.protocol.as_deref());
    let now = app.clock.now();
    let known = orders::known(&head.station, now);
    let command = match CommandForm::read(version, &known, form.clone()) {
        Ok(order) => match orders::queue(&mut db, &viewer, &head.station, &order, now).await {
            Ok(_) => {
                db.commit().await?;
                let done = Flash::new(format!("{} was queued.", order.action));
                return Ok(done.to(&app, &head.below("commands")));
            }
            Err(Error::Invalid(complaints)) => CommandForm::refused(version, form, &complaints),
            Err(error) => return Err(error),
        },
        Err(command) => *command,
    };
    let list = List::load(&mut db, &head, &Parameters::default()).await?;
    let page = Commands {
        command,
        frame,
        head,
        list,
    };
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn found(db: &mut Scoped<'_>, Id(id): Id) -> Result<Command> {
    commands::get(db, id)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such command".to_owned()))
}

/// `POST /commands/{id}/cancel`
async fn cancel(State(app): State<AppState>, viewer: Viewer, id: Id) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = found(&mut db, id).await?;
    orders::cancel(&mut db, &viewer, &command, app.clock.now()).await?;
    db.commit().await?;
    let said = format!("{} was cancelled.", command.action);
    Ok(tasks::back(&app, &said, &command))
}

/// `POST /commands/{id}/rerun`
async fn rerun(State(app): State<AppState>, viewer: Viewer, id: Id) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = found(&mut db, id).await?;
    orders::rerun(&mut db, &viewer, &command, app.clock.now()).await?;
    db.commit().await?;
    let said = format!("{} was queued once more.", command.action);
    // The new one belongs to no task.
    let alone = Command {
        task_id: None,
        ..command
    };
    Ok(tasks::back(&app, &said, &alone))
}
