//! The books: double entry, one chain per legal entity. An entry is only ever added, holds the hash of the one before
//! it, and balances. What is booked when is decided in billing; this file keeps the chain whole.

mod anchors;
mod read;

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Currency, Result};

pub use anchors::{Anchor, anchor, anchors};
pub use read::{Exported, entries, export, head, is_booked, snapshot};

/// What a chain begins with, so that no other text of ours ever has the same hash.
const FORM: &str = "forecourt ledger entry, form 1";

/// The accounts of a legal entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// What customers owe.
    Receivable,
    /// What was sold, before tax.
    Revenue,
    /// Tax that was charged, and is owed on.
    Tax,
    /// Money at the bank or a payment provider.
    Bank,
    /// Money in the till.
    Cash,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 5] = [
        Self::Receivable,
        Self::Revenue,
        Self::Tax,
        Self::Bank,
        Self::Cash,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Bank => "bank",
            Self::Cash => "cash",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|account| account.as_str() == text)
    }
}

/// What made an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// An invoice was issued.
    Invoice,
    /// A credit note was issued.
    CreditNote,
    /// Money came or went back.
    Payment,
}

impl EntryKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
            Self::Payment => "payment",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Invoice, Self::CreditNote, Self::Payment]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// To which account.
    pub account: Account,
    /// Whose debt; of receivables.
    pub customer_id: Option<Uuid>,
    /// Percent; of revenue and tax.
    pub tax_rate: Option<Decimal>,
    /// Of the amount.
    pub currency: Currency,
    /// Debit is positive, credit negative.
    pub amount: Decimal,
}

/// An entry before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// When it is booked.
    pub at: DateTime<Utc>,
    /// What made it.
    pub kind: EntryKind,
    /// The invoice or payment.
    pub subject: Uuid,
    /// Of that; with kind and subject it makes the entry the only one of its like.
    pub version: i32,
    /// The document's number, as exports name it.
    pub document: String,
    /// sha256 of what it is about.
    pub content: [u8; 32],
    /// At least one; they balance.
    pub postings: Vec<Posting>,
}

/// An entry in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// What was booked.
    pub booked: NewEntry,
    /// The hash before it.
    pub prev_hash: Vec<u8>,
    /// Its own.
    pub hash: Vec<u8>,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Of the last entry; 0 before the first.
    pub seq: i64,
    /// Of the last entry.
    pub hash: Vec<u8>,
}

/// The hash that a chain begins with.
pub fn genesis(entity: Uuid) -> [u8; 32] {
    Sha256::digest(entity.to_string()).into()
}

/// The hash of an entry at its place. The text that is hashed names every field in one way only: times to the
/// microsecond, amounts without trailing zeros.
pub fn hash(entity: Uuid, seq: i64, entry: &NewEntry, prev_hash: &[u8]) -> [u8; 32] {
    let mut text = format!(
        "{FORM}\n{entity}\n{seq}\n{}\n{}\n{}\n{}\n{:?}\n{}\n{}\n",
        entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        entry.kind.as_str(),
        entry.subject,
        entry.version,
        entry.document,
        hex::encode(entry.content),
        hex::encode(prev_hash)
    );
    for posting in &entry.postings {
        let customer = posting
            .customer_id
            .map_or_else(String::new, |id| id.to_string());
        let rate = posting
            .tax_rate
            .map_or_else(String::new, |rate| rate.normalize().to_string());
        writeln!(
            text,
            "{}|{customer}|{rate}|{}|{}",
            posting.account.as_str(),
            posting.currency,
            posting.amount.normalize()
        )
        .expect("writing to a string cannot fail");
    }
    Sha256::digest(text).into()
}

/// Adds an entry to the entity's chain; concurrent writers wait for each other until the transaction ends. `None` if the
/// same thing is booked already: kind, subject and version.
///
/// # Errors
/// Those of the database. An entry that does not balance fails when the transaction commits
/// ([`crate::Error::Conflict`] `ledger_must_balance`).
pub async fn append(
    db: &mut PgConnection,
    entity: Uuid,
    entry: &NewEntry,
) -> Result<Option<Entry>> {
    let head = lock(db, entity).await?;
    let booked = sqlx::query_scalar!(
        r#"select exists (select from ledger_entries where kind = $1 and subject = $2 and version = $3) as "booked!""#,
        entry.kind.as_str(),
        entry.subject,
        entry.version
    )
    .fetch_one(&mut *db)
    .await?;
    if booked {
        return Ok(None);
    }
    let seq = head.seq + 1;
    // The database keeps microseconds.
    let entry = NewEntry {
        at: micros(entry.at),
        ..entry.clone()
    };
    let hash = hash(entity, seq, &entry, &head.hash);
    sqlx::query!(
        "insert into ledger_entries
           (legal_entity_id, seq, at, kind, subject, version, document, content, prev_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        entity,
        seq,
        entry.at,
        entry.kind.as_str(),
        entry.subject,
        entry.version,
        entry.document,
        &entry.content,
        head.hash,
        &hash
    )
    .execute(&mut *db)
    .await?;
    for (line, posting) in (1_i16..).zip(&entry.postings) {
        sqlx::query!(
            "insert into ledger_postings (legal_entity_id, seq, line, account, customer_id, tax_rate, currency, amount)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            entity,
            seq,
            line,
            posting.account.as_str(),
            posting.customer_id,
            posting.tax_rate,
            posting.currency.code(),
            posting.amount
        )
        .execute(&mut *db)
        .await?;
    }
    sqlx::query!(
        "update ledger_heads set seq = $2, hash = $3 where legal_entity_id = $1",
        entity,
        seq,
        &hash
    )
    .execute(db)
    .await?;
    Ok(Some(Entry {
        seq,
        booked: entry,
        prev_hash: head.hash,
        hash: hash.to_vec(),
    }))
}

fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// Has the chain to oneself until the transaction ends.
async fn lock(db: &mut PgConnection, entity: Uuid) -> Result<Head> {
    Ok(sqlx::query_as!(
        Head,
        "select seq, hash from ledger_heads where legal_entity_id = $1 for update",
        entity
    )
    .fetch_one(db)
    .await?)
}

#[cfg(test)]
mod tests;
