//! The pages for people: one file, one template and one test each. A handler reads its query, asks the store, and hands
//! plain values to the template; how they look is decided in [`crate::view`].

pub mod asked;
pub mod frame;
pub mod overview;
pub mod session;
pub mod sessions;
pub mod stations;
pub mod theme;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::{Access, Error, Result, Route, assets, error::Problem, live};

/// The routes of the pages, their live stream and their files.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Access::Read, overview::page),
        Route::get("/stations", Access::Read, stations::page),
        Route::get("/sessions", Access::Read, sessions::page),
        Route::get("/sessions/{id}", Access::Read, session::page),
        Route::get("/events", Access::Read, live::stream),
        Route::post("/theme", Access::Public, theme::choose),
        Route::get("/assets/{name}", Access::Public, assets::serve),
        Route::get("/favicon.ico", Access::Public, assets::favicon),
    ]
}

/// A page as the answer to its request.
pub(crate) fn html(page: &impl Template) -> Result<Response> {
    let text = page
        .render()
        .map_err(|error| Error::Broken(format!("a template: {error}")))?;
    Ok(Html(text).into_response())
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
