//! The API for programs, below `/api/v1`: JSON in, JSON or problem+json out. One file per resource; what they share is
//! in `input` (what is sent, read strictly) and `shape` (what is answered).

mod billing_events;
mod certificates;
mod charging_profiles;
mod commands;
mod configuration;
mod configuration_templates;
mod credentials;
pub(crate) mod files;
mod health;
mod holds;
mod id_tokens;
pub(crate) mod input;
mod invoices;
mod lago;
mod local_lists;
mod mappings;
pub(crate) mod messages;
mod refusals;
mod reservations;
mod security_events;
mod sessions;
mod shape;
mod station_jobs;
mod stations;
mod sync;
mod tasks;
mod transactions;

use crate::{Access, Route};

/// The routes of the API.
pub fn routes() -> Vec<Route> {
    [
        stations_and_sessions(),
        orders(),
        kept_of_stations(),
        station_jobs(),
        usage_to_lago(),
    ]
    .concat()
}

fn kept_of_stations() -> Vec<Route> {
    vec![
        Route::get(
            "/api/v1/stations/{identity}/configuration",
            Access::Read,
            configuration::get,
        ),
        Route::post(
            "/api/v1/stations/{identity}/configuration/read",
            Access::Control,
            configuration::read,
        ),
        Route::post(
            "/api/v1/stations/{identity}/configuration/apply",
            Access::Control,
            configuration::apply,
        ),
        Route::get(
            "/api/v1/configuration-templates",
            Access::ReadAll,
            configuration_templates::list,
        ),
        Route::post(
            "/api/v1/configuration-templates",
            Access::ControlAll,
            configuration_templates::post,
        ),
        Route::put(
            "/api/v1/configuration-templates/{id}",
            Access::ControlAll,
            configuration_templates::put,
        ),
        Route::delete(
            "/api/v1/configuration-templates/{id}",
            Access::ControlAll,
            configuration_templates::delete,
        ),
        Route::get(
            "/api/v1/stations/{identity}/local-list",
            Access::Read,
            local_lists::get,
        ),
        Route::put(
            "/api/v1/stations/{identity}/local-list",
            Access::Control,
            local_lists::put,
        ),
        Route::post(
            "/api/v1/stations/{identity}/local-list/push",
            Access::Control,
            local_lists::push,
        ),
        Route::post(
            "/api/v1/stations/{identity}/local-list/version",
            Access::Control,
            local_lists::ask_version,
        ),
        Route::get(
            "/api/v1/sites/{id}/local-list",
            Access::Read,
            local_lists::of_site,
        ),
        Route::put(
            "/api/v1/sites/{id}/local-list",
            Access::Control,
            local_lists::put_site,
        ),
        Route::get("/api/v1/reservations", Access::Read, reservations::list),
        Route::get("/api/v1/reservations/{id}", Access::Read, reservations::get),
        Route::post(
            "/api/v1/reservations/{id}/cancel",
            Access::Control,
            reservations::cancel,
        ),
        Route::get(
            "/api/v1/stations/{identity}/reservations",
            Access::Read,
            reservations::of_station,
        ),
        Route::post(
            "/api/v1/stations/{identity}/reservations",
            Access::Control,
            reservations::post,
        ),
        Route::get(
            "/api/v1/stations/{identity}/charging-profiles",
            Access::Read,
            charging_profiles::list,
        ),
        Route::get(
            "/api/v1/stations/{identity}/composite-schedule",
            Access::Read,
            charging_profiles::composite,
        ),
    ]
}

fn usage_to_lago() -> Vec<Route> {
    vec![
        Route::get("/api/v1/health", Access::Public, health::get),
        Route::post("/api/v1/sync", Access::ControlAll, sync::request),
        Route::get("/api/v1/sync/status", Access::ReadAll, sync::status),
        Route::get("/api/v1/sync-state", Access::Read, sync::states),
        Route::get("/api/v1/mappings", Access::ReadAll, mappings::list),
        Route::post("/api/v1/mappings", Access::ControlAll, mappings::post),
        Route::put("/api/v1/mappings/{id}", Access::ControlAll, mappings::put),
        Route::delete(
            "/api/v1/mappings/{id}",
            Access::ControlAll,
            mappings::delete,
        ),
        Route::get("/api/v1/billing-events", Access::Read, billing_events::list),
        Route::get(
            "/api/v1/billing-events/export",
            Access::Read,
            billing_events::export,
        ),
        Route::get("/api/v1/lago/customers", Access::ReadAll, lago::customers),
        Route::get("/api/v1/lago/invoices", Access::ReadAll, lago::invoices),
        Route::get(
            "/api/v1/lago/subscriptions",
            Access::ReadAll,
            lago::subscriptions,
        ),
    ]
}

fn orders() -> Vec<Route> {
    let (read, control) = (Access::Read, Access::Control);
    vec![
        Route::post(
            "/api/v1/stations/{identity}/commands",
            control,
            commands::post,
        ),
        Route::get("/api/v1/commands", read, commands::list),
        Route::get("/api/v1/commands/{id}", read, commands::get),
        Route::post("/api/v1/commands/{id}/cancel", control, commands::cancel),
        Route::post("/api/v1/commands/{id}/rerun", control, commands::rerun),
        Route::get("/api/v1/tasks", read, tasks::list),
        Route::post("/api/v1/tasks", control, tasks::post),
        Route::get("/api/v1/tasks/{id}", read, tasks::get),
        Route::get("/api/v1/tasks/{id}/csv", read, crate::tasks::csv),
        Route::post("/api/v1/tasks/{id}/cancel", control, tasks::cancel),
    ]
}

fn station_jobs() -> Vec<Route> {
    vec![
        Route::get(
            "/api/v1/stations/{identity}/firmware-jobs",
            Access::Read,
            station_jobs::list_firmware,
        ),
        Route::post(
            "/api/v1/stations/{identity}/firmware-jobs",
            Access::Control,
            station_jobs::post_firmware,
        ),
        Route::get(
            "/api/v1/stations/{identity}/log-jobs",
            Access::Read,
            station_jobs::list_logs,
        ),
        Route::post(
            "/api/v1/stations/{identity}/log-jobs",
            Access::Control,
            station_jobs::post_log,
        ),
        Route::get(
            "/api/v1/stations/{identity}/logs/{id}",
            Access::Read,
            files::log,
        ),
        Route::get(
            "/api/v1/stations/{identity}/installed-certificates",
            Access::Read,
            certificates::list,
        ),
        Route::get("/api/v1/firmware-images", Access::Read, files::images),
        Route::post(
            "/api/v1/firmware-images",
            Access::ControlAll,
            files::post_image,
        ),
        Route::delete(
            "/api/v1/firmware-images/{id}",
            Access::ControlAll,
            files::delete_image,
        ),
        Route::get(
            "/api/v1/security-events",
            Access::Read,
            security_events::list,
        ),
    ]
}

fn stations_and_sessions() -> Vec<Route> {
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
            "/api/v1/stations/{identity}/forget",
            Access::Control,
            stations::forget,
        ),
        Route::post(
            "/api/v1/stations/{identity}/credentials/rotate",
            Access::Control,
            credentials::rotate,
        ),
        Route::get("/api/v1/sessions", Access::Read, sessions::list),
        Route::get("/api/v1/sessions/{id}", Access::Read, sessions::get),
        Route::get("/api/v1/holds", Access::Read, holds::list),
        Route::post(
            "/api/v1/sessions/{id}/release",
            Access::Control,
            holds::release,
        ),
        Route::post(
            "/api/v1/sessions/{id}/correction",
            Access::Control,
            holds::correct,
        ),
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
