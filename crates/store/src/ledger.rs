//! The books: double entry, one chain per legal entity. An entry is only ever added, holds the hash of the one before
//! it, and balances. What is booked when is decided in billing; this file keeps the chain whole.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Currency, Error, Pool, Result, Transaction};

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
    /// What rounding adds or takes.
    Rounding,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 6] = [
        Self::Receivable,
        Self::Revenue,
        Self::Tax,
        Self::Bank,
        Self::Cash,
        Self::Rounding,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Bank => "bank",
            Self::Cash => "cash",
            Self::Rounding => "rounding",
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
/// ([`Error::Conflict`] `ledger_must_balance`).
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

/// A transaction that sees the database as it is now, whatever others write meanwhile.
pub async fn snapshot(pool: &Pool) -> Result<Transaction> {
    let mut transaction = pool.begin().await?;
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

/// The end of the chain.
pub async fn head(db: &mut PgConnection, entity: Uuid) -> Result<Head> {
    Ok(sqlx::query_as!(
        Head,
        "select seq, hash from ledger_heads where legal_entity_id = $1",
        entity
    )
    .fetch_one(db)
    .await?)
}

/// Entries with their postings after `after`, in order, at most `limit`.
pub async fn entries(
    db: &mut PgConnection,
    entity: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        "select seq, at, kind, subject, version, document, content, prev_hash, hash from ledger_entries
         where legal_entity_id = $1 and seq > $2 order by seq limit $3",
        entity,
        after,
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    let Some(last) = rows.last().map(|row| row.seq) else {
        return Ok(Vec::new());
    };
    let mut postings = sqlx::query!(
        "select seq, account, customer_id, tax_rate, currency, amount from ledger_postings
         where legal_entity_id = $1 and seq > $2 and seq <= $3 order by seq, line",
        entity,
        after,
        last
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .peekable();
    let corrupt = |seq: i64, column, value: String| Error::Corrupt {
        table: "ledger_entries",
        column,
        row: format!("{entity} {seq}"),
        value,
    };
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let mut of_it = Vec::new();
        while let Some(posting) = postings.next_if(|posting| posting.seq <= row.seq) {
            of_it.push(Posting {
                account: Account::parse(&posting.account)
                    .ok_or_else(|| corrupt(row.seq, "account", posting.account.clone()))?,
                customer_id: posting.customer_id,
                tax_rate: posting.tax_rate,
                currency: posting
                    .currency
                    .parse()
                    .map_err(|_| corrupt(row.seq, "currency", posting.currency.clone()))?,
                amount: posting.amount,
            });
        }
        entries.push(Entry {
            seq: row.seq,
            booked: NewEntry {
                at: row.at,
                kind: EntryKind::parse(&row.kind)
                    .ok_or_else(|| corrupt(row.seq, "kind", row.kind.clone()))?,
                subject: row.subject,
                version: row.version,
                document: row.document,
                content: row
                    .content
                    .as_slice()
                    .try_into()
                    .map_err(|_| corrupt(row.seq, "content", hex::encode(&row.content)))?,
                postings: of_it,
            },
            prev_hash: row.prev_hash,
            hash: row.hash,
        });
    }
    Ok(entries)
}

/// Where a chain stood at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The day.
    pub day: NaiveDate,
    /// The last entry then.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// Writes down where the chain stands at the end of `day`; false if that is written already.
pub async fn anchor(
    db: &mut PgConnection,
    entity: Uuid,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into ledger_anchors (legal_entity_id, day, seq, hash, made_at)
         select legal_entity_id, $2, seq, hash, $3 from ledger_heads where legal_entity_id = $1
         on conflict do nothing",
        entity,
        day,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Every anchor of the chain, by day.
pub async fn anchors(db: &mut PgConnection, entity: Uuid) -> Result<Vec<Anchor>> {
    Ok(sqlx::query_as!(
        Anchor,
        "select day, seq, hash from ledger_anchors where legal_entity_id = $1 order by day",
        entity
    )
    .fetch_all(db)
    .await?)
}

/// Whether something is in the books.
pub async fn is_booked(db: &mut PgConnection, kind: EntryKind, subject: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from ledger_entries where kind = $1 and subject = $2) as "booked!""#,
        kind.as_str(),
        subject
    )
    .fetch_one(db)
    .await?)
}

/// One posting as accountants import it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// When it was booked.
    pub at: DateTime<Utc>,
    /// Of its entry.
    pub seq: i64,
    /// Of the posting in its entry.
    pub line: i16,
    /// What made the entry.
    pub kind: String,
    /// The number of the invoice or credit note.
    pub document: String,
    /// The account, in our words.
    pub account: String,
    /// Its number, in the accountants'.
    pub account_number: String,
    /// Whose debt.
    pub customer_id: Option<Uuid>,
    /// The customer's name now.
    pub customer: Option<String>,
    /// Percent.
    pub tax_rate: Option<Decimal>,
    /// Of the amount.
    pub currency: String,
    /// Debit is positive, credit negative.
    pub amount: Decimal,
}

/// The postings booked from `from` on and before `to`, after the posting `after`, in order, at most `limit`.
pub async fn export(
    db: &mut PgConnection,
    entity: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    after: (i64, i16),
    limit: i64,
) -> Result<Vec<Exported>> {
    Ok(sqlx::query_as!(
        Exported,
        r#"select e.at, e.seq, p.line, e.kind, e.document, p.account, a.number as account_number, p.customer_id,
                  c.name as "customer?", p.tax_rate, p.currency, p.amount
           from ledger_entries e
           join ledger_postings p on p.legal_entity_id = e.legal_entity_id and p.seq = e.seq
           join ledger_accounts a on a.legal_entity_id = p.legal_entity_id and a.account = p.account
           left join customers c on c.id = p.customer_id
           where e.legal_entity_id = $1 and e.at >= $2 and e.at < $3 and (p.seq, p.line) > ($4, $5)
           order by p.seq, p.line limit $6"#,
        entity,
        from,
        to,
        after.0,
        after.1,
        limit
    )
    .fetch_all(db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Room, invoices, shop::Shop, testing::database};
    use sqlx::AssertSqlSafe;

    fn now() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn entry(subject: u128, amounts: [i64; 2]) -> NewEntry {
        let posting = |account, amount| Posting {
            account,
            customer_id: None,
            tax_rate: None,
            currency: "EUR".parse().unwrap(),
            amount: Decimal::new(amount, 2),
        };
        NewEntry {
            at: now(),
            kind: EntryKind::Payment,
            subject: Uuid::from_u128(subject),
            version: 1,
            document: "HC-000001".to_owned(),
            content: [7; 32],
            postings: vec![
                posting(Account::Bank, amounts[0]),
                posting(Account::Receivable, amounts[1]),
            ],
        }
    }

    #[tokio::test]
    async fn concurrent_writers_make_one_chain() {
        let test = database().await;
        let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
        let pool = test.pool(Room::Billing);
        let writers: Vec<_> = (0..20)
            .map(|n| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    let mut tx = pool.begin().await.unwrap();
                    // Every third is told twice.
                    append(&mut tx, shop.entity, &entry(n / 3, [100, -100]))
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let mut db = pool.acquire().await.unwrap();
        let chain = entries(&mut db, shop.entity, 0, 100).await.unwrap();
        assert_eq!(chain.len(), 7);
        let mut before = genesis(shop.entity).to_vec();
        for (seq, entry) in (1..).zip(&chain) {
            assert_eq!((entry.seq, &entry.prev_hash), (seq, &before));
            let expected = hash(shop.entity, seq, &entry.booked, &before).to_vec();
            assert_eq!(entry.hash, expected);
            before = expected;
        }
        let end = head(&mut db, shop.entity).await.unwrap();
        assert_eq!((end.seq, end.hash), (7, before));
    }

    #[tokio::test]
    async fn what_does_not_balance_is_not_committed() {
        let test = database().await;
        let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
        let pool = test.pool(Room::Billing);
        for wrong in [entry(1, [100, -99]), {
            let mut two_currencies = entry(1, [100, -100]);
            two_currencies.postings[1].currency = "USD".parse().unwrap();
            two_currencies
        }] {
            let mut tx = pool.begin().await.unwrap();
            append(&mut tx, shop.entity, &wrong).await.unwrap();
            let error = Error::from(tx.commit().await.unwrap_err());
            assert!(error.is_conflict("ledger_must_balance"), "{error}");
        }
        let mut nothing = entry(1, [0, 0]);
        nothing.postings.clear();
        let mut tx = pool.begin().await.unwrap();
        append(&mut tx, shop.entity, &nothing).await.unwrap();
        let error = Error::from(tx.commit().await.unwrap_err());
        assert!(error.is_conflict("ledger_must_balance"), "{error}");
        let mut db = pool.acquire().await.unwrap();
        assert_eq!(head(&mut db, shop.entity).await.unwrap().seq, 0);
    }

    #[tokio::test]
    async fn no_room_changes_what_is_booked_and_neither_does_the_owner() {
        let test = database().await;
        let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
        let mut tx = test.pool.begin().await.unwrap();
        append(&mut tx, shop.entity, &entry(1, [100, -100]))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let tables = [
            "invoices",
            "invoice_sessions",
            "invoice_lines",
            "invoice_documents",
            "invoice_events",
            "payments",
            "ledger_entries",
            "ledger_postings",
            "ledger_anchors",
            "voucher_purges",
        ];
        for room in [Room::Csms, Room::Portal, Room::Billing, Room::Owner] {
            let pool = test.pool(room);
            for table in tables {
                for statement in [
                    format!("delete from {table}"),
                    format!("truncate {table} cascade"),
                    // Any column will do: the statement alone is refused.
                    format!(
                        "update {table} set {}",
                        match table {
                            "invoices" => "number = number",
                            "invoice_documents" | "invoice_events" | "invoice_sessions"
                            | "invoice_lines" => {
                                "invoice_id = invoice_id"
                            }
                            "payments" => "id = id",
                            _ => "legal_entity_id = legal_entity_id",
                        }
                    ),
                ] {
                    let refused = sqlx::query(AssertSqlSafe(statement.clone()))
                        .execute(&pool)
                        .await;
                    assert!(refused.is_err(), "{room:?} may {statement}");
                }
            }
        }
        for room in [Room::Csms, Room::Portal] {
            let pool = test.pool(room);
            for table in [
                "payments",
                "ledger_entries",
                "ledger_heads",
                "number_series",
                "invoices",
            ] {
                let insert = format!("insert into {table} default values");
                let error = sqlx::query(AssertSqlSafe(insert))
                    .execute(&pool)
                    .await
                    .unwrap_err();
                assert!(
                    error.to_string().contains("permission denied"),
                    "{room:?} {table}: {error}"
                );
            }
        }
    }

    #[tokio::test]
    async fn an_anchor_is_set_once_a_day() {
        let test = database().await;
        let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
        let mut db = test.pool.acquire().await.unwrap();
        let day = now().date_naive();
        assert!(anchor(&mut db, shop.entity, day, now()).await.unwrap());
        assert!(!anchor(&mut db, shop.entity, day, now()).await.unwrap());
        let found = anchors(&mut db, shop.entity).await.unwrap();
        assert_eq!((found.len(), found[0].seq), (1, 0));
    }

    #[tokio::test]
    async fn a_number_that_was_not_used_is_given_again() {
        let test = database().await;
        let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
        let pool = test.pool(Room::Billing);
        let mut tx = pool.begin().await.unwrap();
        let kind = invoices::Kind::Statement;
        let first = invoices::next_number(&mut tx, shop.entity, kind)
            .await
            .unwrap();
        assert_eq!((first.seq, first.number.as_str()), (1, "HC-000001"));
        tx.rollback().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let again = invoices::next_number(&mut tx, shop.entity, kind)
            .await
            .unwrap();
        let credit = invoices::next_number(&mut tx, shop.entity, invoices::Kind::CreditNote)
            .await
            .unwrap();
        assert_eq!((again, credit.number.as_str()), (first, "HC-C000001"));
    }
}
