//! `/stations/{identity}/local-list`: which tokens a station holds, which it should, and how a push stands.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    Scoped, audit,
    local_lists::{self, Chosen, Entry},
    sites,
};
use uuid::Uuid;

use super::{
    configuration::Queued,
    input::{Fields, FieldsIfAny, Params, Segment, printable},
    shape::Stamp,
};
use crate::{AppState, Error, Result, auth::Viewer, kept};

/// A list of OCPP 1.6 is not longer than this in any station that is known.
const MOST: usize = 10_000;
/// As long as a token may be here.
const LONGEST: usize = 36;

/// A token of a list.
#[derive(Debug, Serialize)]
struct Held {
    id_token: String,
    status: String,
    parent_id_token: Option<String>,
    expires_at: Option<Stamp>,
}

impl From<Entry> for Held {
    fn from(entry: Entry) -> Self {
        Held {
            id_token: entry.token,
            status: entry.status,
            parent_id_token: entry.parent,
            expires_at: entry.expires_at.map(Stamp),
        }
    }
}

/// A station's list.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    subscribed: bool,
    /// all, site or chosen.
    rule: String,
    /// The version that the station last accepted.
    version: i32,
    /// What the station said itself; -1: it keeps no list.
    station_version: Option<i32>,
    asked_at: Option<Stamp>,
    supported: Option<bool>,
    last_result: Option<String>,
    last_result_at: Option<Stamp>,
    /// The SendLocalList under way.
    pending: Option<Uuid>,
    /// Something has changed and was not sent yet.
    dirty: bool,
    next_is_full: bool,
    next_try_at: Option<Stamp>,
    /// The tokens chosen for this station.
    chosen: Vec<String>,
    /// What it should hold.
    wanted: Vec<Held>,
    /// What it holds.
    held: Vec<Held>,
}

async fn shown(db: &mut Scoped<'_>, station: Uuid) -> Result<Shown> {
    let list = local_lists::of(db, station).await?;
    let (wanted, held) = (
        local_lists::wanted(db, station).await?,
        local_lists::held(db, station).await?,
    );
    Ok(Shown {
        dirty: list.subscribed && (list.look || list.want_full || wanted != held),
        subscribed: list.subscribed,
        rule: list.rule,
        version: list.version,
        station_version: list.station_version,
        asked_at: list.asked_at.map(Stamp),
        supported: list.supported,
        last_result: list.last_result,
        last_result_at: list.last_result_at.map(Stamp),
        pending: list.pending_command,
        next_is_full: list.want_full,
        next_try_at: list.next_try_at.map(Stamp),
        chosen: local_lists::members(db, Chosen::Station(station)).await?,
        wanted: wanted.into_iter().map(Held::from).collect(),
        held: held.into_iter().map(Held::from).collect(),
    })
}

/// How a station's list stands.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    params: Params,
) -> Result<Json<Shown>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    Ok(Json(shown(&mut db, station.id).await?))
}

/// Whether the list is kept by us, by which rule, and which tokens are chosen; what is left out stays as it is.
pub(crate) async fn put(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut fields: Fields,
) -> Result<Json<Shown>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let list = local_lists::of(&mut db, station.id).await?;
    let subscribed = fields.read("subscribed", "true or false", Value::as_bool);
    let rule = fields.choice("rule", &["all", "site", "chosen"].map(|rule| (rule, rule)));
    if rule == Some("all") && !viewer.may_control(None) {
        fields.complain(
            "rule",
            "\"all\": expected site or chosen; all tokens are for who may change every site",
        );
    }
    let chosen = tokens(&mut fields, "chosen");
    if let Some(tokens) = &chosen {
        let unknown = local_lists::choose(&mut db, Chosen::Station(station.id), tokens).await?;
        complain_of(&mut fields, "chosen", &unknown);
    }
    fields.finish()?;
    let subscribed = subscribed.unwrap_or(list.subscribed);
    let rule = rule.unwrap_or(&list.rule);
    local_lists::subscribe(&mut db, station.id, subscribed, rule).await?;
    let detail = json!({"subscribed": subscribed, "rule": rule, "chosen": chosen.map(|tokens| tokens.len())});
    let entity = format!("station/{}", station.id);
    let entry = viewer.did(app.clock.now(), "local_list.change", entity, detail);
    audit::record(&mut db, &entry).await?;
    let shown = shown(&mut db, station.id).await?;
    db.commit().await?;
    Ok(Json(shown))
}

/// Asks for a push now (202); `{"full": true}` sends everything anew.
pub(crate) async fn push(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    FieldsIfAny(mut fields): FieldsIfAny,
) -> Result<(StatusCode, Json<Shown>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let full = fields.read("full", "true or false", Value::as_bool);
    fields.finish()?;
    if !local_lists::push_again(&mut db, station.id, full.unwrap_or(false)).await? {
        return Err(Error::Conflict(
            "the station's list is not kept from here: subscribe it first".to_owned(),
        ));
    }
    let entity = format!("station/{}", station.id);
    let entry = viewer.did(
        app.clock.now(),
        "local_list.push",
        entity,
        json!({"full": full}),
    );
    audit::record(&mut db, &entry).await?;
    let shown = shown(&mut db, station.id).await?;
    db.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// Asks the station which version it holds (202).
pub(crate) async fn ask_version(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    FieldsIfAny(fields): FieldsIfAny,
) -> Result<(StatusCode, Json<Queued>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    fields.finish()?;
    let command = kept::ask_list_version(&mut db, &viewer, &station, app.clock.now()).await?;
    db.commit().await?;
    let commands = vec![command];
    Ok((StatusCode::ACCEPTED, Json(Queued { commands })))
}

/// The tokens of a site.
#[derive(Debug, Serialize)]
pub(crate) struct OfSite {
    chosen: Vec<String>,
}

async fn site(db: &mut Scoped<'_>, id: &str) -> Result<Uuid> {
    let nothing = || Error::NotFound(format!("there is no site {id:?}"));
    sites::find(db, id).await?.ok_or_else(nothing)
}

/// The tokens that every station of a site should hold.
pub(crate) async fn of_site(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    params: Params,
) -> Result<Json<OfSite>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let site = site(&mut db, &id).await?;
    let chosen = local_lists::members(&mut db, Chosen::Site(site)).await?;
    Ok(Json(OfSite { chosen }))
}

/// Chooses the tokens of a site anew.
pub(crate) async fn put_site(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    mut fields: Fields,
) -> Result<Json<OfSite>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let site = site(&mut db, &id).await?;
    viewer.must_control(Some(site))?;
    let chosen = tokens(&mut fields, "chosen");
    match &chosen {
        Some(tokens) => {
            let unknown = local_lists::choose(&mut db, Chosen::Site(site), tokens).await?;
            complain_of(&mut fields, "chosen", &unknown);
        }
        None if !fields.has("chosen") => {
            fields.complain("chosen", "missing: expected a list of id tokens");
        }
        None => {}
    }
    fields.finish()?;
    let detail = json!({"chosen": chosen.map(|tokens| tokens.len())});
    let entry = viewer.did(
        app.clock.now(),
        "local_list.choose",
        format!("site/{site}"),
        detail,
    );
    audit::record(&mut db, &entry).await?;
    let chosen = local_lists::members(&mut db, Chosen::Site(site)).await?;
    db.commit().await?;
    Ok(Json(OfSite { chosen }))
}

fn tokens(fields: &mut Fields, name: &'static str) -> Option<Vec<String>> {
    let expected = format!("a list of at most {MOST} id tokens of 1 to {LONGEST} characters");
    fields.read(name, &expected, |value| {
        let tokens = value.as_array().filter(|tokens| tokens.len() <= MOST)?;
        tokens
            .iter()
            .map(|token| {
                token
                    .as_str()
                    .filter(|token| printable(token, LONGEST))
                    .map(str::to_owned)
            })
            .collect()
    })
}

fn complain_of(fields: &mut Fields, name: &'static str, unknown: &[String]) {
    if let Some(token) = unknown.first() {
        let more = unknown.len() - 1;
        fields.complain(
            name,
            format!("{token:?} (and {more} more): expected id tokens that are known"),
        );
    }
}
