//! One action for many stations, as pages and programs order it: every station is the viewer's to command, or nothing is
//! queued at all.

use std::collections::HashSet;

use axum::{extract::State, response::Response};
use chrono::{DateTime, SecondsFormat, Utc};
use ocpp::{limits::Known, v16::ChangeConfigurationRequest};
use serde_json::json;
use store::{
    Scoped,
    commands::{self, Command, redact},
    cursor::Cursor,
    stations_read::{self, Target, Targets},
    tasks::{self, NewTask, Task},
};
use uuid::Uuid;

use crate::{
    AppState, Error, Result,
    api::input::Segment,
    auth::Viewer,
    error::Complaint,
    export::{self, Cell, Kind, Sheet},
    orders::{self, Order},
};

/// Stations of one task, at most.
pub const MOST: usize = 5_000;
/// Results read at a time.
const BATCH: i64 = 500;

/// Queues an order for every station that is meant, as one task.
///
/// # Errors
/// If a station is not there, or not the viewer's to command, or the order does not fit it, nothing is queued.
pub async fn order(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    targets: &Targets,
    order: Order,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let stations = meant(db, viewer, targets).await?;
    check(db, &order, &stations, now).await?;
    let sites: HashSet<Option<Uuid>> = stations.iter().map(|station| station.site_id).collect();
    let sites: Vec<Option<Uuid>> = sites.into_iter().collect();
    let task = NewTask {
        action: &order.action,
        payload: &order.payload,
        raw: order.raw,
        sites: &sites,
        stations: i32::try_from(stations.len()).unwrap_or(i32::MAX),
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
        expires_at: now + order.expires_in,
    };
    let id = tasks::add(db, &task, now).await?;
    let order = Order {
        task_id: Some(id),
        ..order
    };
    for station in &stations {
        orders::put(db, viewer, station, &order, now).await?;
    }
    let detail = json!({
        "action": order.action, "payload": orders::shown(&order.action, &order.payload), "raw": order.raw,
        "stations": stations.len(),
    });
    let entry = viewer.did(now, "task.queue", format!("task/{id}"), detail);
    store::audit::record(db, &entry).await?;
    Ok(id)
}

/// The stations that are meant. One that is named and not seen is an error, never left out in silence.
async fn meant(db: &mut Scoped<'_>, viewer: &Viewer, targets: &Targets) -> Result<Vec<Target>> {
    let limit = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
    let found = stations_read::targets(db, targets, limit).await?;
    if let Some(identities) = &targets.identities {
        let known: HashSet<String> = found
            .iter()
            .map(|station| station.identity.to_lowercase())
            .collect();
        let missing = identities
            .iter()
            .find(|identity| !known.contains(&identity.to_lowercase()));
        if let Some(missing) = missing {
            return Err(Error::NotFound(format!("there is no station {missing:?}")));
        }
    }
    let complaint = match found.len() {
        0 => Some("no station is meant: expected at least one".to_owned()),
        n if n > MOST => Some(format!(
            "more than {MOST} stations are meant: expected fewer"
        )),
        _ => None,
    };
    if let Some(detail) = complaint {
        return Err(Error::Invalid(vec![Complaint::at("/stations", detail)]));
    }
    for station in &found {
        viewer.must_control(station.site_id)?;
    }
    Ok(found)
}

/// A secret is one station's: what all of them share is none.
async fn check(
    db: &mut Scoped<'_>,
    order: &Order,
    stations: &[Target],
    now: DateTime<Utc>,
) -> Result<()> {
    let versions: HashSet<_> = stations
        .iter()
        .map(|station| orders::version(station.protocol.as_deref()))
        .collect();
    let known = Known {
        now,
        security_profile: highest_profile(db, order, stations).await?,
    };
    let mut complaints: Vec<Complaint> = versions
        .into_iter()
        .flat_map(|version| order.complaints(version, &known))
        .collect();
    if redact::payload(&order.action, &order.payload).is_some() {
        let detail = "holds a secret: expected none, since a task sends the same to many stations";
        complaints.push(Complaint::at("/payload", detail));
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(complaints))
    }
}

/// The highest security profile among the stations, if the order could lower it.
async fn highest_profile(db: &mut Scoped<'_>, order: &Order, stations: &[Target]) -> Result<i16> {
    let key = ocpp::decode::<ChangeConfigurationRequest>(&order.payload).map(|asked| asked.key);
    let is_profile = key.is_ok_and(|key| key.eq_ignore_ascii_case("SecurityProfile"));
    if order.raw || order.action != "ChangeConfiguration" || !is_profile {
        return Ok(0);
    }
    let mut highest = 0;
    for station in stations {
        let station = stations_read::get(db, &station.identity).await?;
        highest = highest.max(station.map_or(0, |station| station.security_profile));
    }
    Ok(highest)
}

/// Takes back what of a task was not sent yet; answers how many commands that were.
///
/// # Errors
/// [`Error::Forbidden`] if a station of it is not the viewer's to command.
pub async fn cancel(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<i64> {
    for site in tasks::sites(db, task.id).await? {
        viewer.must_control(site)?;
    }
    let count = tasks::cancel(db, task.id, now).await?;
    let detail = json!({"cancelled": count});
    let entry = viewer.did(now, "task.cancel", format!("task/{}", task.id), detail);
    store::audit::record(db, &entry).await?;
    Ok(count)
}

/// The task of this id, if the viewer sees all its stations.
pub(crate) async fn found(db: &mut Scoped<'_>, id: &str) -> Result<Task> {
    let nothing = || Error::NotFound(format!("there is no task {id:?}"));
    let id = id.parse().map_err(|_| nothing())?;
    tasks::get(db, id).await?.ok_or_else(nothing)
}

/// What each station said, as a table to download.
pub(crate) async fn csv(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Response> {
    let task = found(&mut viewer.scope.begin(&app.pool).await?, &id).await?;
    let (to, rows) = export::channel();
    let sheet = Sheet {
        name: format!("task-{}", task.id),
        title: "Results",
        columns: COLUMNS.map(|(name, width)| (name.to_owned(), width)).into(),
        filters: vec![("Task".to_owned(), task.id.to_string())],
    };
    tokio::spawn(async move {
        let mut after = None;
        loop {
            let batch = batch(&app, &viewer, task.id, after).await;
            let last = match &batch {
                Ok(batch) => batch.last().map(Cursor::from),
                Err(_) => None,
            };
            let batch = batch.map_or_else(
                |error| vec![Err(error)],
                |rows| rows.iter().map(row).map(Ok).collect(),
            );
            for row in batch {
                if to.send(row).await.is_err() {
                    return;
                }
            }
            match last {
                Some(last) => after = Some(last),
                None => return,
            }
        }
    });
    export::answer(Kind::Csv, sheet, rows).await
}

async fn batch(
    app: &AppState,
    viewer: &Viewer,
    task: Uuid,
    after: Option<Cursor>,
) -> Result<Vec<Command>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let filter = commands::Filter {
        task: Some(task),
        ..commands::Filter::default()
    };
    Ok(commands::list(&mut db, &filter, after, BATCH).await?)
}

const COLUMNS: [(&str, u16); 11] = [
    ("Station", 20),
    ("Status", 12),
    ("Verdict", 16),
    ("Error code", 20),
    ("Error", 40),
    ("Effect", 40),
    ("Queued", 24),
    ("Sent", 24),
    ("Answered", 24),
    ("Effect seen", 24),
    ("Answer", 60),
];

fn row(command: &Command) -> Vec<Cell> {
    let text = |text: &Option<String>| text.clone().map_or(Cell::Empty, Cell::Text);
    let time = |at: Option<DateTime<Utc>>| {
        at.map_or(Cell::Empty, |at| {
            Cell::Text(at.to_rfc3339_opts(SecondsFormat::Millis, true))
        })
    };
    vec![
        Cell::Text(command.station.clone()),
        Cell::Text(command.status.clone()),
        text(&command.verdict),
        text(&command.error_code),
        text(&command.error_description),
        text(&command.effect),
        time(Some(command.created_at)),
        time(command.sent_at),
        time(command.answered_at),
        time(command.effect_at),
        text(&command.answer),
    ]
}
