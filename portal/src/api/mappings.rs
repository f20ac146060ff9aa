//! `/mappings`: on whose account tokens charge. They belong to no site.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use store::{
    Scoped, customers, past_accounts,
    tag_mappings::{self, Changed, Mapping, NewMapping},
};
use uuid::Uuid;

use super::{
    input::{Fields, Params, Segment, printable},
    shape::Stamp,
};
use crate::{AppState, Error, Result, auth::Viewer, lago};

/// As long as OCPP 2.0.1 allows.
const LONGEST_TOKEN: usize = 36;

/// Every mapping, children after their parent.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    params: Params,
) -> Result<Json<Value>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = tag_mappings::list(&mut db).await?;
    let items: Vec<Value> = rows.iter().map(shown).collect();
    Ok(Json(json!({ "items": items })))
}

/// Maps a token and its descendants.
pub(crate) async fn post(
    State(app): State<AppState>,
    viewer: Viewer,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>)> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let token = fields.text("id_token", LONGEST_TOKEN);
    if token.is_none() {
        fields.complain("id_token", "is missing: expected an id token");
    }
    let blank = NewMapping {
        id_token: token.unwrap_or_default(),
        customer_id: Uuid::nil(),
        subscription: None,
        display_name: String::new(),
        notes: String::new(),
        active: true,
    };
    let new = read(&app, &mut db, fields, blank).await?;
    let made = match tag_mappings::create(&mut db, &new, now).await {
        Err(error) if error.is_conflict("tag_mappings_id_token_key") => {
            let taken = format!("{} has a mapping already", new.id_token);
            return Err(Error::Conflict(taken));
        }
        made => made?,
    };
    let detail = json!({ "id_token": new.id_token, "children": made.children.len() });
    let entry = viewer.did(
        now,
        "mapping.create",
        format!("mapping/{}", made.id),
        detail,
    );
    store::audit::record(&mut db, &entry).await?;
    let body = with_children(&mut db, &made).await?;
    db.commit().await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// Changes a mapping and those that were made with it; what is left out keeps its value.
pub(crate) async fn put(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    mut fields: Fields,
) -> Result<Json<Value>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = found(&mut db, &id).await?;
    let kept = NewMapping {
        id_token: before.id_token.clone(),
        customer_id: before.customer_id,
        subscription: before.subscription.clone(),
        display_name: before.display_name.clone(),
        notes: before.notes.clone(),
        active: before.active,
    };
    let also_before = fields
        .read("also_before", "true or false", Value::as_bool)
        .unwrap_or(false);
    let new = read(&app, &mut db, fields, kept).await?;
    let changed = tag_mappings::update(&mut db, before.id, &new, now)
        .await?
        .ok_or_else(no_such_mapping)?;
    if also_before {
        past_accounts::forget(&mut db, &new.id_token).await?;
    }
    let detail = json!({
        "customer_id": { "before": before.customer_id, "after": new.customer_id },
        "active": { "before": before.active, "after": new.active }, "children": changed.children.len(),
    });
    let entry = viewer.did(
        now,
        "mapping.change",
        format!("mapping/{}", before.id),
        detail,
    );
    store::audit::record(&mut db, &entry).await?;
    let body = with_children(&mut db, &changed).await?;
    db.commit().await?;
    Ok(Json(body))
}

/// Deletes a mapping and those that were made with it.
pub(crate) async fn delete(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Value>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = found(&mut db, &id).await?;
    let deleted = tag_mappings::delete(&mut db, before.id, now)
        .await?
        .ok_or_else(no_such_mapping)?;
    let detail = json!({ "id_token": before.id_token, "children": deleted.children.len() });
    let entry = viewer.did(
        now,
        "mapping.delete",
        format!("mapping/{}", before.id),
        detail,
    );
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(Json(json!({ "total_deleted": 1 + deleted.children.len() })))
}

async fn found(db: &mut Scoped<'_>, id: &str) -> Result<Mapping> {
    let id: Uuid = id.parse().map_err(|_| no_such_mapping())?;
    tag_mappings::find(db, id)
        .await?
        .ok_or_else(no_such_mapping)
}

fn no_such_mapping() -> Error {
    Error::NotFound("there is no such mapping".to_owned())
}

/// The mapping as the body wants it.
async fn read(
    app: &AppState,
    db: &mut Scoped<'_>,
    mut fields: Fields,
    before: NewMapping,
) -> Result<NewMapping> {
    let mut after = before;
    let text = |most: usize| {
        move |value: &Value| {
            let text = value.as_str()?;
            (text.is_empty() || printable(text, most)).then(|| text.to_owned())
        }
    };
    let own = fields.read("customer_id", "the id of a customer", |value| {
        value.as_str()?.parse::<Uuid>().ok()
    });
    let in_lago = fields.text("lago_customer", 200);
    if let Some(subscription) = fields.read(
        "subscription",
        "a subscription's id in Lago, or null",
        |value| {
            if value.is_null() {
                return Some(None);
            }
            text(200)(value).map(|id| Some(id).filter(|id| !id.is_empty()))
        },
    ) {
        after.subscription = subscription;
    }
    if let Some(name) = fields.read(
        "display_name",
        "a text of at most 200 characters",
        text(200),
    ) {
        after.display_name = name;
    }
    if let Some(notes) = fields.read("notes", "a text of at most 2000 characters", text(2000)) {
        after.notes = notes;
    }
    if let Some(active) = fields.read("active", "true or false", Value::as_bool) {
        after.active = active;
    }
    match (own, in_lago) {
        (Some(id), None) => match customers::get(db, id).await? {
            Some(_) => after.customer_id = id,
            None => fields.complain(
                "customer_id",
                format!("{id}: expected a customer that there is"),
            ),
        },
        (None, Some(lago_id)) => {
            after.customer_id = lago::customer_of(db, app, &lago_id, None).await?;
        }
        (Some(_), Some(_)) => fields.complain(
            "lago_customer",
            "is there beside customer_id: expected one of the two",
        ),
        (None, None) if after.customer_id.is_nil() => fields.complain(
            "lago_customer",
            "is missing: expected a customer's id in Lago, or customer_id",
        ),
        (None, None) => {}
    }
    fields.finish()?;
    Ok(after)
}

async fn with_children(db: &mut Scoped<'_>, changed: &Changed) -> Result<Value> {
    let all = tag_mappings::list(db).await?;
    let parent = all.iter().find(|row| row.id == changed.id).map(shown);
    let children: Vec<Value> = all
        .iter()
        .filter(|row| row.made_for == Some(changed.id))
        .map(shown)
        .collect();
    Ok(
        json!({ "parent_mapping": parent, "total_created": 1 + children.len(), "child_mappings": children }),
    )
}

fn shown(row: &Mapping) -> Value {
    json!({
        "id": row.id, "id_token": row.id_token, "parent_id_token": row.parent, "customer_id": row.customer_id,
        "customer": row.customer, "lago_customer": row.lago_customer, "subscription": row.subscription,
        "display_name": row.display_name, "notes": row.notes, "active": row.active, "made_for": row.made_for,
        "updated_at": Stamp(row.updated_at),
    })
}
