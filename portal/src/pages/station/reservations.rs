//! The tab Reservations of a station: connectors that are kept for somebody, and what became of it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Scoped,
    reservations::{self, Reservation},
};
use uuid::Uuid;

use super::Head;
use crate::{
    Access, AppState, Error, Result, Route,
    api::input::{Segment, printable},
    auth::Viewer,
    kept::{self, LONGEST_RESERVATION, LONGEST_TOKEN, Wish},
    live::Part,
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html},
    view::{Chip, Moment},
};

const SLUG: &str = "reservations";
/// Rows on the page; older ones are in the API.
const MOST: i64 = 100;

#[derive(Template)]
#[template(path = "station_reservations.html", blocks = ["list"])]
struct Page {
    frame: Frame,
    head: Head,
    form: Form,
    places: Vec<(String, String)>,
    rows: Vec<Row>,
}

struct Row {
    id: Uuid,
    number: i32,
    place: String,
    token: String,
    parent: Option<String>,
    until: Moment,
    chip: Chip,
    answer: Option<String>,
    session: Option<Uuid>,
    used_by: Option<String>,
    can_be_cancelled: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/reservations", Access::Read, page),
        Route::post(
            "/stations/{identity}/reservations",
            Access::Control,
            reserve,
        ),
        Route::post("/reservations/{id}/cancel", Access::Control, cancel),
    ]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let form = Form::filled([("minutes", "60".to_owned())]);
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    html(&load(&mut db, frame, head, form, app.clock.now()).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    now: DateTime<Utc>,
) -> Result<Vec<Part>> {
    let page = load(db, frame, head, Form::default(), now).await?;
    Ok(vec![Part::render("reservations", &page.as_list())?])
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    form: Form,
    now: DateTime<Utc>,
) -> Result<Page> {
    let rows = reservations::list(db, Some(head.station.id), None, now, MOST).await?;
    Ok(Page {
        places: super::places(&head.station),
        rows: rows
            .into_iter()
            .map(|reservation| row(reservation, head.zone()))
            .collect(),
        frame,
        head,
        form,
    })
}

fn row(reservation: Reservation, zone: Option<&str>) -> Row {
    Row {
        id: reservation.id,
        number: reservation.number,
        place: super::place(reservation.connector),
        token: reservation.id_token,
        parent: reservation.parent,
        until: Moment::new(reservation.expires_at, zone),
        chip: Chip::reservation(&reservation.status),
        // That it was accepted, its state says.
        answer: reservation.answer.filter(|answer| answer != "Accepted"),
        session: reservation.transaction_id,
        used_by: reservation.used_by,
        can_be_cancelled: matches!(
            reservation.status.as_str(),
            "requested" | "accepted" | "unknown"
        ),
    }
}

async fn reserve(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    let connector = form.read("connector", "a connector of the station", |text| {
        text.parse()
            .ok()
            .filter(|connector| (0..=1000).contains(connector))
    });
    let token = form.read("id_token", "a token of 1 to 20 characters", |text| {
        printable(text, LONGEST_TOKEN).then(|| text.to_owned())
    });
    let most = LONGEST_RESERVATION.num_minutes();
    let minutes = form.read("minutes", &format!("minutes from 1 to {most}"), |text| {
        text.parse()
            .ok()
            .filter(|minutes| (1..=most).contains(minutes))
    });
    let (Some(connector), Some(id_token), Some(minutes)) = (connector, token, minutes) else {
        let page = load(&mut db, frame, head, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let wish = Wish {
        connector,
        id_token,
        expires_at: now + TimeDelta::minutes(minutes),
    };
    kept::reserve(&mut db, &viewer, &head.station, &wish, now).await?;
    db.commit().await?;
    let asked = Flash::new(format!("{} is being reserved.", super::place(connector)));
    Ok(asked.to(&app, &head.below(SLUG)))
}

async fn cancel(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let reservation = reservations::get(&mut db, id, now)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such reservation".to_owned()))?;
    viewer.must_control(reservation.site_id)?;
    let command = kept::cancel_reservation(&mut db, &viewer, &reservation, now).await?;
    db.commit().await?;
    let said = match Some(command) == reservation.command_id {
        true => "The reservation is taken back: the station had not heard of it yet.",
        false => "The station was asked to give the reservation up.",
    };
    Ok(Flash::new(said).to(&app, &super::path(&reservation.station, SLUG)))
}
