//! The tab Reservations of a station: connectors that are kept for somebody, and what became of it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::TimeDelta;
use store::reservations::{self, Reservation};
use uuid::Uuid;

use super::Head;
use crate::{
    Access, AppState, Error, Result, Route,
    api::input::{Segment, printable},
    auth::Viewer,
    kept::{self, LONGEST_RESERVATION, LONGEST_TOKEN, Wish},
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html},
    view::{Chip, Moment},
};

const SLUG: &str = "reservations";
/// Rows on the page; older ones are in the API.
const MOST: i64 = 100;

#[derive(Template)]
#[template(path = "station_reservations.html")]
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
    frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let form = Form::filled([("minutes", "60".to_owned())]);
    html(&load(&app, frame, &identity, form).await?)
}

async fn load(app: &AppState, mut frame: Frame, identity: &str, form: Form) -> Result<Page> {
    let (mut db, head) = Head::open(app, &mut frame, identity, SLUG).await?;
    let now = app.clock.now();
    let rows = reservations::list(&mut db, Some(head.station.id), None, now, MOST).await?;
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
    frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
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
        drop(db);
        let page = load(&app, frame, &identity, form).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let wish = Wish {
        connector,
        id_token,
        expires_at: now + TimeDelta::minutes(minutes),
    };
    kept::reserve(&mut db, &viewer, &station, &wish, now).await?;
    db.commit().await?;
    let asked = Flash::new(format!("{} is being reserved.", super::place(connector)));
    Ok(asked.to(&app, &super::path(&station.identity, SLUG)))
}

async fn cancel(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let reservation = reservations::get(&mut db, id, now)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such reservation".to_owned()))?;
    viewer.must_control(reservation.site_id)?;
    kept::cancel_reservation(&mut db, &viewer, &reservation, now).await?;
    db.commit().await?;
    let asked = Flash::new("The station was asked to give the reservation up.");
    Ok(asked.to(&app, &super::path(&reservation.station, SLUG)))
}
