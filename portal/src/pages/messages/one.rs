//! `/messages/{id}`: one CALL and its answer to the letter, what is odd about it, and what was said before and after.

use askama::Template;
use axum::{extract::State, response::Response};
use ocpp::{Version, schema};
use store::{
    Cursor,
    messages::{self, Filter, Message},
    stations_read,
};
use uuid::Uuid;

use super::{Row, row, staff_only};
use crate::{
    AppState, Error, Result,
    pages::{asked::Id, frame::Frame, html},
    view::{Moment, json},
};

/// Neighbours on each side.
const NEIGHBOURS: i64 = 6;

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    id: Uuid,
    row: Row,
    /// In the time zone of the station's site.
    local: Moment,
    answered: Option<Moment>,
    payload: String,
    answer: Option<String>,
    error_code: Option<String>,
    /// What the csms mended or found wanting when it came.
    findings: Vec<String>,
    /// What the schema says of it.
    flaws: Vec<String>,
    neighbours: Vec<Row>,
}

/// `GET /messages/{id}`.
pub async fn page(State(app): State<AppState>, mut frame: Frame, Id(id): Id) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let message = messages::get(&mut db, id)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such message".to_owned()))?;
    staff_only(&frame)?;
    frame.position = store::events::now(&mut db).await?;
    let station = stations_read::get(&mut db, &message.station).await?;
    let zone = station.and_then(|station| station.time_zone);
    let of_station = Filter {
        station: Some(message.station.clone()),
        ..Filter::default()
    };
    let here = Cursor::from(&message);
    let mut around = messages::just_after(&mut db, &message, NEIGHBOURS).await?;
    around.reverse();
    around.push(message.clone());
    around.extend(messages::list(&mut db, &of_station, Some(here), NEIGHBOURS).await?);
    html(&MessagePage {
        id,
        local: Moment::new(message.received_at, zone.as_deref()),
        answered: message
            .answered_at
            .map(|at| Moment::new(at, zone.as_deref())),
        flaws: flaws(&message),
        findings: message
            .findings
            .iter()
            .flat_map(|findings| findings.split("; "))
            .map(str::to_owned)
            .collect(),
        payload: json::pretty(&message.payload),
        answer: message.answer.as_deref().map(json::pretty),
        error_code: message.error_code.clone(),
        neighbours: around.into_iter().map(row).collect(),
        row: row(message),
        frame,
    })
}

/// Where request and answer do not fit the schema of their action.
fn flaws(message: &Message) -> Vec<String> {
    let Some(known) = schema::messages(Version::V16)
        .iter()
        .find(|known| known.action == message.action)
    else {
        return Vec::new();
    };
    let mut said = Vec::new();
    let request = schema::check(known.request, &message.payload);
    said.extend(request.iter().map(|flaw| told("request", flaw)));
    if let (Some(answer), None) = (&message.answer, &message.error_code) {
        let answer = schema::check(known.response, answer);
        said.extend(answer.iter().map(|flaw| told("answer", flaw)));
    }
    said
}

fn told(part: &str, flaw: &ocpp::Finding) -> String {
    let value = match flaw.value.as_str() {
        "" => "missing".to_owned(),
        value => value.to_owned(),
    };
    format!(
        "{part}{}: {value}, expected {}",
        flaw.pointer, flaw.expected
    )
}
