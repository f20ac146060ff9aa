//! `/transactions`: OCPP's facts, without what people make of them.

use axum::{Json, extract::State};
use serde::Serialize;
use store::transactions::{self, Filter};
use uuid::Uuid;

use super::{
    input::Params,
    shape::{self, List, Stamp},
};
use crate::{AppState, Result, auth::Viewer};

/// A transaction. `id` is that of its session too; `transaction_id` is the number on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Transaction {
    id: Uuid,
    transaction_id: i64,
    station: String,
    evse: i32,
    connector: i32,
    id_token: String,
    started_at: Stamp,
    start_received_at: Stamp,
    meter_start_wh: i64,
    stopped_at: Option<Stamp>,
    stop_received_at: Option<Stamp>,
    meter_stop_wh: Option<i64>,
    stop_reason: Option<String>,
    stop_id_token: Option<String>,
    flags: Vec<String>,
}

impl From<transactions::Transaction> for Transaction {
    fn from(transaction: transactions::Transaction) -> Self {
        Transaction {
            id: transaction.id,
            transaction_id: transaction.number,
            station: transaction.station,
            evse: transaction.evse,
            connector: transaction.connector,
            id_token: transaction.id_token,
            started_at: Stamp(transaction.started_at),
            start_received_at: Stamp(transaction.start_received_at),
            meter_start_wh: transaction.meter_start_wh,
            stopped_at: transaction.stopped_at.map(Stamp),
            stop_received_at: transaction.stop_received_at.map(Stamp),
            meter_stop_wh: transaction.meter_stop_wh,
            stop_reason: transaction.stop_reason,
            stop_id_token: transaction.stop_id_token,
            flags: transaction.flags,
        }
    }
}

/// The transactions of a station, or of all, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Transaction>>> {
    let filter = Filter {
        station: params.text("station"),
        from: params.time("from"),
        to: params.time("to"),
        open: params.read("open", "true or false", |text| text.parse().ok()),
    };
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = transactions::list(&mut db, &filter, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Transaction::from))
}
