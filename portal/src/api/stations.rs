//! `/stations`: what is registered, what is known of it now, and what an operator sets.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    Scoped,
    audit::{self, Entry},
    connectors, refusals, secrets, sites,
    stations::{self, NewStation, Options, Registration, StationChange},
    stations_read::{self, Filter},
};
use uuid::Uuid;

use super::{
    input::{Fields, Params, Segment, printable},
    refusals::Refusal,
    shape::{self, List, Stamp},
};
use crate::{AppState, Error, Result, auth::Viewer, error::Complaint, forget};

/// What the field `site` takes.
const SITE: &str = "the name or id of a site";

/// A station. Its password is never shown.
#[derive(Debug, Serialize)]
pub(crate) struct Station {
    id: Uuid,
    identity: String,
    site: Option<String>,
    registration: String,
    security_profile: i16,
    has_password: bool,
    certificate_name: Option<String>,
    options: Value,
    connected: bool,
    last_seen_at: Option<Stamp>,
    last_boot_at: Option<Stamp>,
    /// How far its clock is ahead of ours; negative where it is behind.
    clock_skew_s: Option<i32>,
    clock_measured_at: Option<Stamp>,
    created_at: Stamp,
    protocol: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    firmware: Option<String>,
    connectors: Vec<Connector>,
}

/// A connector and its last word.
#[derive(Debug, Serialize)]
struct Connector {
    evse: i32,
    connector: i32,
    status: String,
    error_code: String,
    vendor_error_code: Option<String>,
    info: Option<String>,
    received_at: Stamp,
}

impl From<connectors::Connector> for Connector {
    fn from(connector: connectors::Connector) -> Self {
        Connector {
            evse: connector.evse,
            connector: connector.connector,
            status: connector.status,
            error_code: connector.error_code,
            vendor_error_code: connector.vendor_error_code,
            info: connector.info,
            received_at: Stamp(connector.received_at),
        }
    }
}

impl From<stations_read::Station> for Station {
    fn from(station: stations_read::Station) -> Self {
        Station {
            id: station.id,
            identity: station.identity,
            site: station.site,
            registration: station.registration,
            security_profile: station.security_profile,
            has_password: station.has_password,
            certificate_name: station.certificate_name,
            options: station.options,
            connected: station.connected,
            last_seen_at: station.last_seen_at.map(Stamp),
            last_boot_at: station.last_boot_at.map(Stamp),
            clock_skew_s: station.clock_skew_s,
            clock_measured_at: station.clock_measured_at.map(Stamp),
            created_at: Stamp(station.created_at),
            protocol: station.protocol,
            vendor: station.vendor,
            model: station.model,
            serial: station.serial,
            firmware: station.firmware,
            connectors: station
                .connectors
                .into_iter()
                .map(Connector::from)
                .collect(),
        }
    }
}

/// There is none, or it is somebody else's.
pub(super) fn no_station(identity: &str) -> Error {
    Error::NotFound(format!("there is no station {identity:?}"))
}

/// The stations, by identity.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Station>>> {
    let site = params.text("site");
    let after = params.after(|text| stations::is_identity(text).then(|| text.to_owned()));
    let limit = params.limit();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mut filter = Filter::default();
    if let Some(site) = site {
        filter.site_id = sites::find(&mut db, &site).await?;
        if filter.site_id.is_none() {
            params.complain("site", format!("{site:?}: expected {SITE}"));
        }
    }
    params.finish()?;
    let rows = stations_read::list(&mut db, &filter, after.as_deref(), limit + 1).await?;
    Ok(shape::list(
        rows,
        limit,
        |station| station.identity.clone(),
        Station::from,
    ))
}

/// A station, and why it could not connect.
#[derive(Debug, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    station: Station,
    refusals: Vec<Refusal>,
}

/// One station.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
) -> Result<Json<Detail>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    let refusals = refusals::of(&mut db, &station.identity).await?;
    Ok(Json(Detail {
        station: station.into(),
        refusals: refusals.into_iter().map(Refusal::from).collect(),
    }))
}

/// Makes a station (201) or changes it (200); what is left out keeps its value.
pub(crate) async fn put(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    fields: Fields,
) -> Result<(StatusCode, Json<Station>)> {
    if !stations::is_identity(&identity) {
        let complaint = Complaint::about(
            "identity",
            format!("{identity:?}: expected {}", stations::IDENTITY),
        );
        return Err(Error::Invalid(vec![complaint]));
    }
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = stations_read::get(&mut db, &identity).await?;
    let status = match &before {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let station = set(&app, &viewer, db, &identity, before, fields).await?;
    Ok((status, Json(station.into())))
}

/// Changes a station; what is left out keeps its value.
pub(crate) async fn patch(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    fields: Fields,
) -> Result<Json<Station>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = stations_read::get(&mut db, &identity).await?;
    if before.is_none() {
        return Err(no_station(&identity));
    }
    let station = set(&app, &viewer, db, &identity, before, fields).await?;
    Ok(Json(station.into()))
}

/// Takes away a station that nobody accepted (204); 409 with what keeps it otherwise.
pub(crate) async fn forget(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
) -> Result<StatusCode> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    forget::station(&mut db, &viewer, &identity, app.clock.now()).await?;
    db.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a body wants of a station.
#[derive(Debug, Default)]
struct Wanted {
    /// `Some(None)`: off its site.
    site_id: Option<Option<Uuid>>,
    registration: Option<Registration>,
    security_profile: Option<i16>,
    password_hash: Option<String>,
    /// `Some(None)`: its identity.
    certificate_name: Option<Option<String>>,
    options: Option<Options>,
}

/// Writes what the body wants, with its line in the audit log, and answers the station as it is then.
async fn set(
    app: &AppState,
    viewer: &Viewer,
    mut db: Scoped<'_>,
    identity: &str,
    before: Option<stations_read::Station>,
    fields: Fields,
) -> Result<stations_read::Station> {
    let wanted = wanted(&mut db, fields, viewer, before.as_ref()).await?;
    // It must be the viewer's to change where it stands and where it shall stand.
    if let Some(before) = &before {
        viewer.must_control(before.site_id)?;
    }
    let site_id = wanted
        .site_id
        .unwrap_or_else(|| before.as_ref().and_then(|before| before.site_id));
    viewer.must_control(site_id)?;
    let now = app.clock.now();
    let id = match &before {
        Some(before) => before.id,
        None => {
            let new = NewStation {
                identity,
                site_id,
                registration: wanted.registration.unwrap_or(Registration::Accepted),
                security_profile: wanted.security_profile.unwrap_or(0),
                password_hash: wanted.password_hash.as_deref(),
            };
            stations::add(&mut db, &new, now)
                .await
                .map_err(taken(identity))?
        }
    };
    let change = StationChange {
        site_id: wanted.site_id,
        registration: wanted.registration,
        security_profile: wanted.security_profile,
        password_hash: wanted.password_hash.as_deref(),
        options: wanted.options.as_ref(),
        certificate_name: wanted.certificate_name.as_ref().map(Option::as_deref),
        name: None,
    };
    stations::change(&mut db, identity, &change)
        .await
        .map_err(taken(identity))?;
    let after = stations_read::get(&mut db, identity)
        .await?
        .ok_or_else(|| Error::Broken(format!("the station {identity:?} is gone")))?;
    let told = |station: &stations_read::Station| {
        json!({
            "site": station.site, "registration": station.registration,
            "security_profile": station.security_profile, "options": station.options,
            "certificate_name": station.certificate_name,
        })
    };
    let entry = Entry {
        at: now,
        actor: viewer.actor,
        action: if before.is_some() {
            "station.change"
        } else {
            "station.add"
        }
        .to_owned(),
        entity: format!("station/{id}"),
        detail: json!({
            "before": before.as_ref().map(told), "after": told(&after),
            "password_changed": wanted.password_hash.is_some(),
        }),
    };
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(after)
}

/// Somebody else's station has this identity: it is unique among all sites.
fn taken(identity: &str) -> impl FnOnce(store::Error) -> Error {
    move |error| match error {
        error if error.is_conflict("stations_identity_key") => {
            Error::Conflict(format!("the identity {identity:?} is taken"))
        }
        error if error.is_conflict("stations_certificate_name_key") => Error::Conflict(format!(
            "{identity:?} would answer to the certificate of another station"
        )),
        error => Error::Store(error),
    }
}

/// Reads the body. A station with a password asks for it (security profile 1) unless told otherwise.
async fn wanted(
    db: &mut Scoped<'_>,
    mut fields: Fields,
    viewer: &Viewer,
    before: Option<&stations_read::Station>,
) -> Result<Wanted> {
    let mut wanted = Wanted {
        registration: fields.choice(
            "registration",
            &[
                Registration::Accepted,
                Registration::Pending,
                Registration::Rejected,
            ]
            .map(|registration| (registration.as_str(), registration)),
        ),
        security_profile: fields.read("security_profile", "0, 1, 2 or 3", |value| {
            i16::try_from(value.as_i64()?)
                .ok()
                .filter(|profile| (0..=3).contains(profile))
        }),
        ..Wanted::default()
    };
    let site = fields.nullable("site", SITE, |value| {
        let site = value.as_str()?;
        printable(site, 200).then(|| site.to_owned())
    });
    match site {
        Some(Some(site)) => {
            wanted.site_id = sites::find(db, &site).await?.map(Some);
            if wanted.site_id.is_none() {
                fields.complain("site", format!("{site:?}: expected {SITE}, or null"));
            }
        }
        Some(None) => wanted.site_id = Some(None),
        None if before.is_none() && !viewer.may_control(None) => {
            fields.complain("site", "missing: expected one of your sites, by name or id");
        }
        None => {}
    }
    let password = fields.secret("password", secrets::PASSWORD, secrets::is_password);
    let profile_before = before.map_or(0, |before| before.security_profile);
    if password.is_some() && wanted.security_profile.is_none() && profile_before == 0 {
        wanted.security_profile = Some(1);
    }
    let has_password = password.is_some() || before.is_some_and(|before| before.has_password);
    if let Some(profile @ (1 | 2)) = wanted.security_profile
        && !has_password
    {
        let detail = format!("{profile}: expected a password with it, or 0 or 3");
        fields.complain("security_profile", detail);
    }
    let name = "the CN of its certificate: 1 to 64 printable characters, or null for its identity";
    wanted.certificate_name = fields.nullable("certificate_name", name, |value| {
        let name = value.as_str()?;
        printable(name, 64).then(|| name.to_owned())
    });
    wanted.options = options(&mut fields, before);
    fields.finish()?;
    if let Some(password) = password {
        let hash = move || secrets::hash_password(password.as_bytes());
        let hash = tokio::task::spawn_blocking(hash).await;
        wanted.password_hash = Some(hash.map_err(|error| Error::Broken(error.to_string()))?);
    }
    Ok(wanted)
}

/// The switches as they shall be: those given, the others as they are.
fn options(fields: &mut Fields, before: Option<&stations_read::Station>) -> Option<Options> {
    let known =
        serde_json::to_value(Options::default()).expect("a struct of booleans is always JSON");
    let known = known.as_object().expect("a struct is an object");
    let names = known
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let expected = format!(
        "an object of true or false (auto_start_tag: a tag of at most 20 characters, or null) for any of {names}"
    );
    let given = fields.read("options", &expected, |value| {
        let given = value.as_object()?;
        let fits = given.iter().all(|(name, value)| match known.get(name) {
            Some(Value::Bool(_)) => value.is_boolean(),
            Some(_) => value.is_null() || value.as_str().is_some_and(|tag| printable(tag, 20)),
            None => false,
        });
        fits.then(|| given.clone())
    })?;
    let mut after = known.clone();
    if let Some(Value::Object(before)) = before.map(|before| &before.options) {
        after.extend(before.clone());
    }
    after.extend(given);
    serde_json::from_value(Value::Object(after)).ok()
}
