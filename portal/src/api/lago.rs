//! `/lago/…`: what there is to choose from in Lago, asked for now.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::input::Params;
use crate::{
    AppState, Result,
    lago::{subscription_label, unanswered},
};

/// Lago's customers.
pub(crate) async fn customers(State(app): State<AppState>, params: Params) -> Result<Json<Value>> {
    params.finish()?;
    let found = app.lago.asked()?.customers().await;
    let items: Vec<Value> = found
        .map_err(|error| unanswered(&error))?
        .into_iter()
        .map(|customer| {
            let name = customer.name.filter(|name| !name.is_empty());
            json!({ "id": customer.external_id, "name": name.unwrap_or_else(|| customer.external_id.clone()) })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

/// Lago's active subscriptions, of all customers or of one.
pub(crate) async fn subscriptions(
    State(app): State<AppState>,
    mut params: Params,
) -> Result<Json<Value>> {
    let customer = params.text("customer");
    params.finish()?;
    let found = app.lago.asked()?.subscriptions(customer.as_deref()).await;
    let items: Vec<Value> = found
        .map_err(|error| unanswered(&error))?
        .into_iter()
        .map(|found| {
            json!({
                "id": found.external_id, "name": subscription_label(&found),
                "customer_id": found.external_customer_id,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}
