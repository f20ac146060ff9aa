//! `/reports/invoices`: what was invoiced, paid and is open, by month and currency; as a page and as files.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{Datelike, Days, Months, NaiveDate};
use futures_util::stream;
use store::reports::{self, Invoiced};

use super::read_day;
use crate::{
    AppState, Result,
    export::{self, Cell, Kind, Sheet},
    pages::{
        asked::{Parameters, query, refuse},
        frame::Frame,
        html,
        invoices::amount_of,
    },
};

/// The longest period, in days.
const LONGEST: u64 = 3660;

/// What the report was asked for.
struct Asked {
    from: NaiveDate,
    to: NaiveDate,
    currency: Option<String>,
}

impl Asked {
    /// Without a period it is the last twelve months.
    fn read(parameters: &Parameters, today: NaiveDate) -> Result<Self> {
        let day = |name| parameters.read(name, "a day such as 2026-11-20", read_day);
        let to = day("to")?.unwrap_or(today);
        let month = to - Days::new(u64::from(to.day0()));
        let from = day("from")?.unwrap_or(month - Months::new(11));
        if from + Days::new(LONGEST) < to {
            return Err(refuse("to", &to.to_string(), "within ten years of from"));
        }
        let expected = "a currency of ISO 4217 such as EUR";
        let currency = parameters.read("currency", expected, |text| {
            let code = text.to_ascii_uppercase();
            code.parse::<store::Currency>().ok().map(|_| code)
        })?;
        Ok(Asked { from, to, currency })
    }

    fn link(&self, ending: &str) -> String {
        let mut pairs = vec![("from", self.from.to_string()), ("to", self.to.to_string())];
        pairs.extend(self.currency.clone().map(|code| ("currency", code)));
        format!("/reports/invoices{ending}{}", query(&pairs))
    }
}

#[derive(Template)]
#[template(path = "reports_invoices.html")]
struct Page {
    frame: Frame,
    from: String,
    to: String,
    rows: Vec<Row>,
    csv_link: String,
    xlsx_link: String,
}

struct Row {
    month: String,
    link: Option<String>,
    currency: String,
    invoices: i64,
    credit_notes: i64,
    invoiced: String,
    credited: String,
    paid: String,
    open: String,
    overdue: String,
    is_overdue: bool,
}

/// `GET /reports/invoices`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let now = app.clock.now();
    let asked = Asked::read(&parameters, now.date_naive())?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let days = (asked.from, asked.to);
    let found = reports::invoiced(&mut db, days, asked.currency.as_deref(), now).await?;
    html(&Page {
        from: asked.from.to_string(),
        to: asked.to.to_string(),
        rows: found.into_iter().rev().map(row).collect(),
        csv_link: asked.link(".csv"),
        xlsx_link: asked.link(".xlsx"),
        frame,
    })
}

fn row(found: Invoiced) -> Row {
    let amount = |amount| amount_of(amount, &found.currency);
    let first = read_day(&format!("{}-01", found.month));
    Row {
        month: first.map_or_else(
            || found.month.clone(),
            |day| day.format("%B %Y").to_string(),
        ),
        link: first.map(|first| {
            let last = first + Months::new(1) - Days::new(1);
            let pairs = [("from", first.to_string()), ("to", last.to_string())];
            format!("/invoices{}", query(&pairs))
        }),
        invoices: found.invoices,
        credit_notes: found.credit_notes,
        invoiced: amount(found.invoiced),
        credited: amount(found.credited),
        paid: amount(found.paid),
        open: amount(found.open),
        overdue: amount(found.overdue),
        is_overdue: !found.overdue.is_zero(),
        currency: found.currency,
    }
}

/// `GET /reports/invoices.csv`.
pub async fn csv(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    file(app, frame, &parameters, Kind::Csv).await
}

/// `GET /reports/invoices.xlsx`.
pub async fn xlsx(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    file(app, frame, &parameters, Kind::Xlsx).await
}

/// Twelve rows a year and currency: they are read before the file begins.
async fn file(
    app: AppState,
    frame: Frame,
    parameters: &Parameters,
    kind: Kind,
) -> Result<Response> {
    let now = app.clock.now();
    let asked = Asked::read(parameters, now.date_naive())?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let days = (asked.from, asked.to);
    let found = reports::invoiced(&mut db, days, asked.currency.as_deref(), now).await?;
    drop(db);
    let columns = [
        ("Month", 12),
        ("Currency", 10),
        ("Invoices", 10),
        ("Credit notes", 12),
        ("Invoiced", 14),
        ("Credited", 14),
        ("Paid", 14),
        ("Open", 14),
        ("Overdue", 14),
    ];
    let sheet = Sheet {
        name: format!("invoices_by_month_{}_{}", asked.from, asked.to),
        title: "Invoices by month",
        columns: columns
            .map(|(name, width)| (name.to_owned(), width))
            .to_vec(),
        filters: vec![
            ("From".to_owned(), asked.from.to_string()),
            ("To".to_owned(), asked.to.to_string()),
        ],
    };
    let (to, rows) = export::channel();
    tokio::spawn(async move {
        export::send(stream::iter(found.into_iter().map(Ok)), &to, cells).await;
    });
    export::answer(kind, sheet, rows).await
}

fn cells(row: Invoiced) -> Vec<Cell> {
    let decimals = row.currency.parse().map_or(2, store::Currency::exponent);
    let money = |amount| Cell::Number(amount, decimals);
    vec![
        Cell::Text(row.month),
        Cell::Text(row.currency.clone()),
        Cell::Whole(row.invoices),
        Cell::Whole(row.credit_notes),
        money(row.invoiced),
        money(row.credited),
        money(row.paid),
        money(row.open),
        money(row.overdue),
    ]
}
