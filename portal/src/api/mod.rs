//! The API for programs, below `/api/v1`: JSON in, JSON or problem+json out. One file per resource; what they share is
//! in `input` (what is sent, read strictly) and `shape` (what is answered).

mod commands;
mod id_tokens;
pub(crate) mod input;
mod invoices;
mod messages;
mod refusals;
mod sessions;
mod shape;
mod stations;
mod transactions;

use crate::{Access, Route};

/// The routes of the API.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/stations", Access::Read, stations::list),
        Route::get("/api/v1/stations/{identity}", Access::Read, stations::get),
        Route::put(
            "/api/v1/stations/{identity}",
            Access::Control,
            stations::put,
        ),
        Route::patch(
            "/api/v1/stations/{identity}",
            Access::Control,
            stations::patch,
        ),
        Route::post(
            "/api/v1/stations/{identity}/commands",
            Access::Control,
            commands::post,
        ),
        Route::get("/api/v1/commands", Access::Read, commands::list),
        Route::get("/api/v1/commands/{id}", Access::Read, commands::get),
        Route::get("/api/v1/sessions", Access::Read, sessions::list),
        Route::get("/api/v1/sessions/{id}", Access::Read, sessions::get),
        Route::get("/api/v1/invoices", Access::Read, invoices::list),
        Route::get("/api/v1/invoices/{number}", Access::Read, invoices::get),
        Route::get("/api/v1/transactions", Access::Read, transactions::list),
        Route::get("/api/v1/messages", Access::Read, messages::list),
        Route::get("/api/v1/refusals", Access::ReadAll, refusals::list),
        Route::get("/api/v1/id-tokens", Access::ReadAll, id_tokens::list),
        Route::get("/api/v1/id-tokens/{token}", Access::ReadAll, id_tokens::get),
        Route::put(
            "/api/v1/id-tokens/{token}",
            Access::ControlAll,
            id_tokens::put,
        ),
    ]
}
