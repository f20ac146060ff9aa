//! `/messages`: the message log, a CALL and its answer in one row, newest first, filtered by the query. A station's page
//! shows the same list of its own.

mod file;
mod one;

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde_json::Value;
use store::{
    Cursor, Scoped, connectors,
    messages::{self, Direction, Filter, Message},
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query},
    frame::Frame,
};
use crate::{
    Access, AppState, Error, Result, Route,
    live::Part,
    view::{Chip, Moment, number, time},
};

/// Messages on one page.
const PAGE: i64 = 100;
/// Of a text to be looked for.
const LONGEST: usize = 100;

/// Where the list stands: by itself, or on the page of the one station that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The path of the page.
    pub path: String,
    /// The identity of the station.
    pub station: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            path: "/messages".to_owned(),
            station: None,
        }
    }
}

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/messages", Access::Read, page),
        Route::get("/messages.jsonl", Access::Read, file::jsonl),
        Route::get("/messages/{id}", Access::Read, one::page),
    ]
}

/// # Errors
/// 403 to partners: what chargers say names people's cards.
fn staff_only(frame: &Frame) -> Result<()> {
    if frame.masks_tokens {
        let refused = "your role does not see messages: they name people's cards";
        return Err(Error::Forbidden(refused.to_owned()));
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "messages.html")]
struct Messages {
    frame: Frame,
    as_of: Moment,
    list: List,
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    staff_only(&frame)?;
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    let list = List::load(&mut db, Place::default(), &parameters).await?;
    super::html(&Messages {
        as_of: Moment::new(app.clock.now(), None),
        frame,
        list,
    })
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    db: &mut Scoped<'_>,
    frame: &Frame,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    staff_only(frame)?;
    List::load(db, Place::default(), parameters).await?.parts()
}

/// What the list was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    place: Place,
    filter: Filter,
    after: Option<Cursor>,
    /// It stays as it is while somebody reads it.
    paused: bool,
}

impl Asked {
    fn read(place: Place, parameters: &Parameters) -> Result<Self> {
        let short = |text: &str| (text.chars().count() <= LONGEST).then(|| text.to_owned());
        let text = |name| parameters.read(name, "at most 100 characters", short);
        let ticked = |name| parameters.read(name, "1", |text| (text == "1").then_some(true));
        let filter = Filter {
            station: match &place.station {
                Some(station) => Some(station.clone()),
                None => text("station")?,
            },
            action: text("action")?,
            direction: parameters.read("direction", "in or out", Direction::parse)?,
            errors: ticked("errors")?.unwrap_or(false),
            findings: ticked("findings")?.unwrap_or(false),
            message_id: text("id")?,
            text: text("q")?,
            from: parameters.instant("from", false)?,
            to: parameters.instant("to", true)?,
        };
        Ok(Asked {
            paused: ticked("pause")?.unwrap_or(false),
            place,
            filter,
            after: parameters.read("after", "a place that this list handed out", |text| {
                text.parse().ok()
            })?,
        })
    }

    fn any(&self) -> bool {
        let of_place = Filter {
            station: self.place.station.clone(),
            ..Filter::default()
        };
        self.filter != of_place
    }

    fn station(&self) -> &str {
        self.filter.station.as_deref().unwrap_or_default()
    }

    fn action(&self) -> &str {
        self.filter.action.as_deref().unwrap_or_default()
    }

    fn text(&self) -> &str {
        self.filter.text.as_deref().unwrap_or_default()
    }

    fn message_id(&self) -> &str {
        self.filter.message_id.as_deref().unwrap_or_default()
    }

    fn is_direction(&self, direction: &str) -> bool {
        self.filter.direction.map(Direction::as_str) == Some(direction)
    }

    fn pairs(&self, after: Option<Cursor>) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        let mut pairs = Vec::new();
        if self.place.station.is_none() {
            pairs.extend(filter.station.clone().map(|station| ("station", station)));
        }
        let texts = [
            ("action", &filter.action),
            ("id", &filter.message_id),
            ("q", &filter.text),
        ];
        pairs.extend(
            texts
                .into_iter()
                .filter_map(|(name, text)| Some((name, text.clone()?))),
        );
        pairs.extend(
            filter
                .direction
                .map(|direction| ("direction", direction.as_str().to_owned())),
        );
        for (name, ticked) in [("errors", filter.errors), ("findings", filter.findings)] {
            pairs.extend(ticked.then(|| (name, "1".to_owned())));
        }
        pairs.extend(filter.from.map(|from| ("from", time::exact(from))));
        pairs.extend(filter.to.map(|to| ("to", time::exact(to))));
        pairs.extend(after.map(|after| ("after", after.to_string())));
        pairs
    }

    fn link(&self, after: Option<Cursor>) -> String {
        format!("{}{}", self.place.path, query(&self.pairs(after)))
    }

    /// What the live stream of this very page asks for.
    fn live_query(&self) -> String {
        let mut pairs = self.pairs(self.after);
        pairs.extend(self.paused.then(|| ("pause", "1".to_owned())));
        query(&pairs).replacen('?', "&", 1)
    }

    /// This list, standing still or going on.
    fn pause_link(&self) -> String {
        let mut pairs = self.pairs(None);
        if !self.paused {
            pairs.push(("pause", "1".to_owned()));
        }
        format!("{}{}", self.place.path, query(&pairs))
    }

    /// The same messages as a file.
    fn file_link(&self) -> String {
        let mut pairs = self.pairs(None);
        pairs.extend(
            self.place
                .station
                .clone()
                .map(|station| ("station", station)),
        );
        format!("/messages.jsonl{}", query(&pairs))
    }
}

/// The filter and what it finds.
#[derive(Template)]
#[template(path = "messages_list.html", blocks = ["list"])]
pub(super) struct List {
    asked: Asked,
    from_input: String,
    to_input: String,
    actions: Vec<String>,
    stations: Vec<String>,
    rows: Vec<Row>,
    first_link: String,
    next_link: Option<String>,
    pause_link: String,
    file_link: String,
    /// The query of this very page, to be asked for again by its live stream.
    pub live_query: String,
}

struct Row {
    id: Uuid,
    at: Moment,
    station: String,
    outgoing: bool,
    action: String,
    message_id: String,
    latency: String,
    result: Chip,
    findings: Option<String>,
}

/// It stands in another template as it is: what it shows was escaped when it was rendered.
impl HtmlSafe for List {}

impl List {
    /// What `parameters` ask for.
    pub(super) async fn load(
        db: &mut Scoped<'_>,
        place: Place,
        parameters: &Parameters,
    ) -> Result<Self> {
        let asked = Asked::read(place, parameters)?;
        let mut found = messages::list(db, &asked.filter, asked.after, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().filter(|_| more).map(Cursor::from);
        let input = |at: Option<DateTime<Utc>>| at.map_or_else(String::new, time::for_input);
        Ok(List {
            from_input: input(asked.filter.from),
            to_input: input(asked.filter.to),
            actions: actions(),
            stations: match asked.place.station {
                Some(_) => Vec::new(),
                None => connectors::identities(db).await?,
            },
            rows: found.into_iter().map(row).collect(),
            first_link: asked.link(None),
            next_link: next.map(|next| asked.link(Some(next))),
            pause_link: asked.pause_link(),
            file_link: asked.file_link(),
            live_query: asked.live_query(),
            asked,
        })
    }

    /// Whether new messages appear in it: not while it is paused, nor on a page of older ones.
    pub(super) fn tails(&self) -> bool {
        !self.asked.paused && self.asked.after.is_none()
    }

    /// What of it changes by itself.
    pub(super) fn parts(&self) -> Result<Vec<Part>> {
        if !self.tails() {
            return Ok(Vec::new());
        }
        Ok(vec![Part::render("messages", &self.as_list())?])
    }
}

/// Every action of OCPP 1.6, for the list to choose from.
fn actions() -> Vec<String> {
    let mut actions: Vec<String> = ocpp::schema::messages(ocpp::Version::V16)
        .iter()
        .map(|message| message.action.to_owned())
        .collect();
    actions.sort();
    actions
}

fn row(message: Message) -> Row {
    Row {
        id: message.id,
        at: Moment::new(message.received_at, None),
        outgoing: message.direction == Direction::Out.as_str(),
        latency: message
            .answered_at
            .map(|at| number::count((at - message.received_at).num_milliseconds().max(0)))
            .unwrap_or_default(),
        result: result(&message),
        station: message.station,
        action: message.action,
        message_id: message.message_id,
        findings: message.findings,
    }
}

/// How a CALL was answered, in one word.
fn result(message: &Message) -> Chip {
    if let Some(code) = &message.error_code {
        return Chip::answer_error(code);
    }
    let Some(answer) = &message.answer else {
        return Chip::unanswered();
    };
    let said = serde_json::from_str::<Value>(answer).unwrap_or_default();
    let status = said["status"]
        .as_str()
        .or_else(|| said["idTagInfo"]["status"].as_str());
    Chip::answer(status.unwrap_or("Answered"))
}
