//! The pages for people: one file, one template and one test each. A handler reads its query, asks the store, and hands
//! plain values to the template; how they look is decided in [`crate::view`].

pub mod admission;
pub mod asked;
pub mod billing_events;
pub mod command_form;
pub mod command_rows;
pub mod configuration_templates;
pub mod customers;
pub mod driver_groups;
pub mod firmware;
pub mod flash;
pub mod form;
pub mod frame;
pub mod invoice;
pub mod invoices;
pub mod lago_invoices;
pub mod mappings;
pub mod messages;
pub mod overview;
pub mod payments;
mod price;
pub mod reports;
pub mod review;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod station;
pub mod stations;
pub mod sync;
pub mod tags;
pub mod tariffs;
pub mod tasks;
pub mod theme;
pub mod waiting;

use askama::Template;
use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::{Access, Error, Result, Route, assets, error::Problem, live};

/// The routes of the pages, their live stream and their files.
pub fn routes() -> Vec<Route> {
    [
        main(),
        station::routes(),
        messages::routes(),
        tags::routes(),
        waiting::routes(),
        tasks::routes(),
        tariffs::routes(),
        money(),
        configuration(),
        reports(),
        customers(),
        driver_groups(),
        usage_to_lago(),
        settings(),
    ]
    .concat()
}

fn main() -> Vec<Route> {
    vec![
        Route::get("/", Access::Read, overview::page),
        Route::get("/stations", Access::Read, stations::page),
        Route::get("/firmware", Access::Read, firmware::page),
        Route::post(
            "/firmware",
            Access::ControlAll,
            firmware::upload.layer(DefaultBodyLimit::max(crate::files::LARGEST + 64 * 1024)),
        ),
        Route::post(
            "/firmware/{id}/remove",
            Access::ControlAll,
            firmware::remove,
        ),
        Route::post(
            "/stations/{identity}/accept",
            Access::Control,
            admission::accept,
        ),
        Route::post(
            "/stations/{identity}/block",
            Access::Control,
            admission::block,
        ),
        Route::post(
            "/stations/{identity}/hold",
            Access::Control,
            admission::hold,
        ),
        Route::post(
            "/stations/{identity}/assume-16",
            Access::Control,
            admission::assume_16,
        ),
        Route::post(
            "/stations/{identity}/forget",
            Access::Control,
            admission::forget_station,
        ),
        Route::post(
            "/refusals/{identity}/forget",
            Access::ControlAll,
            admission::forget,
        ),
        Route::get("/sessions", Access::Read, sessions::page),
        Route::get("/sessions/{id}", Access::Read, session::page),
        Route::post("/sessions/{id}/release", Access::Control, review::release),
        Route::post("/sessions/{id}/correct", Access::Control, review::correct),
        Route::get("/held", Access::Read, review::list),
        Route::get("/events", Access::Read, live::stream),
        Route::post("/theme", Access::Public, theme::choose),
        Route::get("/assets/{name}", Access::Public, assets::serve),
        Route::get("/favicon.ico", Access::Public, assets::favicon),
    ]
}

fn configuration() -> Vec<Route> {
    use configuration_templates as templates;
    vec![
        Route::get("/configuration-templates", Access::ReadAll, templates::list),
        Route::post(
            "/configuration-templates",
            Access::ControlAll,
            templates::create,
        ),
        Route::get(
            "/configuration-templates/{id}",
            Access::ReadAll,
            templates::page,
        ),
        Route::post(
            "/configuration-templates/{id}",
            Access::ControlAll,
            templates::change,
        ),
        Route::post(
            "/configuration-templates/{id}/delete",
            Access::ControlAll,
            templates::delete,
        ),
    ]
}

fn reports() -> Vec<Route> {
    vec![
        Route::get("/reports", Access::Read, reports::page),
        Route::get("/reports.csv", Access::Read, reports::csv),
        Route::get("/reports.xlsx", Access::Read, reports::xlsx),
        Route::get("/reports/invoices", Access::Read, reports::invoiced::page),
        Route::get(
            "/reports/invoices.csv",
            Access::Read,
            reports::invoiced::csv,
        ),
        Route::get(
            "/reports/invoices.xlsx",
            Access::Read,
            reports::invoiced::xlsx,
        ),
    ]
}

fn money() -> Vec<Route> {
    vec![
        Route::get("/invoices", Access::Read, invoices::list),
        Route::get("/invoices/issue", Access::ControlAll, invoices::issue),
        Route::post("/invoices/issue", Access::ControlAll, invoices::issue_month),
        Route::post("/invoices/receipt", Access::ControlAll, invoices::receipt),
        Route::get("/invoices/lago", Access::ReadAll, lago_invoices::list),
        Route::get("/invoices/{number}", Access::Read, invoice::page),
        Route::post(
            "/invoices/{number}/credit",
            Access::ControlAll,
            invoice::credit,
        ),
        Route::post("/invoices/{number}/void", Access::ControlAll, invoice::void),
        Route::post(
            "/invoices/{number}/regenerate",
            Access::ControlAll,
            invoice::regenerate,
        ),
        Route::post("/invoices/{number}/mail", Access::ControlAll, invoice::mail),
        Route::post(
            "/invoices/{number}/payments",
            Access::ControlAll,
            invoice::pay,
        ),
        Route::get("/credit-notes", Access::Read, invoices::credit_notes),
        Route::get("/payments", Access::Read, payments::list),
    ]
}

fn customers() -> Vec<Route> {
    vec![
        Route::get("/customers", Access::ReadAll, customers::list),
        Route::post("/customers", Access::ControlAll, customers::create),
        Route::get("/customers/new", Access::ControlAll, customers::new),
        Route::get("/customers/{id}", Access::ReadAll, customers::page),
        Route::post("/customers/{id}", Access::ControlAll, customers::change),
    ]
}

fn usage_to_lago() -> Vec<Route> {
    vec![
        Route::get("/mappings", Access::ReadAll, mappings::list),
        Route::post("/mappings", Access::ControlAll, mappings::create),
        Route::get("/mappings/new", Access::ControlAll, mappings::new),
        Route::get(
            "/mappings/subscriptions",
            Access::ControlAll,
            mappings::subscriptions,
        ),
        Route::get("/mappings/{id}", Access::ReadAll, mappings::page),
        Route::post("/mappings/{id}", Access::ControlAll, mappings::change),
        Route::post(
            "/mappings/{id}/toggle",
            Access::ControlAll,
            mappings::toggle,
        ),
        Route::post(
            "/mappings/{id}/delete",
            Access::ControlAll,
            mappings::delete,
        ),
        Route::get("/billing-events", Access::Read, billing_events::page),
        Route::get("/sync", Access::ReadAll, sync::page),
        Route::post("/sync", Access::ControlAll, sync::request),
        Route::post("/sync/retry", Access::ControlAll, sync::retry),
        Route::get("/sync/runs/{id}", Access::ReadAll, sync::run),
        Route::post("/sync/runs/{id}/replay", Access::ControlAll, sync::replay),
        Route::post(
            "/sync/sessions/{id}/resolve",
            Access::ControlAll,
            sync::resolve,
        ),
        Route::post(
            "/sync/webhooks/{id}/replay",
            Access::ControlAll,
            sync::replay_webhook,
        ),
    ]
}

fn driver_groups() -> Vec<Route> {
    use driver_groups as groups;
    vec![
        Route::get("/driver-groups", Access::ReadAll, groups::list),
        Route::post("/driver-groups", Access::ControlAll, groups::create),
        Route::get("/driver-groups/{id}", Access::ReadAll, groups::page),
        Route::post("/driver-groups/{id}", Access::ControlAll, groups::rename),
        Route::post(
            "/driver-groups/{id}/tokens",
            Access::ControlAll,
            groups::add_tokens,
        ),
        Route::post(
            "/driver-groups/{id}/remove",
            Access::ControlAll,
            groups::remove_token,
        ),
    ]
}

fn settings() -> Vec<Route> {
    use settings::{holidays, legal_entities as entities, legal_holds as holds, sites};
    let (read, write) = (Access::ReadAll, Access::ControlAll);
    vec![
        Route::get("/settings", read, settings::first),
        Route::get("/settings/legal-entities", read, entities::list),
        Route::post("/settings/legal-entities", write, entities::create),
        Route::get("/settings/legal-entities/new", write, entities::new),
        Route::get("/settings/legal-entities/{id}", read, entities::page),
        Route::post("/settings/legal-entities/{id}", write, entities::change),
        Route::get("/settings/legal-entities/{id}/logo", read, entities::logo),
        Route::get("/settings/sites", read, sites::list),
        Route::post("/settings/sites", write, sites::create),
        Route::get("/settings/sites/new", write, sites::new),
        Route::get("/settings/sites/{id}", read, sites::page),
        Route::post("/settings/sites/{id}", write, sites::change),
        Route::get("/settings/holidays", read, holidays::list),
        Route::post("/settings/holidays", write, holidays::import),
        Route::get("/settings/holidays/{name}", read, holidays::page),
        Route::post("/settings/holidays/{name}/remove", write, holidays::remove),
        Route::get("/settings/legal-holds", read, holds::list),
        Route::post("/settings/legal-holds", write, holds::set),
        Route::post("/settings/legal-holds/{id}/lift", write, holds::lift),
    ]
}

/// A page as the answer to its request.
pub(crate) fn html(page: &impl Template) -> Result<Response> {
    let text = page
        .render()
        .map_err(|error| Error::Broken(format!("a template: {error}")))?;
    Ok(Html(text).into_response())
}

/// A page whose form was not accepted, to be corrected and sent once more: 422, or what `form` deserves otherwise.
pub(crate) fn again(status: StatusCode, page: &impl Template) -> Result<Response> {
    let mut response = html(page)?;
    *response.status_mut() = status;
    Ok(response)
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    theme: &'a str,
    title: &'a str,
    detail: &'a str,
    status: u16,
    request_id: &'a str,
    remedy: &'a str,
}

/// The page of something that went wrong: what happened, what to do, and the id by which the log names it.
pub fn problem(problem: &Problem, request_id: &str, theme: &str) -> Html<String> {
    let page = ProblemPage {
        theme,
        title: problem.title(),
        detail: &problem.detail,
        status: problem.status.as_u16(),
        request_id,
        remedy: remedy(problem.status),
    };
    Html(page.render().expect("writing to a string cannot fail"))
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "Correct the named part of the address, or begin again from the menu."
        }
        StatusCode::FORBIDDEN => "Ask an administrator for the role or the site that it takes.",
        StatusCode::NOT_FOUND => {
            "Check the address. It may also be a thing of a site that your login does not see."
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            "Wait a moment, then try again."
        }
        status if status.is_server_error() => {
            "Try again. If it stays so, give the request's id to whoever runs this installation."
        }
        _ => "Go back and try it another way.",
    }
}
