//! `/lago/…`: what there is to choose from in Lago, asked for now.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::input::Params;
use crate::{
    AppState, Result,
    lago::{subscription_label, unanswered},
    pages::lago_invoices::total,
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

/// A page of the invoices that Lago made, the newest first; `next` is the next page's number.
pub(crate) async fn invoices(
    State(app): State<AppState>,
    mut params: Params,
) -> Result<Json<Value>> {
    let customer = params.text("customer");
    let page = params
        .read("page", "a whole number from 1", |text| {
            text.parse().ok().filter(|page| (1..=10_000).contains(page))
        })
        .unwrap_or(1);
    params.finish()?;
    let found = app.lago.asked()?.invoices(customer.as_deref(), page).await;
    let (found, next) = found.map_err(|error| unanswered(&error))?;
    let items: Vec<Value> = found
        .into_iter()
        .map(|invoice| {
            json!({
                "id": invoice.lago_id, "number": invoice.number, "status": invoice.status,
                "payment_status": invoice.payment_status, "payment_overdue": invoice.payment_overdue,
                "issued_on": invoice.issuing_date, "due_on": invoice.payment_due_date,
                "total": total(&invoice).to_string(), "currency": invoice.currency,
                "customer": invoice.customer.map(|customer| customer.external_id), "file_url": invoice.file_url,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items, "next": next })))
}
