//! `/invoices/lago`: the invoices that Lago made of the usage that we told it, asked for when somebody looks. They are
//! Lago's: nothing of them is kept here.

use askama::Template;
use axum::{extract::State, response::Response};
use billing::lago::wire::Invoice;
use rust_decimal::Decimal;
use store::Currency;

use super::{
    asked::{Parameters, query},
    frame::Frame,
    html,
    invoices::money,
};
use crate::{AppState, Result, view::Chip};

#[derive(Template)]
#[template(path = "lago_invoices.html")]
struct List {
    frame: Frame,
    customer: String,
    rows: Vec<Row>,
    /// Why there are none to see.
    trouble: Option<String>,
    is_first: bool,
    next_link: Option<String>,
}

struct Row {
    number: String,
    customer: String,
    issued_on: String,
    due_on: String,
    chip: Chip,
    payment: Chip,
    total: String,
    file: Option<String>,
}

/// `GET /invoices/lago`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let customer = parameters.read("customer", "at most 255 characters", |text| {
        (text.chars().count() <= 255).then(|| text.to_owned())
    })?;
    let page = parameters
        .read("page", "a whole number from 1", |text| {
            text.parse().ok().filter(|page| (1..=10_000).contains(page))
        })?
        .unwrap_or(1_u64);
    let mut list = List {
        frame,
        customer: customer.clone().unwrap_or_default(),
        rows: Vec::new(),
        trouble: None,
        is_first: page == 1,
        next_link: None,
    };
    let Some(client) = &app.lago.client else {
        list.trouble = Some("Lago is not set up here.".to_owned());
        return html(&list);
    };
    match client.invoices(customer.as_deref(), page).await {
        Ok((found, next)) => {
            list.rows = found.into_iter().map(row).collect();
            list.next_link = next.map(|next| {
                let mut pairs = vec![("page", next.to_string())];
                pairs.extend(customer.map(|customer| ("customer", customer)));
                format!("/invoices/lago{}", query(&pairs))
            });
        }
        Err(error) => list.trouble = Some(format!("Lago does not tell: {error}.")),
    }
    html(&list)
}

/// Lago counts in the currency's smallest unit.
pub(crate) fn total(invoice: &Invoice) -> Decimal {
    let exponent = invoice.currency.parse().map_or(2, Currency::exponent);
    Decimal::new(invoice.total_amount_cents, exponent)
}

fn row(invoice: Invoice) -> Row {
    let day = |day: Option<chrono::NaiveDate>| {
        day.map_or_else(String::new, |day| day.format("%-d %b %Y").to_string())
    };
    let total = money(total(&invoice), &invoice.currency);
    let customer = invoice.customer.map_or_else(String::new, |customer| {
        customer
            .name
            .filter(|name| !name.is_empty())
            .unwrap_or(customer.external_id)
    });
    Row {
        number: invoice
            .number
            .filter(|number| !number.is_empty())
            .unwrap_or_else(|| "draft".to_owned()),
        customer,
        issued_on: day(invoice.issuing_date),
        due_on: day(invoice.payment_due_date),
        chip: Chip::lago_invoice(&invoice.status),
        payment: Chip::lago_payment(&invoice.payment_status, invoice.payment_overdue),
        total,
        // It goes into a link: nothing but the web.
        file: invoice
            .file_url
            .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
    }
}
