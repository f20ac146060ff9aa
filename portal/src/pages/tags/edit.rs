//! `/tags/{token}`: one id tag with where it charged and where it was told no; and how tags are made, changed and taken
//! away.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use ocpp::limits::LONGEST_ID_TAG;
use serde_json::json;
use store::{
    Scoped, audit, authorize_attempts, customers,
    id_tokens::{self, IdToken, Listed},
    sessions, tag_mappings,
};
use uuid::Uuid;

use super::STATUSES;
use crate::{
    AppState, Error, Result,
    api::input::Segment,
    auth::Viewer,
    pages::{again, asked::Parameters, asked::query, flash::Flash, form::Form, frame::Frame, html},
    view::{Chip, Moment, number, state::plain, time},
};

/// Of an id token: OCPP 1.6 has 20, 2.0.1 has 36.
const LONGEST: usize = 36;
/// Sessions shown, and how far back they are looked for.
const SESSIONS: i64 = 10;
const LOOKED_BACK: TimeDelta = TimeDelta::days(90);
/// Refusals shown.
const REFUSALS: i64 = 30;

#[derive(Template)]
#[template(path = "tag.html")]
struct TagPage {
    frame: Frame,
    form: Form,
    statuses: Vec<(String, String)>,
    /// What is known of it; nothing of one that is being made.
    known: Option<Known>,
}

/// What is known of a tag beside what people set.
struct Known {
    token: String,
    path: String,
    chip: Chip,
    created: Moment,
    open: i64,
    group: Option<(Uuid, String)>,
    /// Who pays: the customer, and the tag above whose mapping says so.
    customer: Option<(Uuid, String, Option<String>)>,
    sessions: Vec<SessionRow>,
    sessions_link: String,
    refusals: Vec<RefusalRow>,
}

struct SessionRow {
    id: Uuid,
    started: Moment,
    station: String,
    connector: i32,
    energy_kwh: String,
    duration: String,
    chip: Chip,
}

struct RefusalRow {
    station: String,
    verdict: String,
    attempts: String,
    first: Moment,
    last: Moment,
}

/// `GET /tags/new`, with `token` for one that was tried.
pub(super) async fn new(frame: Frame, parameters: Parameters) -> Result<Response> {
    let form = Form::filled([
        (
            "token",
            parameters.first("token").unwrap_or_default().to_owned(),
        ),
        ("kind", "RFID".to_owned()),
        ("status", "accepted".to_owned()),
    ]);
    html(&TagPage {
        frame,
        form,
        statuses: statuses(),
        known: None,
    })
}

/// `POST /tags`
pub(super) async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let text = form.line("token", 1..=LONGEST);
    let token = read(&mut form, text);
    if form.complaint("token").is_none() && id_tokens::find(&mut db, &token.token).await?.is_some()
    {
        form.complain("token", "is registered already; expected one that is new");
    }
    if form.is_clean() && check_parent(&mut db, &mut form, &token).await? {
        let id = id_tokens::put(&mut db, &token, now).await?;
        let detail = json!({"token": token.token, "status": token.status, "owner": token.owner});
        let done = viewer.did(now, "id_token.add", format!("id_token/{id}"), detail);
        audit::record(&mut db, &done).await?;
        db.commit().await?;
        let said = Flash::new(format!("{} was added.", token.token))
            .with_undo(format!("{}/delete", path(&token.token)));
        return Ok(said.to(&app, &path(&token.token)));
    }
    let page = TagPage {
        frame,
        form,
        statuses: statuses(),
        known: None,
    };
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /tags/{token}/add`: one that was tried is accepted from now on.
pub(super) async fn add(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(token): Segment,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tried = authorize_attempts::of(&mut db, &token, 1).await?;
    let fits = crate::api::input::printable(&token, LONGEST);
    if tried.is_empty() || !fits || id_tokens::find(&mut db, &token).await?.is_some() {
        let nobody = format!("{token:?} was not tried, or is registered already");
        return Err(Error::NotFound(nobody));
    }
    let new = IdToken {
        token,
        kind: "RFID".to_owned(),
        status: "accepted".to_owned(),
        parent: None,
        expires_at: None,
        max_active: None,
        owner: String::new(),
    };
    let id = id_tokens::put(&mut db, &new, now).await?;
    let detail = json!({"token": new.token, "status": new.status});
    let done = viewer.did(now, "id_token.add", format!("id_token/{id}"), detail);
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said = format!("{} was added and may charge. Say whose it is.", new.token);
    Ok(Flash::new(said)
        .with_undo(format!("{}/delete", path(&new.token)))
        .to(&app, &path(&new.token)))
}

/// `POST /tags/{token}/forget`: what was tried with it is no longer listed.
pub(super) async fn forget(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(token): Segment,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if authorize_attempts::forget(&mut db, &token).await? == 0 {
        return Err(Error::NotFound(format!("{token:?} was not tried")));
    }
    let done = viewer.did(
        now,
        "id_token.forget",
        "id_tokens".to_owned(),
        json!({ "token": token }),
    );
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said = format!("What was tried with {token} is forgotten.");
    Ok(Flash::new(said).to(&app, "/tags"))
}

/// `GET /tags/{token}`
pub(super) async fn page(
    State(app): State<AppState>,
    frame: Frame,
    Segment(token): Segment,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let tag = id_tokens::get(&mut db, &token)
        .await?
        .ok_or_else(|| no_such_tag(&token))?;
    let form = filled(&tag.token);
    let known = known(&mut db, tag, now).await?;
    html(&TagPage {
        frame,
        form,
        statuses: statuses(),
        known: Some(known),
    })
}

/// `POST /tags/{token}`
pub(super) async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Segment(token): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tag = id_tokens::get(&mut db, &token)
        .await?
        .ok_or_else(|| no_such_tag(&token))?;
    let before = filled(&tag.token);
    let after = read(&mut form, tag.token.token.clone());
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if form.is_clean() && check_parent(&mut db, &mut form, &after).await? {
        id_tokens::put(&mut db, &after, now).await?;
        let detail = filled(&after).changes(&before);
        let done = viewer.did(
            now,
            "id_token.change",
            format!("id_token/{}", tag.id),
            detail,
        );
        audit::record(&mut db, &done).await?;
        db.commit().await?;
        let said = format!("{} was saved.", after.token);
        return Ok(Flash::new(said).to(&app, &path(&after.token)));
    }
    let known = known(&mut db, tag, now).await?;
    let page = TagPage {
        frame,
        form,
        statuses: statuses(),
        known: Some(known),
    };
    again(status, &page)
}

/// `POST /tags/{token}/delete`
pub(super) async fn delete(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(token): Segment,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = id_tokens::find(&mut db, &token)
        .await?
        .ok_or_else(|| no_such_tag(&token))?;
    if let Some(id) = id_tokens::delete(&mut db, &token).await? {
        let detail = json!({"token": before.token, "status": before.status, "owner": before.owner,
                            "parent": before.parent});
        let done = viewer.did(now, "id_token.delete", format!("id_token/{id}"), detail);
        audit::record(&mut db, &done).await?;
    }
    db.commit().await?;
    let said = format!("{} is no longer known: it cannot charge.", before.token);
    Ok(Flash::new(said).to(&app, "/tags"))
}

fn no_such_tag(token: &str) -> Error {
    Error::NotFound(format!("there is no id tag {token:?}"))
}

fn path(token: &str) -> String {
    let token = askama::filters::urlencode_strict(token).expect("percent-encoding cannot fail");
    format!("/tags/{token}")
}

/// The states that people may give a tag, in words.
fn statuses() -> Vec<(String, String)> {
    STATUSES
        .map(|status| (status.to_owned(), Chip::tag(status, false).word))
        .to_vec()
}

/// What people can set, as the form has it.
fn filled(token: &IdToken) -> Form {
    Form::filled([
        ("kind", token.kind.clone()),
        ("status", token.status.clone()),
        ("owner", token.owner.clone()),
        ("parent", token.parent.clone().unwrap_or_default()),
        (
            "expires",
            token.expires_at.map_or_else(String::new, time::for_input),
        ),
        (
            "max_active",
            token
                .max_active
                .map_or_else(String::new, |most| most.to_string()),
        ),
    ])
}

fn read(form: &mut Form, token: String) -> IdToken {
    let statuses = STATUSES.map(|status| (status, status));
    let parent = form.line("parent", 0..=LONGEST_ID_TAG);
    IdToken {
        token,
        kind: form.line("kind", 1..=LONGEST),
        status: form
            .choice("status", &statuses)
            .unwrap_or("invalid")
            .to_owned(),
        parent: Some(parent).filter(|parent| !parent.is_empty()),
        expires_at: form.optional(
            "expires",
            "a minute in UTC such as 2027-01-31T12:00",
            |text| time::parse_utc(text, true),
        ),
        max_active: form.optional("max_active", "a whole number from 1", |text| {
            text.parse().ok().filter(|most| *most > 0)
        }),
        owner: form.line("owner", 0..=200),
    }
}

/// Whether the parent may be it; complains if it is the tag itself, or below it.
async fn check_parent(db: &mut Scoped<'_>, form: &mut Form, token: &IdToken) -> Result<bool> {
    if let Some(parent) = &token.parent
        && id_tokens::leads_to(db, parent, &token.token).await?
    {
        form.complain(
            "parent",
            format!("“{parent}” is this tag, or has it above itself; expected another"),
        );
    }
    Ok(form.is_clean())
}

async fn known(db: &mut Scoped<'_>, tag: Listed, now: DateTime<Utc>) -> Result<Known> {
    let token = tag.token.token;
    let account = tag_mappings::customer_of(db, &token).await?;
    let customer = match account {
        Some(account) => customers::get(db, account.customer_id)
            .await?
            .map(|customer| {
                let above = Some(account.mapped_token)
                    .filter(|mapped| !mapped.eq_ignore_ascii_case(&token));
                (account.customer_id, customer.fields.name, above)
            }),
        None => None,
    };
    let recent = sessions::Filter {
        from: Some(now - LOOKED_BACK),
        id_token: Some(token.clone()),
        ..sessions::Filter::default()
    };
    let sessions = sessions::list(db, &recent, None, SESSIONS).await?;
    let refusals = authorize_attempts::of(db, &token, REFUSALS).await?;
    let pairs = [("from", "all".to_owned()), ("token", token.clone())];
    Ok(Known {
        path: path(&token),
        chip: Chip::tag(
            &tag.token.status,
            tag.token.expires_at.is_some_and(|expires| expires <= now),
        ),
        created: Moment::new(tag.created_at, None),
        open: tag.open,
        group: tag.group,
        customer,
        sessions_link: format!("/sessions{}", query(&pairs)),
        sessions: sessions
            .into_iter()
            .map(|session| SessionRow {
                id: session.id,
                started: Moment::new(session.started_at, session.time_zone.as_deref()),
                energy_kwh: number::kilo_or_blank(session.energy_wh),
                duration: number::hours(session.duration(now)),
                chip: Chip::session(session.state),
                station: session.station.unwrap_or_default(),
                connector: session.evse,
            })
            .collect(),
        refusals: refusals
            .into_iter()
            .map(|told| RefusalRow {
                station: told.station,
                verdict: plain(&told.verdict),
                attempts: number::count(told.attempts),
                first: Moment::new(told.first_at, told.time_zone.as_deref()),
                last: Moment::new(told.last_at, told.time_zone.as_deref()),
            })
            .collect(),
        token,
    })
}
