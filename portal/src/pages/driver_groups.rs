//! `/driver-groups`: id tokens that have tariffs of their own.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use store::{
    Scoped,
    driver_groups::{self, Group},
};
use uuid::Uuid;

use super::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html};
use crate::{AppState, Error, Result, auth::Viewer};

/// Where the list is.
const PATH: &str = "/driver-groups";
/// Tokens that can be pasted at a time.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "driver_groups.html")]
struct List {
    frame: Frame,
    form: Form,
    rows: Vec<Group>,
}

#[derive(Template)]
#[template(path = "driver_group.html")]
struct Page {
    frame: Frame,
    form: Form,
    group: Group,
    tokens: Vec<String>,
}

/// `GET /driver-groups`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let rows = driver_groups::list(&mut *app.connection().await?).await?;
    html(&List {
        frame,
        form: Form::default(),
        rows,
    })
}

/// `POST /driver-groups`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let name = form.line("name", 1..=100);
    if form.is_clean() {
        let mut db = viewer.scope.begin(&app.pool).await?;
        match driver_groups::create(&mut db, &name, now).await {
            Ok(id) => {
                let entity = format!("driver_group/{id}");
                let entry = viewer.did(now, "driver_group.create", entity, json!({"name": name}));
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let made = Flash::new(format!("Group “{name}” was added."));
                return Ok(made.to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    let rows = driver_groups::list(&mut *app.connection().await?).await?;
    again(
        StatusCode::UNPROCESSABLE_ENTITY,
        &List { frame, form, rows },
    )
}

/// `GET /driver-groups/{id}`.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let form = Form::default();
    html(&load(&mut db, frame, id, form).await?)
}

/// `POST /driver-groups/{id}`: another name.
pub async fn rename(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let name = form.line("name", 1..=100);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = find(&mut db, id).await?.name;
    if form.is_clean() {
        match driver_groups::rename(&mut db, id, &name).await {
            Ok(_) => {
                let detail = json!({"name": {"before": before, "after": name}});
                let entry = viewer.did(
                    now,
                    "driver_group.change",
                    format!("driver_group/{id}"),
                    detail,
                );
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let saved = Flash::new(format!("The group is called “{name}” now."));
                return Ok(saved.to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    drop(db);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let page = load(&mut db, frame, id, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /driver-groups/{id}/tokens`: puts the pasted tokens into the group, all of them or none.
pub async fn add_tokens(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let text = form.value("tokens").to_owned();
    let tokens: Vec<&str> = text
        .split(['\n', ',', ';'])
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .collect();
    if !(1..=MOST).contains(&tokens.len()) {
        let detail = format!(
            "{} id tokens; expected 1 to {MOST}, a line each",
            tokens.len()
        );
        form.complain("tokens", detail);
    }
    let mut db = viewer.scope.begin(&app.pool).await?;
    find(&mut db, id).await?;
    if form.is_clean() {
        let mut unknown = Vec::new();
        for token in &tokens {
            if !driver_groups::put_token(&mut db, token, Some(id)).await? {
                unknown.push(token.chars().take(40).collect::<String>());
            }
        }
        if unknown.is_empty() {
            let detail = json!({"added": tokens.len()});
            let entry = viewer.did(
                now,
                "driver_group.add_tokens",
                format!("driver_group/{id}"),
                detail,
            );
            store::audit::record(&mut db, &entry).await?;
            db.commit().await?;
            let count = tokens.len();
            let said = format!(
                "{count} id token{} put into the group.",
                if count == 1 { " was" } else { "s were" }
            );
            return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}")));
        }
        let some = unknown.iter().take(5).map(|token| format!("“{token}”"));
        let some = some.collect::<Vec<_>>().join(", ");
        let more = unknown.len().saturating_sub(5);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        form.complain(
            "tokens",
            format!("{some}{more}: not registered; expected id tokens that are"),
        );
    }
    drop(db);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let page = load(&mut db, frame, id, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /driver-groups/{id}/remove`: takes a token out of the group.
pub async fn remove_token(
    State(app): State<AppState>,
    viewer: Viewer,
    Id(id): Id,
    form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let token = form.value("token");
    let mut db = viewer.scope.begin(&app.pool).await?;
    let is_in = driver_groups::tokens(&mut db, id)
        .await?
        .iter()
        .any(|member| member.eq_ignore_ascii_case(token));
    if !is_in {
        return Err(Error::NotFound(
            "there is no such id token in this group".to_owned(),
        ));
    }
    driver_groups::put_token(&mut db, token, None).await?;
    let entity = format!("driver_group/{id}");
    let entry = viewer.did(
        now,
        "driver_group.remove_token",
        entity,
        json!({"removed": 1}),
    );
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(Flash::new("The id token was taken out of the group.").to(&app, &format!("{PATH}/{id}")))
}

async fn load(db: &mut Scoped<'_>, frame: Frame, id: Uuid, mut form: Form) -> Result<Page> {
    let group = find(db, id).await?;
    if form.value("name").is_empty() && form.complaint("name").is_none() {
        form.set("name", group.name.clone());
    }
    let tokens = driver_groups::tokens(db, id).await?;
    Ok(Page {
        frame,
        form,
        group,
        tokens,
    })
}

async fn find(db: &mut Scoped<'_>, id: Uuid) -> Result<Group> {
    let groups = driver_groups::list(db).await?;
    groups
        .into_iter()
        .find(|group| group.id == id)
        .ok_or_else(|| Error::NotFound("there is no such driver group".to_owned()))
}

/// What the database refused by name is something to be corrected.
fn complain(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("driver_groups_name_key") {
        form.complain(
            "name",
            "is the name of another group; expected one of its own",
        );
        return Ok(());
    }
    Err(error.into())
}
