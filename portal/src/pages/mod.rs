//! The pages for people.

use askama::Template;
use axum::response::Html;

use crate::{Route, error::Problem};

/// The routes of the pages.
pub fn routes() -> Vec<Route> {
    Vec::new()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// The page of something that went wrong: what happened, what to do, and the id by which the log names it.
pub fn problem(problem: &Problem, request_id: &str) -> Html<String> {
    let page = ProblemPage {
        title: problem.title(),
        detail: &problem.detail,
        request_id,
    };
    Html(page.render().expect("writing to a string cannot fail"))
}
