//! The tab Messages of a station: the list of `/messages`, of this station alone.

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
        messages::{List, Place},
    },
};

#[derive(Template)]
#[template(path = "station_messages.html")]
struct Messages {
    frame: Frame,
    head: Head,
    list: List,
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/stations/{identity}/messages",
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
    let (mut db, mut head) = Head::open(&app, &mut frame, &identity, "messages").await?;
    let list = List::load(&mut db, place(&head), &parameters).await?;
    head.live_query.clone_from(&list.live_query);
    html(&Messages { frame, head, list })
}

fn place(head: &Head) -> Place {
    Place {
        path: head.below("messages"),
        station: Some(head.identity().to_owned()),
    }
}

/// What of it changes by itself.
pub(super) async fn parts(
    _: &AppState,
    db: &mut Scoped<'_>,
    _: &Frame,
    head: &Head,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let list = List::load(db, place(head), parameters).await?;
    list.parts()
}
