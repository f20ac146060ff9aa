//! A table as a file: CSV (RFC 4180) and XLSX, row by row, so that a long one takes no more memory than a short one. The
//! rows come from the query that the page shows; what they are is the page's affair.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    pin::Pin,
};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use futures_util::{Stream, StreamExt, stream};
use rust_decimal::Decimal;
use rust_xlsxwriter::{Color, Format, FormatBorder, Workbook, XlsxError};
use tokio::sync::mpsc;

use crate::{Error, Result};

/// Rows that wait for whoever writes the file.
const WAITING: usize = 256;
/// Bytes that are sent at a time.
const CHUNK: usize = 64 * 1024;

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Words.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with so many decimals.
    Number(Decimal, u32),
    /// A day.
    Day(NaiveDate),
}

/// What a file is, besides its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The file's name, without its ending.
    pub name: String,
    /// The sheet's title, at most 31 characters.
    pub title: &'static str,
    /// The heads of the columns, and how wide they are, in characters.
    pub columns: Vec<(String, u16)>,
    /// What was asked for: name and value.
    pub filters: Vec<(String, String)>,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Comma-separated values.
    Csv,
    /// A workbook with two sheets.
    Xlsx,
}

/// The rows of a file; who fills it sends them here.
pub type Rows = mpsc::Receiver<Result<Vec<Cell>>>;

/// Where rows are sent from a query, and where the file reads them.
pub fn channel() -> (mpsc::Sender<Result<Vec<Cell>>>, Rows) {
    mpsc::channel(WAITING)
}

/// Sends every row of `found`, and the error that ended it, if one did.
pub async fn send<T>(
    found: impl Stream<Item = store::Result<T>>,
    to: &mpsc::Sender<Result<Vec<Cell>>>,
    row: impl Fn(T) -> Vec<Cell>,
) {
    let mut found = std::pin::pin!(found);
    while let Some(next) = found.next().await {
        let next = next.map(&row).map_err(Error::from);
        // Whoever asked has gone: the query ends too.
        if to.send(next).await.is_err() {
            return;
        }
    }
}

/// The file as the answer to its request.
///
/// # Errors
/// [`Error::Broken`] if a workbook could not be written, or what ended the rows. A CSV file has begun by then, and is
/// broken off.
pub async fn answer(kind: Kind, sheet: Sheet, rows: Rows) -> Result<Response> {
    let (media, ending) = match kind {
        Kind::Csv => ("text/csv; charset=utf-8", "csv"),
        Kind::Xlsx => (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
        ),
    };
    let headers = [
        (header::CONTENT_TYPE, media.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}.{ending}\"", sheet.name),
        ),
    ];
    let body = match kind {
        Kind::Csv => Body::from_stream(csv(&sheet, rows)),
        Kind::Xlsx => Body::from_stream(xlsx(sheet, rows).await?),
    };
    Ok((headers, body).into_response())
}

/// A text that a spreadsheet would take for a formula is shown as it is.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn line(cells: &[String]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer
        .write_record(cells)
        .expect("writing to memory cannot fail");
    writer.into_inner().expect("writing to memory cannot fail")
}

fn csv(sheet: &Sheet, rows: Rows) -> Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>> {
    let heads: Vec<String> = sheet
        .columns
        .iter()
        .map(|column| guarded(&column.0))
        .collect();
    let head = stream::once(std::future::ready(Ok(Bytes::from(line(&heads)))));
    let rows = stream::unfold(rows, |mut rows| async move {
        let mut some = Vec::with_capacity(WAITING);
        if rows.recv_many(&mut some, WAITING).await == 0 {
            return None;
        }
        let mut bytes = Vec::new();
        for row in some {
            match row {
                Ok(row) => {
                    let cells: Vec<String> = row.iter().map(written).collect();
                    bytes.extend(line(&cells));
                }
                Err(error) => {
                    tracing::warn!(%error, "an export was broken off");
                    return Some((Err(error), rows));
                }
            }
        }
        Some((Ok(Bytes::from(bytes)), rows))
    });
    Box::pin(head.chain(rows))
}

fn written(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => guarded(text),
        Cell::Whole(number) => number.to_string(),
        Cell::Number(number, decimals) => with_decimals(*number, *decimals),
        Cell::Day(day) => day.to_string(),
    }
}

/// At least so many decimals; none is lost.
fn with_decimals(number: Decimal, decimals: u32) -> String {
    let mut number = number.normalize();
    number.rescale(number.scale().max(decimals));
    number.to_string()
}

/// The workbook, from a file that is gone when it was read.
async fn xlsx(
    sheet: Sheet,
    rows: Rows,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send> {
    let file = tokio::task::spawn_blocking(move || workbook(&sheet, rows))
        .await
        .map_err(|error| Error::Broken(format!("an export: {error}")))??;
    Ok(stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let size = file.read(&mut chunk)?;
            chunk.truncate(size);
            std::io::Result::Ok((chunk, file))
        });
        match read.await.map_err(std::io::Error::other).flatten() {
            Ok((chunk, _)) if chunk.is_empty() => None,
            Ok((chunk, file)) => Some((Ok(Bytes::from(chunk)), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

fn workbook(sheet: &Sheet, rows: Rows) -> Result<std::fs::File> {
    let broken = |error: XlsxError| Error::Broken(format!("a workbook: {error}"));
    let on_disk = |error: std::io::Error| Error::Broken(format!("a workbook: {error}"));
    let mut book = Workbook::new();
    fill(&mut book, sheet, rows, broken)?;
    let mut file = tempfile::tempfile().map_err(on_disk)?;
    book.save_to_writer(&mut file).map_err(broken)?;
    file.flush().map_err(on_disk)?;
    file.seek(SeekFrom::Start(0)).map_err(on_disk)?;
    Ok(file)
}

fn fill(
    book: &mut Workbook,
    sheet: &Sheet,
    mut rows: Rows,
    broken: impl Fn(XlsxError) -> Error + Copy,
) -> Result<()> {
    let head = Format::new()
        .set_bold()
        .set_background_color(Color::RGB(0xEE_F1F5))
        .set_border_bottom(FormatBorder::Thin);
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let page = book.add_worksheet_with_constant_memory().map_err(broken)?;
    page.set_name(sheet.title).map_err(broken)?;
    page.set_freeze_panes(1, 0).map_err(broken)?;
    for (column, (name, width)) in (0..).zip(&sheet.columns) {
        page.set_column_width(column, *width).map_err(broken)?;
        page.write_with_format(0, column, name.as_str(), &head)
            .map_err(broken)?;
    }
    let mut number = 0;
    while let Some(row) = rows.blocking_recv() {
        number += 1;
        for (column, cell) in (0..).zip(row?) {
            match cell {
                Cell::Empty => continue,
                Cell::Text(text) => page.write_string(number, column, text),
                Cell::Whole(whole) => {
                    let plain = Format::new().set_num_format("0");
                    page.write_with_format(number, column, Decimal::from(whole), &plain)
                }
                Cell::Number(value, decimals) => {
                    let places = usize::try_from(decimals).unwrap_or_default();
                    let plain = Format::new().set_num_format(format!("0.{}", "0".repeat(places)));
                    page.write_with_format(number, column, value, &plain)
                }
                Cell::Day(at) => page.write_with_format(number, column, &at, &day),
            }
            .map_err(broken)?;
        }
    }
    let last = u16::try_from(sheet.columns.len().saturating_sub(1)).unwrap_or_default();
    page.autofilter(0, 0, number, last).map_err(broken)?;
    let page = book.add_worksheet_with_constant_memory().map_err(broken)?;
    page.set_name("Filters").map_err(broken)?;
    page.set_freeze_panes(1, 0).map_err(broken)?;
    page.set_column_width(0, 24).map_err(broken)?;
    page.set_column_width(1, 48).map_err(broken)?;
    page.write_with_format(0, 0, "Filter", &head)
        .map_err(broken)?;
    page.write_with_format(0, 1, "Value", &head)
        .map_err(broken)?;
    for (row, (name, value)) in (1..).zip(&sheet.filters) {
        page.write_string(row, 0, name).map_err(broken)?;
        page.write_string(row, 1, value).map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            name: "report".to_owned(),
            title: "Report",
            columns: vec![("Site".to_owned(), 20), ("Total".to_owned(), 12)],
            filters: vec![("From".to_owned(), "2026-11-01".to_owned())],
        }
    }

    fn rows(cells: Vec<Result<Vec<Cell>>>) -> Rows {
        let (to, rows) = channel();
        for row in cells {
            to.try_send(row).unwrap();
        }
        rows
    }

    async fn body(kind: Kind, cells: Vec<Result<Vec<Cell>>>) -> Result<Vec<u8>> {
        let answer = answer(kind, sheet(), rows(cells)).await?;
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        Ok(bytes
            .map_err(|error| Error::Broken(error.to_string()))?
            .to_vec())
    }

    #[tokio::test]
    async fn a_csv_file_runs_no_formula_and_keeps_numbers_as_they_are() {
        let evil = Cell::Text("=HYPERLINK(\"x\"),1".to_owned());
        let number = Cell::Number("-1.5".parse().unwrap(), 2);
        let csv = body(
            Kind::Csv,
            vec![
                Ok(vec![evil, number]),
                Ok(vec![Cell::Empty, Cell::Whole(-7)]),
            ],
        )
        .await
        .unwrap();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "Site,Total\r\n\"'=HYPERLINK(\"\"x\"\"),1\",-1.50\r\n,-7\r\n"
        );
    }

    #[tokio::test]
    async fn a_file_whose_rows_break_off_is_no_file() {
        for kind in [Kind::Csv, Kind::Xlsx] {
            let cells = vec![
                Ok(vec![Cell::Whole(1)]),
                Err(Error::Broken("the database went away".to_owned())),
            ];
            assert!(body(kind, cells).await.is_err(), "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_workbook_is_one() {
        let day = Cell::Day("2026-11-20".parse().unwrap());
        let book = body(
            Kind::Xlsx,
            vec![Ok(vec![day, Cell::Number(Decimal::ONE, 2)])],
        )
        .await
        .unwrap();
        assert!(
            book.starts_with(b"PK") && book.len() > 2000,
            "{}",
            book.len()
        );
    }
}
