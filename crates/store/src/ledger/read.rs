//! Reading the books: the chain as it stands, and its postings for accountants.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Account, Entry, EntryKind, Head, NewEntry, Posting};
use crate::{Error, Pool, Result, Transaction};

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
