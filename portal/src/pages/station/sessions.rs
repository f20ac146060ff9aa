//! The tab Sessions of a station: the list of `/sessions`, of this station alone.

use askama::Template;
use axum::{extract::State, response::Response};
use store::Scoped;

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    live::Part,
    pages::{
        asked::Parameters,
        frame::Frame,
        html,
        sessions::{List, Place},
    },
};

#[derive(Template)]
#[template(path = "station_sessions.html")]
struct Sessions {
    frame: Frame,
    head: Head,
    list: List,
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/stations/{identity}/sessions",
        Access::Read,
        page,
    )]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
    parameters: Parameters,
) -> Result<Response> {
    let (mut db, mut head) = Head::open(&app, &mut frame, &identity, "sessions").await?;
    let list = load(&app, &mut db, &frame, &head, &parameters).await?;
    head.live_query.clone_from(&list.live_query);
    html(&Sessions { frame, head, list })
}

async fn load(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: &Frame,
    head: &Head,
    parameters: &Parameters,
) -> Result<List> {
    let place = Place {
        path: head.below("sessions"),
        station: Some(head.identity().to_owned()),
    };
    List::load(app, db, frame, place, parameters).await
}

/// What of it changes by itself.
pub(super) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: &Frame,
    head: &Head,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    Ok(vec![load(app, db, frame, head, parameters).await?.part()?])
}
