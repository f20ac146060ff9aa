//! The books for accountants: postings as CSV (RFC 4180). Text that a spreadsheet would take for a formula is guarded.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use store::{Connection, ledger};
use uuid::Uuid;

const BATCH: i64 = 1000;

/// What each column is.
pub const HEADER: [&str; 13] = [
    "date",
    "time_utc",
    "entry",
    "line",
    "kind",
    "document",
    "account",
    "account_number",
    "customer",
    "tax_rate",
    "currency",
    "debit",
    "credit",
];

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Where it is written to.
    #[error("the export cannot be written: {0}")]
    Write(#[from] csv::Error),
}

/// Writes the postings that were booked from `from` on and before `to`; days are those of the seller's zone. Answers how
/// many.
///
/// # Errors
/// Those of the database and of `to_write`.
pub async fn postings(
    db: &mut Connection,
    (entity, zone): (Uuid, Tz),
    span: (DateTime<Utc>, DateTime<Utc>),
    to_write: impl std::io::Write,
) -> Result<u64, Error> {
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(to_write);
    csv.write_record(HEADER)?;
    let (mut after, mut count) = ((0, 0), 0);
    loop {
        let batch = ledger::export(db, entity, span, after, BATCH).await?;
        for posting in &batch {
            after = (posting.seq, posting.line);
            count += 1;
            let side = |wanted: bool| {
                if (posting.amount > Decimal::ZERO) == wanted || posting.amount.is_zero() && wanted
                {
                    posting.amount.abs().to_string()
                } else {
                    String::new()
                }
            };
            csv.write_record([
                posting.at.with_timezone(&zone).date_naive().to_string(),
                posting.at.to_rfc3339_opts(SecondsFormat::Secs, true),
                posting.seq.to_string(),
                posting.line.to_string(),
                posting.kind.clone(),
                guarded(&posting.document),
                posting.account.clone(),
                guarded(&posting.account_number),
                guarded(posting.customer.as_deref().unwrap_or_default()),
                posting
                    .tax_rate
                    .map_or_else(String::new, |rate| rate.normalize().to_string()),
                posting.currency.clone(),
                side(true),
                side(false),
            ])?;
        }
        if i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH {
            csv.flush().map_err(csv::Error::from)?;
            return Ok(count);
        }
    }
}

/// What begins like a formula gets an apostrophe before it, which spreadsheets do not show.
pub fn guarded(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_guarded() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+49 40", "'+49 40"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("Müller & Co", "Müller & Co"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), expected, "{text:?}");
        }
    }
}
