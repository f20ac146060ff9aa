//! The tab Local list of a station: which tokens it holds for when it is offline, which it should, and how a push stands.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scoped, audit,
    local_lists::{self, Chosen, Entry, List},
    stations_read::Station,
};

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    auth::Viewer,
    kept,
    live::Part,
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
    view::{Chip, Moment},
};

const SLUG: &str = "local-list";
/// Tokens that can be pasted at a time.
const MOST: usize = 10_000;

#[derive(Template)]
#[template(path = "station_local_list.html", blocks = ["standing", "tokens"])]
struct Page {
    frame: Frame,
    head: Head,
    form: Form,
    rules: Vec<(String, String)>,
    list: List,
    /// What the station itself says of its list.
    said: String,
    result: Option<(Chip, Option<Moment>)>,
    next_try: Option<Moment>,
    rows: Vec<Row>,
    differs: bool,
}

struct Row {
    token: String,
    status: String,
    parent: Option<String>,
    expires: Option<Moment>,
    /// What is still to be told to the station.
    todo: Option<&'static str>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/local-list", Access::Read, page),
        Route::post("/stations/{identity}/local-list", Access::Control, change),
        Route::post(
            "/stations/{identity}/local-list/push",
            Access::Control,
            push,
        ),
        Route::post(
            "/stations/{identity}/local-list/version",
            Access::Control,
            ask_version,
        ),
    ]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let form = filled(&mut db, &head.station).await?;
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
    Ok(vec![
        Part::render("standing", &page.as_standing())?,
        Part::render("tokens", &page.as_tokens())?,
    ])
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    form: Form,
    now: DateTime<Utc>,
) -> Result<Page> {
    let station = head.station.id;
    let list = local_lists::of(db, station).await?;
    let (wanted, held) = (
        local_lists::wanted(db, station).await?,
        local_lists::held(db, station).await?,
    );
    let moment = |at| Moment::new(at, head.zone());
    let last = list.last_result.as_deref().map(Chip::answer);
    Ok(Page {
        rules: rules(frame.viewer.may_control(None)),
        said: match list.station_version {
            None => "not asked yet".to_owned(),
            Some(-1) => "−1: it keeps no list".to_owned(),
            Some(0) => "0: its list is empty".to_owned(),
            Some(version) => version.to_string(),
        },
        result: last.map(|chip| (chip, list.last_result_at.map(moment))),
        next_try: list.next_try_at.filter(|at| *at > now).map(moment),
        differs: list.want_full || wanted != held,
        rows: rows(&wanted, &held, head.zone()),
        list,
        frame,
        head,
        form,
    })
}

fn rules(sees_all: bool) -> Vec<(String, String)> {
    let rules = [
        ("site", "The tokens of its site"),
        ("chosen", "The tokens of this station"),
        ("all", "Every token there is"),
    ];
    let rules = rules.into_iter().filter(|rule| sees_all || rule.0 != "all");
    rules
        .map(|(rule, words)| (rule.to_owned(), words.to_owned()))
        .collect()
}

async fn filled(db: &mut Scoped<'_>, station: &Station) -> Result<Form> {
    let list = local_lists::of(db, station.id).await?;
    let chosen = local_lists::members(db, Chosen::Station(station.id)).await?;
    let mut form = Form::filled([("rule", list.rule.clone()), ("chosen", chosen.join("\n"))]);
    if list.subscribed {
        form.set("subscribed", "yes");
    }
    if let Some(site) = station.site_id {
        let tokens = local_lists::members(db, Chosen::Site(site)).await?;
        form.set("site_tokens", tokens.join("\n"));
    }
    Ok(form)
}

/// Every token that the station holds or should hold, by text.
fn rows(wanted: &[Entry], held: &[Entry], zone: Option<&str>) -> Vec<Row> {
    let find = |among: &[Entry], token: &str| {
        among
            .iter()
            .find(|entry| entry.token.eq_ignore_ascii_case(token))
            .cloned()
    };
    let gone = held
        .iter()
        .filter(|entry| find(wanted, &entry.token).is_none());
    let mut rows: Vec<Row> = wanted
        .iter()
        .map(|entry| (entry, find(held, &entry.token)))
        .map(|(entry, known)| {
            let todo = match known {
                None => Some("to be added"),
                Some(known)
                    if (&known.status, &known.parent, known.expires_at)
                        != (&entry.status, &entry.parent, entry.expires_at) =>
                {
                    Some("to be changed")
                }
                Some(_) => None,
            };
            (entry, todo)
        })
        .chain(gone.map(|entry| (entry, Some("to be removed"))))
        .map(|(entry, todo)| Row {
            token: entry.token.clone(),
            status: entry.status.clone(),
            parent: entry.parent.clone(),
            expires: entry.expires_at.map(|at| Moment::new(at, zone)),
            todo,
        })
        .collect();
    rows.sort_by_key(|row| row.token.to_lowercase());
    rows
}

async fn change(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let station = &head.station;
    viewer.must_control(station.site_id)?;
    let rules = rules(viewer.may_control(None));
    let choices: Vec<(&str, &str)> = rules
        .iter()
        .map(|rule| (rule.0.as_str(), rule.0.as_str()))
        .collect();
    let rule = form.choice("rule", &choices);
    let chosen = choose(&mut db, &mut form, "chosen", Chosen::Station(station.id)).await?;
    let mut of_site = None;
    if let Some(site) = station.site_id.filter(|_| form.checked("with_site")) {
        of_site = Some(choose(&mut db, &mut form, "site_tokens", Chosen::Site(site)).await?);
    }
    let (Some(rule), true) = (rule, form.is_clean()) else {
        // What was chosen before the complaint is taken back.
        drop(db);
        let mut db = viewer.scope.begin(&app.pool).await?;
        let page = load(&mut db, frame, head, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let subscribed = form.checked("subscribed");
    local_lists::subscribe(&mut db, station.id, subscribed, rule).await?;
    let detail =
        json!({"subscribed": subscribed, "rule": rule, "chosen": chosen, "of_site": of_site});
    let entity = format!("station/{}", station.id);
    let entry = viewer.did(now, "local_list.change", entity, detail);
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let saved = Flash::new("The list's settings were saved.");
    Ok(saved.to(&app, &head.below(SLUG)))
}

/// Chooses the tokens that were pasted into a field, all of them or none; how many.
async fn choose(
    db: &mut Scoped<'_>,
    form: &mut Form,
    field: &str,
    chosen: Chosen,
) -> Result<usize> {
    let text = form.value(field).to_owned();
    let tokens = text.split(['\n', ',', ';']).map(str::trim);
    let tokens: Vec<String> = tokens
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect();
    if tokens.len() > MOST {
        let detail = format!("{} id tokens; expected at most {MOST}", tokens.len());
        form.complain(field, detail);
        return Ok(0);
    }
    let unknown = local_lists::choose(db, chosen, &tokens).await?;
    if let Some(token) = unknown.first() {
        let more = unknown.len() - 1;
        let detail =
            format!("“{token}” (and {more} more) is not registered; expected id tokens that are");
        form.complain(field, detail);
    }
    Ok(tokens.len())
}

async fn push(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let full = form.checked("full");
    let asked = local_lists::push_again(&mut db, station.id, full).await?;
    let entity = format!("station/{}", station.id);
    let entry = viewer.did(
        app.clock.now(),
        "local_list.push",
        entity,
        json!({"full": full}),
    );
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let said = if asked {
        "The list is compared, and what is missing is sent."
    } else {
        "The list is not kept from here: let it be first."
    };
    Ok(Flash::new(said).to(&app, &super::path(&station.identity, SLUG)))
}

async fn ask_version(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    kept::ask_list_version(&mut db, &viewer, &station, app.clock.now()).await?;
    db.commit().await?;
    let asked = Flash::new("The station was asked for its list's version.");
    Ok(asked.to(&app, &super::path(&station.identity, SLUG)))
}
