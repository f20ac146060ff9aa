//! `/invoices/{number}`: one document with its sessions, payments and log; its PDF; and what may be done with it.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use billing::{
    invoice::{Party, paper},
    pdf,
    price::{LineKind, words},
    requests::Wish,
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;
use store::{
    Scope, Scoped,
    billing_requests::{self, Outcome},
    invoices::{self, Happening, Invoice, Kind, LineOf, SessionOf, State as InvoiceState},
    payments::{self, Method},
    vouchers,
};
use uuid::Uuid;

use super::{
    again,
    flash::Flash,
    form::{Form, decimal},
    frame::Frame,
    html,
    invoices::{LATER, Row, amount_of, ask, made, money, no_such_invoice, row, what},
    payments::{self as payments_page, Line as PaymentLine},
    settings::legal_holds::Row as HoldRow,
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    view::{Chip, Moment, number},
};

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page {
    frame: Frame,
    form: Form,
    methods: Vec<(String, String)>,
    number: String,
    what: String,
    chip: Chip,
    buyer: Party,
    seller: Party,
    issued_on: String,
    due_on: String,
    reason: String,
    currency: String,
    net: String,
    tax: String,
    total: String,
    paid: String,
    credited: String,
    open: String,
    owes_customer: bool,
    is_credit_note: bool,
    may_credit: bool,
    may_pay: bool,
    sessions: Vec<Session>,
    taxes: Vec<(String, String, String)>,
    payments: Vec<PaymentLine>,
    kin: Vec<Row>,
    log: Vec<Entry>,
    waits: Option<String>,
    holds: Vec<HoldRow>,
}

struct Session {
    id: Uuid,
    station: String,
    site: String,
    started: Moment,
    ended: Moment,
    energy: String,
    registers: String,
    signed: usize,
    total: String,
    lines: Vec<Line>,
    /// Still on this document, and not credited.
    is_live: bool,
}

struct Line {
    what: String,
    quantity: String,
    unit_price: String,
    rate: String,
    net: String,
    total: String,
}

struct Entry {
    at: Moment,
    what: String,
    detail: String,
    actor: String,
}

/// `GET /invoices/{number}`: the page, and with `.pdf` the file.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    Path(number): Path<String>,
) -> Result<Response> {
    if let Some(number) = number.strip_suffix(".pdf") {
        return file(&app, &frame.scope, number).await;
    }
    let mut db = frame.scope.begin(&app.pool).await?;
    let invoice = find(&app, &mut db, &number).await?;
    let form = payment_form(&app, &invoice);
    let page = load(&app, &mut db, frame, invoice, form).await?;
    html(&page)
}

/// The file of a document: as it was sent, or as it will be.
pub(crate) async fn file(app: &AppState, scope: &Scope, number: &str) -> Result<Response> {
    let mut db = scope.begin(&app.pool).await?;
    let invoice = find(app, &mut db, number).await?;
    let pdf = match invoices::document(&mut db, invoice.id).await? {
        Some(pdf) => pdf,
        None => {
            let paper = paper::load(&mut db, invoice.id, app.clock.now())
                .await?
                .ok_or_else(no_such_invoice)?;
            tokio::task::spawn_blocking(move || pdf::render(&paper))
                .await
                .map_err(|error| Error::Broken(error.to_string()))?
                .map_err(Error::Broken)?
        }
    };
    let name = format!("inline; filename=\"{}.pdf\"", invoice.number);
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, pdf).into_response())
}

async fn find(app: &AppState, db: &mut Scoped<'_>, number: &str) -> Result<Invoice> {
    if number.contains('\0') {
        return Err(no_such_invoice());
    }
    invoices::find(db, number, app.clock.now())
        .await?
        .ok_or_else(no_such_invoice)
}

fn payment_form(app: &AppState, invoice: &Invoice) -> Form {
    let open = amount_of(invoice.open.max(Decimal::ZERO), &invoice.currency);
    Form::filled([
        ("amount", open),
        ("method", Method::Bank.as_str().to_owned()),
        ("received_on", app.clock.now().date_naive().to_string()),
        ("once", store::ids::new_id(app.clock.now()).to_string()),
    ])
}

async fn load(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    invoice: Invoice,
    form: Form,
) -> Result<Page> {
    let now = app.clock.now();
    let sessions = invoices::sessions(db, invoice.id).await?;
    let lines = invoices::lines(db, invoice.id).await?;
    let live = invoices::live_sessions(db, invoice.id).await?;
    let log = invoices::happenings(db, invoice.id).await?;
    let paid = payments::of_invoice(db, invoice.id).await?;
    let mut kin = invoices::kin(db, invoice.id, now).await?;
    for id in [invoice.corrects, invoice.replaces].into_iter().flatten() {
        kin.extend(invoices::get(db, id, now).await?);
    }
    let asked = billing_requests::last(db, invoice.id).await?;
    let holds = vouchers::holds(db, Some(invoice.id)).await?;
    let is_credit_note = invoice.kind == Kind::CreditNote;
    let in_currency = |amount: Decimal| money(amount, &invoice.currency);
    Ok(Page {
        methods: payments_page::methods(),
        what: what(&invoice),
        chip: Chip::invoice(invoice.state),
        buyer: Party::from_json(&invoice.buyer),
        seller: Party::from_json(&invoice.seller),
        issued_on: invoice.issued_on.format("%-d %b %Y").to_string(),
        due_on: invoice.due_on.format("%-d %b %Y").to_string(),
        net: amount_of(invoice.net, &invoice.currency),
        tax: amount_of(invoice.tax, &invoice.currency),
        total: in_currency(invoice.total),
        paid: in_currency(invoice.paid),
        credited: in_currency(invoice.credited),
        open: in_currency(invoice.open.abs()),
        owes_customer: invoice.open < Decimal::ZERO,
        is_credit_note,
        may_credit: frame.controls_all && !is_credit_note && !live.is_empty(),
        may_pay: frame.controls_all && !is_credit_note,
        taxes: billing::invoice::reckon::taxes(&lines)
            .into_iter()
            .map(|(rate, net, tax)| {
                (
                    rate.to_string(),
                    amount_of(net, &invoice.currency),
                    amount_of(tax, &invoice.currency),
                )
            })
            .collect(),
        sessions: sessions
            .iter()
            .map(|session| of_session(session, &lines, &live, &invoice.currency))
            .collect(),
        payments: paid.iter().map(payments_page::line).collect(),
        kin: kin.iter().map(row).collect(),
        log: log.into_iter().rev().map(entry).collect(),
        waits: asked
            .filter(|asked| asked.done_at.is_none())
            .map(|asked| asked.kind.replace('_', " ")),
        holds: holds
            .into_iter()
            .filter(|hold| hold.is_open(now))
            .map(|hold| HoldRow::new(hold, now))
            .collect(),
        reason: invoice.reason,
        currency: invoice.currency,
        number: invoice.number,
        form,
        frame,
    })
}

fn of_session(session: &SessionOf, lines: &[LineOf], live: &[Uuid], currency: &str) -> Session {
    let mine: Vec<&LineOf> = lines
        .iter()
        .filter(|line| line.position == session.position)
        .collect();
    let zone = Some(session.time_zone.as_str());
    let total: Decimal = mine.iter().map(|line| line.total).sum();
    Session {
        id: session.session_id,
        station: format!("{} / {}", session.station, session.connector),
        site: session.site.clone(),
        started: Moment::new(session.started_at, zone),
        ended: Moment::new(session.ended_at, zone),
        energy: number::kilo_or_blank(session.energy_wh),
        registers: session
            .register_start_wh
            .zip(session.register_stop_wh)
            .map_or_else(String::new, |(start, stop)| {
                format!("{} to {}", number::kilo(start), number::kilo(stop))
            }),
        signed: session.signed.len(),
        total: amount_of(total, currency),
        lines: mine
            .into_iter()
            .map(|line| of_line(line, currency))
            .collect(),
        is_live: live.contains(&session.session_id),
    }
}

fn of_line(line: &LineOf, currency: &str) -> Line {
    let unit = LineKind::parse(&line.kind).map_or("", LineKind::unit);
    Line {
        what: words::stored(&line.kind, line.source.as_deref()),
        quantity: format!("{} {unit}", line.quantity.normalize())
            .trim_end()
            .to_owned(),
        unit_price: line.unit_price.normalize().to_string(),
        rate: line.tax_rate.normalize().to_string(),
        net: amount_of(line.net, currency),
        total: amount_of(line.total, currency),
    }
}

fn entry(happening: Happening) -> Entry {
    let what = match happening.kind.as_str() {
        "issued" => "Issued",
        "mail_queued" => "Mail queued",
        "mailed" => "Mail taken by the mail server",
        "mail_failed" => "Mail given up",
        "payment" => "Payment recorded",
        "paid" => "Paid",
        "overdue" => "Overdue",
        "credited" => "Credited",
        other => other,
    };
    let said = |name: &str| {
        happening
            .detail
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let amount = said("amount").map(|amount| {
        let currency = said("currency").unwrap_or_default();
        format!("{amount} {currency}")
    });
    let parts: Vec<String> = [
        amount,
        said("method"),
        said("to"),
        said("why"),
        said("reason"),
    ]
    .into_iter()
    .flatten()
    .filter(|part| !part.is_empty())
    .collect();
    Entry {
        at: Moment::new(happening.at, None),
        what: what.to_owned(),
        detail: parts.join(" · "),
        actor: happening
            .actor
            .unwrap_or(match happening.actor_kind.as_str() {
                "cli" => "command line".to_owned(),
                "system" => "billing".to_owned(),
                other => other.replace('_', " "),
            }),
    }
}

/// Asks for something about a document, and goes on to what came of it.
async fn act(
    app: &AppState,
    viewer: &Viewer,
    number: &str,
    action: &str,
    wish: Wish,
    said: &str,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let invoice = find(app, &mut db, number).await?;
    drop(db);
    let back = format!("/invoices/{}", invoice.number);
    match ask(app, viewer, invoice.id, ("invoice", action), &wish).await? {
        None => Ok(Flash::new(LATER).to(app, &back)),
        Some(Outcome {
            refused: Some(why), ..
        }) => Ok(Flash::new(format!("Not done: {why}.")).to(app, &back)),
        Some(Outcome {
            result: Some(document),
            ..
        }) => made(app, viewer, Some(document), &back).await,
        Some(_) => Ok(Flash::new(said).to(app, &back)),
    }
}

/// `POST /invoices/{number}/credit`: the sessions that are ticked. All of it is another button's.
pub async fn credit(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(number): Path<String>,
    mut form: Form,
) -> Result<Response> {
    let reason = form.line("reason", 0..=200);
    if !form.is_clean() {
        let back = format!("/invoices/{number}");
        return Ok(
            Flash::new("Not done: the reason is a line of at most 200 characters.").to(&app, &back),
        );
    }
    let ticked: Option<Vec<Uuid>> = form
        .all("session")
        .into_iter()
        .map(|id| id.parse().ok())
        .collect();
    let Some(ticked) = ticked.filter(|ticked| !ticked.is_empty()) else {
        let back = format!("/invoices/{number}");
        let said =
            "Not done: tick the sessions to be credited; “Void” takes back the whole invoice.";
        return Ok(Flash::new(said).to(&app, &back));
    };
    let wish = Wish::Credit {
        sessions: Some(ticked),
        reason,
    };
    act(
        &app,
        &viewer,
        &number,
        "invoice.credit",
        wish,
        "It was credited.",
    )
    .await
}

/// `POST /invoices/{number}/void`: takes all of it back.
pub async fn void(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(number): Path<String>,
) -> Result<Response> {
    let wish = Wish::Credit {
        sessions: None,
        reason: "Void".to_owned(),
    };
    act(&app, &viewer, &number, "invoice.void", wish, "It is void.").await
}

/// `POST /invoices/{number}/regenerate`.
pub async fn regenerate(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(number): Path<String>,
) -> Result<Response> {
    let said = "It was issued anew.";
    act(
        &app,
        &viewer,
        &number,
        "invoice.regenerate",
        Wish::Regenerate,
        said,
    )
    .await
}

/// `POST /invoices/{number}/mail`.
pub async fn mail(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(number): Path<String>,
    mut form: Form,
) -> Result<Response> {
    let to = Some(form.line("to", 0..=200)).filter(|to| !to.is_empty());
    act(
        &app,
        &viewer,
        &number,
        "invoice.mail",
        Wish::Mail { to },
        "The mail is queued.",
    )
    .await
}

/// `POST /invoices/{number}/payments`: money that came, or (below zero) went back.
pub async fn pay(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Path(number): Path<String>,
    mut form: Form,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let invoice = find(&app, &mut db, &number).await?;
    let minus = form.value("amount").replace('\u{2212}', "-");
    form.set("amount", minus);
    let amount = form.read("amount", "an amount such as 17.50", decimal);
    let method = form.choice(
        "method",
        &Method::BY_HAND.map(|method| (method.as_str(), method)),
    );
    let received_on = form.read("received_on", "a day such as 2026-11-20", |text| {
        text.parse::<NaiveDate>().ok()
    });
    let reference = form.line("reference", 0..=200);
    let once = form.optional("once", "the number of a form", |text| text.parse().ok());
    let note = form.line("note", 0..=500);
    if let (true, Some(amount), Some(method), Some(received_on)) =
        (form.is_clean(), amount, method, received_on)
    {
        drop(db);
        let wish = Wish::Pay {
            method: method.as_str().to_owned(),
            provider: String::new(),
            reference,
            amount,
            received_on,
            note,
            once,
        };
        let back = format!("/invoices/{}", invoice.number);
        let outcome = ask(
            &app,
            &viewer,
            invoice.id,
            ("invoice", "payment.record"),
            &wish,
        )
        .await?;
        match outcome {
            None => return Ok(Flash::new(LATER).to(&app, &back)),
            Some(Outcome {
                refused: Some(why), ..
            }) => form.complain("", why),
            Some(_) => {
                let said = format!(
                    "{} was recorded for {}.",
                    money(amount, &invoice.currency),
                    invoice.number
                );
                return Ok(Flash::new(said).to(&app, &back));
            }
        }
        db = viewer.scope.begin(&app.pool).await?;
    }
    let page = load(&app, &mut db, frame, invoice, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Whether a document is void, for the template.
impl Page {
    fn is_void(&self) -> bool {
        self.chip == Chip::invoice(InvoiceState::Void)
    }
}
