//! `/invoices`: what was issued, by state, with what is open in each currency; and `/invoices/issue`, where statements
//! and receipts are asked for. Billing issues them: a page asks, and waits a moment for the answer.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{Redirect, Response},
};
use billing::{
    invoice::{Party, parse_month},
    jobs::invoices::due_month,
    requests::{self, Wish},
};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use store::{
    Cursor, Money,
    billing_requests::{self, Outcome},
    customers,
    invoices::{self, Draft, Filter, Invoice, Kind, State as InvoiceState, Sum},
    legal_entities::{self, LegalEntity},
};
use uuid::Uuid;

use super::{
    again,
    asked::{Parameters, query},
    flash::Flash,
    form::Form,
    frame::Frame,
    html,
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    view::{Chip, number},
};

/// Documents on one page.
const PAGE: i64 = 50;
/// Billing looks for requests twice a second; nobody waits longer than this for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

/// What the page was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    filter: Filter,
    after: Option<Cursor>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self> {
        let states = InvoiceState::ALL.map(InvoiceState::as_str).join(", ");
        Ok(Asked {
            filter: Filter {
                legal_entity_id: parameters.id("seller")?,
                customer_id: parameters.id("customer")?,
                state: parameters.read("state", &format!("one of {states}"), |text| {
                    InvoiceState::parse(text)
                })?,
                text: parameters.read("q", "at most 100 characters", |text| {
                    (text.chars().count() <= 100).then(|| text.to_owned())
                })?,
                from: parameters.instant("from", false)?,
                to: parameters.instant("to", true)?,
            },
            after: parameters.read("after", "a place in the list", |text| text.parse().ok())?,
        })
    }

    fn pairs(
        &self,
        state: Option<InvoiceState>,
        after: Option<Cursor>,
    ) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut pairs = Vec::new();
        pairs.extend(state.map(|state| ("state", state.as_str().to_owned())));
        pairs.extend(filter.text.clone().map(|text| ("q", text)));
        pairs.extend(filter.legal_entity_id.map(|id| ("seller", id.to_string())));
        pairs.extend(filter.customer_id.map(|id| ("customer", id.to_string())));
        pairs.extend(filter.from.map(|from| ("from", day(from))));
        pairs.extend(filter.to.map(|to| ("to", day(to))));
        pairs.extend(after.map(|after| ("after", after.to_string())));
        pairs
    }

    fn link(&self, state: Option<InvoiceState>, after: Option<Cursor>) -> String {
        format!("/invoices{}", query(&self.pairs(state, after)))
    }

    fn any(&self) -> bool {
        self.filter != Filter::default()
    }

    fn text(&self) -> &str {
        self.filter.text.as_deref().unwrap_or_default()
    }

    fn is_seller(&self, id: &Uuid) -> bool {
        self.filter.legal_entity_id.as_ref() == Some(id)
    }
}

#[derive(Template)]
#[template(path = "invoices.html")]
struct List {
    frame: Frame,
    asked: Asked,
    tabs: Vec<Tab>,
    tiles: Vec<Tile>,
    rows: Vec<Row>,
    sellers: Vec<LegalEntity>,
    first_link: String,
    next_link: Option<String>,
    /// Whether Lago makes invoices, too.
    lago: bool,
}

/// A quick filter.
struct Tab {
    name: &'static str,
    link: String,
    count: String,
    is_current: bool,
}

/// Sums of a currency, which is never added to another.
struct Tile {
    currency: String,
    open: String,
    overdue: String,
    issued: String,
}

/// A document in a list.
pub(super) struct Row {
    pub number: String,
    pub what: String,
    pub customer: String,
    pub seller: String,
    pub issued_on: String,
    pub due_on: String,
    pub chip: Chip,
    pub total: String,
    pub open: String,
}

/// `GET /invoices`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let asked = Asked::read(&parameters)?;
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut found = invoices::list(&mut db, &asked.filter, asked.after, PAGE + 1, now).await?;
    let sums = invoices::sums(&mut db, &asked.filter, now).await?;
    let sellers = legal_entities::list(&mut db).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let next = found.last().filter(|_| more).map(Cursor::from);
    html(&List {
        tabs: tabs(&asked, &sums),
        tiles: tiles(&sums),
        rows: found.iter().map(row).collect(),
        first_link: asked.link(asked.filter.state, None),
        next_link: next.map(|next| asked.link(asked.filter.state, Some(next))),
        sellers,
        lago: app.lago.client.is_some(),
        asked,
        frame,
    })
}

fn tabs(asked: &Asked, sums: &[Sum]) -> Vec<Tab> {
    let count = |state: Option<InvoiceState>| -> i64 {
        sums.iter()
            .filter(|sum| state.is_none_or(|state| sum.state == state))
            .map(|sum| sum.count)
            .sum()
    };
    [
        ("All", None),
        ("Issued", Some(InvoiceState::Issued)),
        ("Overdue", Some(InvoiceState::Overdue)),
        ("Paid", Some(InvoiceState::Paid)),
        ("Void", Some(InvoiceState::Void)),
        ("Credit notes", Some(InvoiceState::CreditNote)),
    ]
    .into_iter()
    .map(|(name, state)| Tab {
        name,
        link: asked.link(state, None),
        count: number::count(count(state)),
        is_current: asked.filter.state == state,
    })
    .collect()
}

fn tiles(sums: &[Sum]) -> Vec<Tile> {
    let mut currencies: Vec<&str> = sums.iter().map(|sum| sum.currency.as_str()).collect();
    currencies.dedup();
    currencies
        .into_iter()
        .map(|currency| {
            let sum = |states: &[InvoiceState], of: fn(&Sum) -> Decimal| {
                let amount = sums
                    .iter()
                    .filter(|sum| sum.currency == currency && states.contains(&sum.state))
                    .map(of)
                    .sum();
                amount_of(amount, currency)
            };
            Tile {
                currency: currency.to_owned(),
                open: sum(&[InvoiceState::Issued, InvoiceState::Overdue], |sum| {
                    sum.open
                }),
                overdue: sum(&[InvoiceState::Overdue], |sum| sum.open),
                // Credit notes are below zero.
                issued: sum(&InvoiceState::ALL, |sum| sum.total),
            }
        })
        .collect()
}

/// An amount with its currency's decimals, without its name: the column says it, or the tile.
pub(super) fn amount_of(amount: Decimal, currency: &str) -> String {
    match currency.parse() {
        Ok(currency) => {
            let text = Money { amount, currency }.to_string();
            text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ')
                .replace('-', "\u{2212}")
        }
        Err(_) => amount.to_string(),
    }
}

/// An amount with its currency.
pub(super) fn money(amount: Decimal, currency: &str) -> String {
    format!("{} {currency}", amount_of(amount, currency))
}

pub(super) fn row(invoice: &Invoice) -> Row {
    let buyer = Party::from_json(&invoice.buyer).name;
    Row {
        number: invoice.number.clone(),
        what: what(invoice),
        customer: if buyer.is_empty() {
            "Walk-in".to_owned()
        } else {
            buyer
        },
        seller: invoice.legal_entity.clone(),
        issued_on: invoice.issued_on.format("%-d %b %Y").to_string(),
        due_on: invoice.due_on.format("%-d %b %Y").to_string(),
        chip: Chip::invoice(invoice.state),
        total: money(invoice.total, &invoice.currency),
        open: if invoice.open.is_zero() || invoice.kind == Kind::CreditNote {
            String::new()
        } else {
            money(invoice.open, &invoice.currency)
        },
    }
}

/// What a document is, in words.
pub(super) fn what(invoice: &Invoice) -> String {
    match (invoice.kind, invoice.month) {
        (Kind::CreditNote, _) => "Credit note".to_owned(),
        (Kind::Receipt, _) => "Receipt".to_owned(),
        (Kind::Correction, _) => "Correction".to_owned(),
        (Kind::Statement, Some(month)) => format!("Statement {}", month.format("%b %Y")),
        (Kind::Statement, None) => "Statement".to_owned(),
    }
}

/// `GET /credit-notes`: the list, filtered.
pub async fn credit_notes() -> Redirect {
    Redirect::to("/invoices?state=credit_note")
}

#[derive(Template)]
#[template(path = "invoices_issue.html")]
struct IssuePage {
    frame: Frame,
    form: Form,
    sellers: Vec<(String, String)>,
    drafts: Vec<DraftRow>,
}

struct DraftRow {
    seller: String,
    customer: String,
    month: String,
    sessions: i32,
    total: String,
}

async fn issue_page(app: &AppState, frame: Frame, form: Form) -> Result<IssuePage> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let sellers = legal_entities::list(&mut db).await?;
    let drafts = invoices::drafts(&mut db).await?;
    Ok(IssuePage {
        sellers: sellers
            .into_iter()
            .map(|seller| (seller.id.to_string(), seller.fields.name))
            .collect(),
        drafts: drafts.into_iter().map(draft).collect(),
        form,
        frame,
    })
}

fn draft(draft: Draft) -> DraftRow {
    DraftRow {
        seller: draft.legal_entity,
        customer: draft.customer,
        month: draft.month.format("%B %Y").to_string(),
        sessions: draft.sessions,
        total: money(draft.total, &draft.currency),
    }
}

/// `GET /invoices/issue`.
pub async fn issue(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let month = due_month(app.clock.now(), chrono_tz::UTC);
    let form = Form::filled([("month", month.format("%Y-%m").to_string())]);
    html(&issue_page(&app, frame, form).await?)
}

/// `POST /invoices/issue`: a month's statements, or drafts of them.
pub async fn issue_month(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let seller = form.read("seller", "one of the legal entities", |text| {
        text.parse::<Uuid>().ok()
    });
    let month = form.read("month", "a month such as 2026-10", parse_month);
    let draft = form.value("do") != "issue";
    let named = form.line("customer", 0..=200);
    let customer = match named.as_str() {
        "" => None,
        named => {
            let mut db = viewer.scope.begin(&app.pool).await?;
            let found = customers::find(&mut db, named).await?;
            if found.is_none() {
                form.expected("customer", "the name or id of one customer");
            }
            found.map(|customer| customer.id)
        }
    };
    if let (true, Some(seller), Some(month)) = (form.is_clean(), seller, month) {
        let wish = Wish::Statements {
            month,
            customer,
            draft,
        };
        let outcome = ask(
            &app,
            &viewer,
            seller,
            ("legal_entity", "invoice.statements"),
            &wish,
        )
        .await?;
        match outcome.as_ref().map(|outcome| &outcome.refused) {
            Some(Some(why)) => form.complain("", why.clone()),
            Some(None) if draft => {
                return Ok(Flash::new("The drafts were made.").to(&app, "/invoices/issue"));
            }
            Some(None) => {
                return Ok(Flash::new("The statements were issued.").to(&app, "/invoices"));
            }
            None => return Ok(Flash::new(LATER).to(&app, "/invoices")),
        }
    }
    again(
        StatusCode::UNPROCESSABLE_ENTITY,
        &issue_page(&app, frame, form).await?,
    )
}

/// `POST /invoices/receipt`: a receipt for one session.
pub async fn receipt(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let session = form.read("session", "the id of a session", |text| {
        text.parse::<Uuid>().ok()
    });
    let buyer = Party {
        name: form.line("buyer_name", 0..=200),
        address: form.lines("buyer_address", 0..=500),
        email: form.email("buyer_email"),
        ..Party::default()
    };
    if let (true, Some(session)) = (form.is_clean(), session) {
        let buyer = Some(buyer).filter(|buyer| *buyer != Party::default());
        let wish = Wish::Receipt { buyer };
        let outcome = ask(
            &app,
            &viewer,
            session,
            ("session", "invoice.receipt"),
            &wish,
        )
        .await?;
        match outcome {
            Some(Outcome {
                refused: Some(why), ..
            }) => form.complain("session", why),
            Some(done) => return made(&app, &viewer, done.result, "/invoices").await,
            None => return Ok(Flash::new(LATER).to(&app, "/invoices")),
        }
    }
    again(
        StatusCode::UNPROCESSABLE_ENTITY,
        &issue_page(&app, frame, form).await?,
    )
}

/// What is said when billing did not answer in time.
pub(super) const LATER: &str = "Billing was asked, and does it as soon as it can.";

/// Asks billing for something, as far as this viewer may, and waits a moment for the outcome; `None` if there is none
/// yet. `what` is the kind of thing it is about, and the action's name in the audit log.
pub(super) async fn ask(
    app: &AppState,
    viewer: &Viewer,
    subject: Uuid,
    (thing, action): (&str, &str),
    wish: &Wish,
) -> Result<Option<Outcome>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let id = requests::ask(&mut db, subject, wish, viewer.actor, now).await?;
    let detail = json!({ "request": id, "asked": wish });
    let entry = viewer.did(now, action, format!("{thing}/{subject}"), detail);
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut db = viewer.scope.begin(&app.pool).await?;
        let outcome = billing_requests::outcome(&mut db, id).await?;
        if let Some(done) = outcome.filter(|outcome| outcome.done_at.is_some()) {
            return Ok(Some(done));
        }
        drop(db);
        if tokio::time::Instant::now() >= until {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// To the document that was made, saying so.
pub(super) async fn made(
    app: &AppState,
    viewer: &Viewer,
    document: Option<Uuid>,
    otherwise: &str,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let found = match document {
        Some(id) => invoices::get(&mut db, id, app.clock.now()).await?,
        None => None,
    };
    let Some(invoice) = found else {
        return Ok(Flash::new("It was done.").to(app, otherwise));
    };
    let what = if invoice.kind == Kind::CreditNote {
        "Credit note"
    } else {
        "Invoice"
    };
    let said = format!("{what} {} was issued.", invoice.number);
    Ok(Flash::new(said).to(app, &format!("/invoices/{}", invoice.number)))
}

/// 404 of a document.
pub(crate) fn no_such_invoice() -> Error {
    Error::NotFound("there is no such invoice".to_owned())
}
