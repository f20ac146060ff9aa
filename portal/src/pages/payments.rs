//! `/payments`: money that came for invoices, or went back. It is recorded on the invoice's page.

use askama::Template;
use axum::{extract::State, response::Response};
use store::{
    Cursor,
    payments::{self, Method, Payment},
};

use super::{
    asked::{Parameters, query},
    frame::Frame,
    html,
    invoices::money,
};
use crate::{AppState, Result, view::Moment};

/// Payments on one page.
const PAGE: i64 = 100;

#[derive(Template)]
#[template(path = "payments.html")]
struct List {
    frame: Frame,
    rows: Vec<Line>,
    is_first: bool,
    next_link: Option<String>,
}

/// A payment in a list.
pub(super) struct Line {
    pub invoice: String,
    pub customer: String,
    pub received_on: String,
    pub recorded: Moment,
    pub method: &'static str,
    pub reference: String,
    pub note: String,
    pub amount: String,
}

/// `GET /payments`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let after: Option<Cursor> =
        parameters.read("after", "a place in the list", |text| text.parse().ok())?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut found = payments::list(&mut db, after, PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let next = found.last().filter(|_| more).map(Cursor::from);
    html(&List {
        frame,
        rows: found.iter().map(line).collect(),
        is_first: after.is_none(),
        next_link: next.map(|next| format!("/payments{}", query(&[("after", next.to_string())]))),
    })
}

pub(super) fn line(payment: &Payment) -> Line {
    let reference = [payment.provider.as_str(), payment.reference.as_str()];
    Line {
        invoice: payment.invoice.clone(),
        customer: payment.customer.clone(),
        received_on: payment.received_on.format("%-d %b %Y").to_string(),
        recorded: Moment::new(payment.recorded_at, None),
        method: word(payment.method),
        reference: reference
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        note: payment.note.clone(),
        amount: money(payment.amount, &payment.currency),
    }
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Bank => "Bank transfer",
        Method::Cash => "Cash",
        Method::Card => "Card",
        Method::Provider => "Payment provider",
        Method::Transfer => "From another invoice",
    }
}

/// The methods that a person may record, as a form offers them.
pub(super) fn methods() -> Vec<(String, String)> {
    Method::BY_HAND
        .map(|method| (method.as_str().to_owned(), word(method).to_owned()))
        .to_vec()
}
