//! The report as a file: the rows of the same query, all of them, as CSV or XLSX.

use axum::{extract::State, response::Response};
use rust_decimal::Decimal;
use store::{
    reports::{self, By, Row},
    sites::{self, Site},
};

use super::{Asked, head};
use crate::{
    AppState, Result,
    export::{self, Cell, Sheet},
    pages::{asked::Parameters, frame::Frame, overview::common_zone},
};

/// `GET /reports.csv`.
pub async fn csv(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    file(app, frame, &parameters, export::Kind::Csv).await
}

/// `GET /reports.xlsx`.
pub async fn xlsx(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    file(app, frame, &parameters, export::Kind::Xlsx).await
}

async fn file(
    app: AppState,
    frame: Frame,
    parameters: &Parameters,
    kind: export::Kind,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let sites = sites::list(&mut db).await?;
    let today = app
        .clock
        .now()
        .with_timezone(&common_zone(&sites))
        .date_naive();
    drop(db);
    let asked = Asked::read(parameters, today)?;
    let sheet = sheet(&asked, &sites);
    // Only so many at a time: they hold a connection for as long as the download takes.
    let turn = app.exports.clone().acquire_owned().await;
    let (to, rows) = export::channel();
    let (by, filter) = (asked.by, asked.filter);
    tokio::spawn(async move {
        let _turn = turn;
        match frame.scope.begin(&app.pool).await {
            Ok(mut db) => {
                let found = reports::rows(&mut db, by, &filter);
                export::send(found, &to, |row| cells(by, row)).await;
            }
            // If nobody waits any more, nobody needs to know.
            Err(error) => drop(to.send(Err(error.into())).await),
        }
    });
    export::answer(kind, sheet, rows).await
}

fn sheet(asked: &Asked, sites: &[Site]) -> Sheet {
    let filter = &asked.filter;
    let site = sites.iter().find(|site| asked.is_site(&site.id));
    let mut filters = vec![
        ("By".to_owned(), asked.by.as_str().to_owned()),
        ("From".to_owned(), filter.from.to_string()),
        ("To".to_owned(), filter.to.to_string()),
    ];
    for (name, value) in [
        ("Site", site.map(|site| site.name.clone())),
        ("Station", filter.station.clone()),
        ("Currency", filter.currency.clone()),
    ] {
        filters.push((name.to_owned(), value.unwrap_or_else(|| "all".to_owned())));
    }
    let columns = [
        (head(asked.by), 28),
        ("Currency", 10),
        ("Sessions", 10),
        ("Energy (kWh)", 14),
        ("Net", 14),
        ("Tax", 14),
        ("Total", 14),
        ("Held", 10),
    ];
    Sheet {
        name: format!(
            "report_by_{}_{}_{}",
            asked.by.as_str(),
            filter.from,
            filter.to
        ),
        title: "Report",
        columns: columns
            .map(|(name, width)| (name.to_owned(), width))
            .to_vec(),
        filters,
    }
}

fn cells(by: By, row: Row) -> Vec<Cell> {
    let decimals = row.currency.parse().map_or(2, store::Currency::exponent);
    let name = match (by, row.name.parse()) {
        (By::Day, Ok(day)) => Cell::Day(day),
        _ => Cell::Text(row.name),
    };
    let money = |amount| match row.currency.as_str() {
        "" => Cell::Empty,
        _ => Cell::Number(amount, decimals),
    };
    vec![
        name,
        Cell::Text(row.currency.clone()),
        Cell::Whole(row.sessions),
        Cell::Number(Decimal::new(row.energy_wh, 3), 3),
        money(row.net),
        money(row.tax),
        money(row.total),
        Cell::Whole(row.held),
    ]
}
