//! What the buttons of a station's connectors ask of it: start, stop, unlock, availability, reset. Each is an ordinary
//! command; whoever pressed the button is told the answer, if it comes soon.

use std::time::Duration;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Value, json};
use store::{
    commands::Command,
    sessions::{self, Session},
    stations_read::{self, Station},
};

use super::{Head, no_such_station};
use crate::{
    Access, AppState, Result, Route, answers,
    api::input::Segment,
    auth::Viewer,
    orders::{self, Order},
    pages::{again, asked::Parameters, flash::Flash, form::Form, frame::Frame, html},
};

/// So long the answer is waited for, before the page is shown without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of an id token in OCPP 1.6.
const LONGEST: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/start", Access::Control, ask),
        Route::post("/stations/{identity}/start", Access::Control, start),
        Route::post("/stations/{identity}/act", Access::Control, act),
    ]
}

#[derive(Template)]
#[template(path = "station_start.html")]
struct StartPage {
    frame: Frame,
    head: Head,
    form: Form,
    connectors: Vec<(String, String)>,
}

impl StartPage {
    fn new(frame: Frame, head: Head, form: Form) -> Self {
        let mut connectors = vec![(String::new(), "Whichever is free".to_owned())];
        connectors.extend(
            head.station
                .connectors
                .iter()
                .filter(|connector| connector.evse > 0)
                .map(|connector| {
                    let name = format!("{} · {}", connector.evse, connector.status);
                    (connector.evse.to_string(), name)
                }),
        );
        StartPage {
            frame,
            head,
            form,
            connectors,
        }
    }
}

/// `GET /stations/{identity}/start`: for whom, and at which connector.
async fn ask(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    parameters: Parameters,
) -> Result<Response> {
    let (_, head) = Head::open(&app, &mut frame, &identity, "").await?;
    viewer.must_control(head.station.site_id)?;
    let connector = parameters.first("connector").unwrap_or_default().to_owned();
    let form = Form::filled([("connector", connector)]);
    html(&StartPage::new(frame, head, form))
}

/// `POST /stations/{identity}/start`
async fn start(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let (db, head) = Head::open(&app, &mut frame, &identity, "").await?;
    drop(db);
    viewer.must_control(head.station.site_id)?;
    let token = form.line("token", 1..=LONGEST);
    let connector: Option<i32> = form.optional("connector", "the number of a connector", |text| {
        text.parse().ok().filter(|number| *number > 0)
    });
    if !form.is_clean() {
        return again(
            StatusCode::UNPROCESSABLE_ENTITY,
            &StartPage::new(frame, head, form),
        );
    }
    let mut payload = json!({ "idTag": token });
    if let Some(connector) = connector {
        payload["connectorId"] = connector.into();
    }
    let deed = Deed {
        action: "RemoteStartTransaction",
        payload,
        said: "start a session".to_owned(),
    };
    order(&app, &viewer, &head.station, deed).await
}

/// `POST /stations/{identity}/act`
async fn act(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(no_such_station)?;
    viewer.must_control(station.site_id)?;
    let active = sessions::Filter {
        stations: vec![station.identity.clone()],
        state: Some(sessions::State::Active),
        ..sessions::Filter::default()
    };
    let active = sessions::list(&mut db, &active, None, 100).await?;
    drop(db);
    match read(&mut form, &active) {
        Some(deed) => order(&app, &viewer, &station, deed).await,
        None => {
            let said = form.complaints().iter().map(|complaint| {
                let label = complaint.label();
                format!("{label} {}", complaint.detail).trim().to_owned()
            });
            let said = said.collect::<Vec<_>>().join("; ");
            let refused = Flash::new(format!("Nothing was asked of {identity}: {said}."));
            Ok(refused.to(&app, &path(&station)))
        }
    }
}

/// Something to be asked of a station.
#[derive(Debug, PartialEq)]
struct Deed {
    action: &'static str,
    payload: Value,
    /// Completes “asked to …”.
    said: String,
}

/// What a button asks for; complains if it is nothing that can be asked.
fn read(form: &mut Form, active: &[Session]) -> Option<Deed> {
    let connector: Option<i32> = form.optional("connector", "the number of a connector", |text| {
        text.parse().ok().filter(|number| *number >= 0)
    });
    let of_connector = connector.unwrap_or(0);
    let deed = |action, payload, said: String| {
        Some(Deed {
            action,
            payload,
            said,
        })
    };
    match form.value("deed").to_owned().as_str() {
        "stop" => {
            let session = active.iter().find(|session| session.evse == of_connector);
            let Some(number) = session.and_then(|session| session.transaction_id) else {
                form.complain("connector", "has no session that could be stopped any more");
                return None;
            };
            let payload = json!({ "transactionId": number });
            deed(
                "RemoteStopTransaction",
                payload,
                format!("stop the session at connector {of_connector}"),
            )
        }
        "unlock" if of_connector > 0 => {
            let payload = json!({ "connectorId": of_connector });
            deed(
                "UnlockConnector",
                payload,
                format!("unlock connector {of_connector}"),
            )
        }
        word @ ("operative" | "inoperative") => {
            let kind = if word == "operative" {
                "Operative"
            } else {
                "Inoperative"
            };
            let payload = json!({ "connectorId": of_connector, "type": kind });
            let what = if of_connector == 0 {
                "itself".to_owned()
            } else {
                format!("connector {of_connector}")
            };
            let state = if word == "operative" {
                "in service"
            } else {
                "out of service"
            };
            deed("ChangeAvailability", payload, format!("put {what} {state}"))
        }
        "reset" => deed("Reset", json!({"type": "Soft"}), "restart".to_owned()),
        "hard-reset" => deed(
            "Reset",
            json!({"type": "Hard"}),
            "restart at once".to_owned(),
        ),
        other => {
            let detail = format!("“{other}” is nothing that a station can be asked");
            form.complain("deed", detail);
            None
        }
    }
}

/// Asks it, and tells what the station answered.
async fn order(app: &AppState, viewer: &Viewer, station: &Station, deed: Deed) -> Result<Response> {
    let order = Order::new(deed.action, deed.payload.to_string());
    let mut db = viewer.scope.begin(&app.pool).await?;
    let id = orders::queue(&mut db, viewer, station, &order, app.clock.now()).await?;
    db.commit().await?;
    let command = answers::wait(app, &viewer.scope, id, PATIENCE).await?;
    let answer = command.as_ref().map_or_else(String::new, answered);
    let said = format!("{} was asked to {}: {answer}.", station.identity, deed.said);
    Ok(Flash::new(said).to(app, &path(station)))
}

/// What came of it, in words.
fn answered(command: &Command) -> String {
    let status = command
        .answer
        .as_deref()
        .and_then(|answer| serde_json::from_str::<Value>(answer).ok())
        .and_then(|answer| answer["status"].as_str().map(str::to_owned));
    match (command.status.as_str(), status) {
        ("answered", Some(status)) => format!("it says {status}"),
        ("answered", None) => "it agreed".to_owned(),
        ("error", _) => format!(
            "it refused with {}",
            command.error_code.as_deref().unwrap_or("an error")
        ),
        ("queued", _) => "the command waits for it".to_owned(),
        ("sent", _) => "it has not answered yet".to_owned(),
        ("timeout", _) => "it did not answer".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn path(station: &Station) -> String {
    let identity =
        askama::filters::urlencode_strict(&station.identity).expect("percent-encoding cannot fail");
    format!("/stations/{identity}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> (Option<Deed>, Form) {
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let mut form = Form::filled(fields);
        let deed = read(&mut form, &[]);
        (deed, form)
    }

    #[test]
    fn a_button_is_a_command_and_what_is_none_is_named() {
        for (fields, action, payload) in [
            (
                &[("deed", "unlock"), ("connector", "2")][..],
                "UnlockConnector",
                json!({"connectorId": 2}),
            ),
            (&[("deed", "reset")][..], "Reset", json!({"type": "Soft"})),
            (
                &[("deed", "inoperative")][..],
                "ChangeAvailability",
                json!({"connectorId": 0, "type": "Inoperative"}),
            ),
        ] {
            let (deed, _) = asked(fields);
            let deed = deed.unwrap();
            assert_eq!((deed.action, deed.payload), (action, payload));
        }
        for fields in [
            &[("deed", "stop"), ("connector", "1")][..],
            &[("deed", "unlock")],
            &[("deed", "explode")],
        ] {
            let (deed, form) = asked(fields);
            assert_eq!(deed, None);
            assert!(!form.is_clean());
        }
    }
}
