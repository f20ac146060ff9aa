//! `/invoices`: invoices and credit notes, one with its sessions and lines, and its PDF.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use billing::invoice::Party;
use serde::Serialize;
use store::{
    customers,
    invoices::{self, Filter, Invoice, LineOf, SessionOf, State as InvoiceState},
    legal_entities, payments,
};
use uuid::Uuid;

use super::{
    input::{Params, Segment},
    shape::{self, List, Stamp},
};
use crate::{AppState, Error, Result, auth::Viewer, pages};

/// An invoice or credit note. Amounts are decimal strings in its currency.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    number: String,
    kind: &'static str,
    state: &'static str,
    seller: String,
    customer: Option<Uuid>,
    buyer: Party,
    month: Option<String>,
    issued_at: Stamp,
    issued_on: String,
    due_on: String,
    currency: String,
    net: String,
    tax: String,
    total: String,
    paid: String,
    credited: String,
    open: String,
    reason: String,
}

impl From<Invoice> for Item {
    fn from(invoice: Invoice) -> Self {
        Item {
            kind: invoice.kind.as_str(),
            state: invoice.state.as_str(),
            seller: invoice.legal_entity,
            customer: invoice.customer_id,
            buyer: Party::from_json(&invoice.buyer),
            month: invoice.month.map(|month| month.format("%Y-%m").to_string()),
            issued_at: Stamp(invoice.issued_at),
            issued_on: invoice.issued_on.to_string(),
            due_on: invoice.due_on.to_string(),
            currency: invoice.currency,
            net: invoice.net.to_string(),
            tax: invoice.tax.to_string(),
            total: invoice.total.to_string(),
            paid: invoice.paid.to_string(),
            credited: invoice.credited.to_string(),
            open: invoice.open.to_string(),
            reason: invoice.reason,
            number: invoice.number,
        }
    }
}

/// A session as it stood when the document was issued.
#[derive(Debug, Serialize)]
struct Session {
    session: Uuid,
    revision: i32,
    site: String,
    station: String,
    connector: i32,
    started_at: Stamp,
    ended_at: Stamp,
    energy_wh: Option<i64>,
    register_start_wh: Option<i64>,
    register_stop_wh: Option<i64>,
    prices_include_tax: bool,
    signed_sha256: Vec<String>,
    saved: Option<String>,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    kind: String,
    source: Option<String>,
    quantity: String,
    unit_price: String,
    tax_rate: String,
    net: String,
    tax: String,
    total: String,
    from: Stamp,
    to: Stamp,
}

impl From<&LineOf> for Line {
    fn from(line: &LineOf) -> Self {
        Line {
            kind: line.kind.clone(),
            source: line.source.clone(),
            quantity: line.quantity.to_string(),
            unit_price: line.unit_price.to_string(),
            tax_rate: line.tax_rate.to_string(),
            net: line.net.to_string(),
            tax: line.tax.to_string(),
            total: line.total.to_string(),
            from: Stamp(line.from),
            to: Stamp(line.to),
        }
    }
}

fn session(session: SessionOf, lines: &[LineOf]) -> Session {
    Session {
        lines: lines
            .iter()
            .filter(|line| line.position == session.position)
            .map(Line::from)
            .collect(),
        session: session.session_id,
        revision: session.revision,
        site: session.site,
        station: session.station,
        connector: session.connector,
        started_at: Stamp(session.started_at),
        ended_at: Stamp(session.ended_at),
        energy_wh: session.energy_wh,
        register_start_wh: session.register_start_wh,
        register_stop_wh: session.register_stop_wh,
        prices_include_tax: session.prices_include_tax,
        signed_sha256: session.signed,
        saved: session.saved.map(|saved| saved.to_string()),
    }
}

#[derive(Debug, Serialize)]
struct Payment {
    id: Uuid,
    method: &'static str,
    provider: String,
    reference: String,
    amount: String,
    received_on: String,
    recorded_at: Stamp,
}

/// A document with all that is on it.
#[derive(Debug, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    item: Item,
    sessions: Vec<Session>,
    payments: Vec<Payment>,
}

/// The documents of a filter, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Item>>> {
    let states = InvoiceState::ALL.map(InvoiceState::as_str).join(", ");
    let mut filter = Filter {
        state: params.read("state", &states, InvoiceState::parse),
        text: params.text("q"),
        from: params.time("from"),
        to: params.time("to"),
        ..Filter::default()
    };
    let (seller, customer) = (params.text("seller"), params.text("customer"));
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if let Some(seller) = seller {
        let found = legal_entities::find(&mut db, &seller).await?;
        filter.legal_entity_id = found.map(|entity| entity.id);
        if filter.legal_entity_id.is_none() {
            let detail = format!("{seller:?}: expected the name or id of a legal entity");
            params.complain("seller", detail);
        }
    }
    if let Some(customer) = customer {
        let found = customers::find(&mut db, &customer).await?;
        filter.customer_id = found.map(|customer| customer.id);
        if filter.customer_id.is_none() {
            let detail = format!("{customer:?}: expected the name or id of a customer");
            params.complain("customer", detail);
        }
    }
    params.finish()?;
    let rows = invoices::list(&mut db, &filter, after, limit + 1, app.clock.now()).await?;
    Ok(shape::list(rows, limit, shape::cursor, Item::from))
}

/// One document with its sessions, lines and payments; with `.pdf` behind its number, the file.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(number): Segment,
) -> Result<Response> {
    if let Some(number) = number.strip_suffix(".pdf") {
        return pages::invoice::file(&app, &viewer.scope, number).await;
    }
    let mut db = viewer.scope.begin(&app.pool).await?;
    let invoice = invoices::find(&mut db, &number, app.clock.now())
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no invoice {number:?}")))?;
    let lines = invoices::lines(&mut db, invoice.id).await?;
    let sessions = invoices::sessions(&mut db, invoice.id).await?;
    let paid = payments::of_invoice(&mut db, invoice.id).await?;
    Ok(Json(Detail {
        sessions: sessions.into_iter().map(|of| session(of, &lines)).collect(),
        payments: paid
            .into_iter()
            .map(|payment| Payment {
                id: payment.id,
                method: payment.method.as_str(),
                provider: payment.provider,
                reference: payment.reference,
                amount: payment.amount.to_string(),
                received_on: payment.received_on.to_string(),
                recorded_at: Stamp(payment.recorded_at),
            })
            .collect(),
        item: invoice.into(),
    })
    .into_response())
}
