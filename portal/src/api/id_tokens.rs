//! `/id-tokens`: who may charge. A token belongs to no site, so only a reader of all sites may see or set one.

use axum::{Json, extract::State, http::StatusCode};
use ocpp::limits::LONGEST_ID_TAG;
use serde::Serialize;
use serde_json::json;
use store::{
    audit::{self, Entry},
    id_tokens::{self, IdToken},
};

use super::{
    input::{self, Fields, Params, Segment, printable},
    shape::{self, List, Stamp},
};
use crate::{AppState, Error, Result, auth::Viewer, error::Complaint};

/// As long as OCPP 2.0.1 allows; 1.6 takes 20.
const LONGEST: usize = 36;

/// A token.
#[derive(Debug, Serialize)]
pub(crate) struct Token {
    token: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    parent: Option<String>,
    expires_at: Option<Stamp>,
    max_active: Option<i32>,
    owner: String,
}

impl From<IdToken> for Token {
    fn from(token: IdToken) -> Self {
        Token {
            token: token.token,
            kind: token.kind,
            status: token.status,
            parent: token.parent,
            expires_at: token.expires_at.map(Stamp),
            max_active: token.max_active,
            owner: token.owner,
        }
    }
}

/// Every token, by its text.
pub(crate) async fn list(
    State(app): State<AppState>,
    mut params: Params,
) -> Result<Json<List<Token>>> {
    let after = params.after(|text| printable(text, LONGEST).then(|| text.to_owned()));
    let limit = params.limit();
    params.finish()?;
    let mut db = app.connection().await?;
    let rows = id_tokens::list(&mut db, after.as_deref(), limit + 1).await?;
    Ok(shape::list(
        rows,
        limit,
        |token| token.token.clone(),
        Token::from,
    ))
}

/// One token.
pub(crate) async fn get(
    State(app): State<AppState>,
    Segment(token): Segment,
) -> Result<Json<Token>> {
    match id_tokens::find(&mut *app.connection().await?, &token).await? {
        Some(token) => Ok(Json(token.into())),
        None => Err(Error::NotFound(format!("there is no id token {token:?}"))),
    }
}

/// Makes a token (201) or changes it (200); what is left out keeps its value.
pub(crate) async fn put(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(token): Segment,
    fields: Fields,
) -> Result<(StatusCode, Json<Token>)> {
    if !printable(&token, LONGEST) {
        let detail = format!("{token:?}: expected 1 to {LONGEST} printable characters");
        return Err(Error::Invalid(vec![Complaint::about("token", detail)]));
    }
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = id_tokens::find(&mut db, &token).await?;
    let status = match &before {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let parent_before = before.as_ref().and_then(|before| before.parent.clone());
    let token = changed(fields, token, before)?;
    if let Some(parent) = token
        .parent
        .as_ref()
        .filter(|_| token.parent != parent_before)
        && id_tokens::leads_to(&mut db, parent, &token.token).await?
    {
        let detail = format!(
            "{parent:?}: expected a token that is not {:?} itself and has it nowhere above",
            token.token
        );
        return Err(Error::Invalid(vec![Complaint::at("/parent", detail)]));
    }
    let id = id_tokens::put(&mut db, &token, now).await?;
    let entry = Entry {
        at: now,
        actor: viewer.actor,
        action: "id_token.put".to_owned(),
        entity: format!("id_token/{id}"),
        detail: json!({"status": token.status, "parent": token.parent, "type": token.kind}),
    };
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok((status, Json(token.into())))
}

/// The token as the body wants it.
fn changed(mut fields: Fields, token: String, before: Option<IdToken>) -> Result<IdToken> {
    let mut after = before.unwrap_or(IdToken {
        token,
        kind: "RFID".to_owned(),
        status: "accepted".to_owned(),
        parent: None,
        expires_at: None,
        max_active: None,
        owner: String::new(),
    });
    let statuses = ["accepted", "blocked", "expired", "invalid"].map(|status| (status, status));
    if let Some(status) = fields.choice("status", &statuses) {
        after.status = status.to_owned();
    }
    if let Some(kind) = fields.text("type", LONGEST) {
        after.kind = kind;
    }
    if let Some(parent) = fields.nullable("parent", "a token of 1 to 20 characters", |value| {
        let parent = value.as_str()?;
        printable(parent, LONGEST_ID_TAG).then(|| parent.to_owned())
    }) {
        after.parent = parent;
    }
    if let Some(expires_at) = fields.nullable("expires_at", "an RFC 3339 time", |value| {
        value.as_str().and_then(input::time)
    }) {
        after.expires_at = expires_at;
    }
    if let Some(most) = fields.nullable("max_active", "a whole number from 1", |value| {
        i32::try_from(value.as_i64()?).ok().filter(|most| *most > 0)
    }) {
        after.max_active = most;
    }
    if let Some(owner) = fields.read("owner", "a text of at most 200 characters", |value| {
        let owner = value.as_str()?;
        (owner.is_empty() || printable(owner, 200)).then(|| owner.to_owned())
    }) {
        after.owner = owner;
    }
    fields.finish()?;
    Ok(after)
}
