//! Who is let in: what the buttons of `/stations` and `/waiting` do. A station that waits is accepted or blocked; so is a charger that
//! was refused because nobody had registered it, which registers it; and what was refused can be
//! forgotten, as can a station that nobody accepted.

use axum::{extract::State, response::Response};
use serde_json::json;
use store::{
    audit, refusals,
    stations::{self, NewStation, Options, Registration, StationChange},
    stations_read,
};

use super::{flash::Flash, form::Form};
use crate::{AppState, Error, Result, api::input::Segment, auth::Viewer, forget};

/// `POST /stations/{identity}/accept`
pub(crate) async fn accept(
    app: State<AppState>,
    viewer: Viewer,
    identity: Segment,
    form: Form,
) -> Result<Response> {
    register(app, viewer, identity, form, Registration::Accepted).await
}

/// `POST /stations/{identity}/block`
pub(crate) async fn block(
    app: State<AppState>,
    viewer: Viewer,
    identity: Segment,
    form: Form,
) -> Result<Response> {
    register(app, viewer, identity, form, Registration::Rejected).await
}

/// `POST /stations/{identity}/hold`: it waits (again) for somebody to decide.
pub(crate) async fn hold(
    app: State<AppState>,
    viewer: Viewer,
    identity: Segment,
    form: Form,
) -> Result<Response> {
    register(app, viewer, identity, form, Registration::Pending).await
}

async fn register(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
    registration: Registration,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let known = stations_read::get(&mut db, &identity).await?;
    let done = match &known {
        Some(station) => {
            viewer.must_control(station.site_id)?;
            let change = StationChange {
                registration: Some(registration),
                ..StationChange::default()
            };
            stations::change(&mut db, &identity, &change).await?;
            let pair = json!({"before": station.registration, "after": registration.as_str()});
            let detail = json!({ "registration": pair });
            let entity = format!("station/{}", station.id);
            viewer.did(now, "station.change", entity, detail)
        }
        None => {
            // Only one that was refused is registered by a button, and only by who may add a station that has no site.
            let tried = viewer.may_control(None)
                && stations::is_identity(&identity)
                && !refusals::of(&mut db, &identity).await?.is_empty();
            if !tried {
                let nobody =
                    format!("there is no station {identity:?}, and nobody was refused as it");
                return Err(Error::NotFound(nobody));
            }
            let new = NewStation {
                identity: &identity,
                site_id: None,
                registration,
                security_profile: 0,
                password_hash: None,
            };
            let id = stations::add(&mut db, &new, now).await?;
            let detail = json!({"identity": identity, "registration": registration.as_str()});
            viewer.did(now, "station.add", format!("station/{id}"), detail)
        }
    };
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said = Flash::new(format!("{identity} {}.", in_words(registration)));
    let said = match known.and_then(|station| Registration::parse(&station.registration)) {
        Some(before) => said.with_undo(way(&identity, before)),
        None => said,
    };
    Ok(said.to(&app, back(&form)))
}

/// The page whose button it was; the list of stations if it names none.
fn back(form: &Form) -> &str {
    match form.value("back") {
        "" => "/stations",
        back => super::theme::local(back),
    }
}

/// `POST /stations/{identity}/assume-16`: it is served as OCPP 1.6 though it offers no subprotocol.
pub(crate) async fn assume_16(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no station {identity:?}")))?;
    viewer.must_control(station.site_id)?;
    let mut options: Options = serde_json::from_value(station.options)
        .map_err(|error| Error::Broken(format!("the switches of {identity}: {error}")))?;
    let pair = json!({"before": options.assume_16, "after": true});
    options.assume_16 = true;
    let change = StationChange {
        options: Some(&options),
        ..StationChange::default()
    };
    stations::change(&mut db, &identity, &change).await?;
    let entity = format!("station/{}", station.id);
    let done = viewer.did(now, "station.change", entity, json!({ "assume_16": pair }));
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said = format!("{identity} is served as OCPP 1.6 as soon as it tries again.");
    Ok(Flash::new(said).to(&app, back(&form)))
}

/// What becomes of a station that is registered so.
fn in_words(registration: Registration) -> &'static str {
    match registration {
        Registration::Accepted => "is accepted and served as soon as it connects or boots again",
        Registration::Pending => "waits to be accepted",
        Registration::Rejected => "is blocked: it is told that it is not wanted here",
    }
}

/// The button that registers a station so.
fn way(identity: &str, registration: Registration) -> String {
    let verb = match registration {
        Registration::Accepted => "accept",
        Registration::Pending => "hold",
        Registration::Rejected => "block",
    };
    let identity =
        askama::filters::urlencode_strict(identity).expect("percent-encoding cannot fail");
    format!("/stations/{identity}/{verb}")
}

/// `POST /stations/{identity}/forget`: a station that nobody accepted is there no more.
pub(crate) async fn forget_station(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    forget::station(&mut db, &viewer, &identity, app.clock.now()).await?;
    db.commit().await?;
    let said = format!("{identity} is forgotten; should it try again, it is listed again.");
    Ok(Flash::new(said).to(&app, back(&form)))
}

/// `POST /refusals/{identity}/forget`
pub(crate) async fn forget(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if refusals::forget(&mut db, &identity).await? == 0 {
        let nobody = format!("nobody was refused as {identity:?}");
        return Err(Error::NotFound(nobody));
    }
    let entity = format!("refusal/{identity}");
    let done = viewer.did(now, "refusal.forget", entity, json!({}));
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said =
        format!("What {identity} tried is forgotten; should it try again, it is listed again.");
    Ok(Flash::new(said).to(&app, back(&form)))
}
