//! What billing asks of documents while it issues, follows up and verifies them.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Invoice, Row};
use crate::Result;

/// Documents of a seller after `after` (series and place in it), in the order of their numbers, at most `limit`.
pub async fn by_number(
    db: &mut PgConnection,
    entity: Uuid,
    (series, after): (&str, i64),
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Invoice>> {
    sqlx::query_as!(
        Row,
        r#"select id as "id!", legal_entity_id as "legal_entity_id!", legal_entity as "legal_entity!", customer_id,
                  customer as "customer!", customer_email as "customer_email!", kind as "kind!", month, seq as "seq!",
                  number as "number!", currency as "currency!", net as "net!", tax as "tax!", total as "total!",
                  tax_per as "tax_per!", issued_at as "issued_at!", issued_on as "issued_on!", due_on as "due_on!",
                  corrects, replaces, reason as "reason!", seller as "seller!", buyer as "buyer!",
                  site_ids as "site_ids!", paid as "paid!", credited as "credited!", open as "open!",
                  invoice_state(kind, total, credited, open, due_at, $5) as "state!"
           from invoices_as_read where legal_entity_id = $1 and series = $2 and seq > $3 order by seq limit $4"#,
        entity,
        series,
        after,
        limit,
        now
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Invoice::try_from)
    .collect()
}

/// Whether a customer has its statement of a month.
pub async fn has_statement(
    db: &mut PgConnection,
    entity: Uuid,
    customer: Uuid,
    month: NaiveDate,
    currency: &str,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from invoices where kind = 'statement' and replaces is null and legal_entity_id = $1
             and customer_id = $2 and month = $3 and currency = $4) as "has!""#,
        entity,
        customer,
        month,
        currency
    )
    .fetch_one(db)
    .await?)
}

/// The number that a series gives out next.
pub async fn next_seq(db: &mut PgConnection, entity: Uuid, series: &str) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select next from number_series where legal_entity_id = $1 and series = $2",
        entity,
        series
    )
    .fetch_one(db)
    .await?)
}

/// Documents of which nobody has said yet that they are overdue, at `now`.
pub async fn newly_overdue(
    db: &mut PgConnection,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        r#"select id as "id!" from invoices_as_read i
           where due_at <= $1 and invoice_state(kind, total, credited, open, due_at, $1) = 'overdue'
             and not exists (select from invoice_events e where e.invoice_id = i.id and e.kind = 'overdue')
           order by due_at limit $2"#,
        now,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// What would be issued now, as it was last reckoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: Uuid,
    /// Who sells.
    pub legal_entity_id: Uuid,
    /// The seller's name.
    pub legal_entity: String,
    /// Who pays.
    pub customer_id: Uuid,
    /// The customer's name.
    pub customer: String,
    /// The first day of its month.
    pub month: NaiveDate,
    /// ISO 4217.
    pub currency: String,
    /// How many sessions.
    pub sessions: i32,
    /// Before tax.
    pub net: Decimal,
    /// The tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// When it was reckoned.
    pub made_at: DateTime<Utc>,
}

/// Every draft, the newest month first. Only a reader of all sites may ask.
pub async fn drafts(db: &mut PgConnection) -> Result<Vec<Draft>> {
    Ok(sqlx::query_as!(
        Draft,
        "select d.id, d.legal_entity_id, e.name as legal_entity, d.customer_id, c.name as customer, d.month, d.currency,
                d.sessions, d.net, d.tax, d.total, d.made_at
         from invoice_drafts d
         join legal_entities e on e.id = d.legal_entity_id
         join customers c on c.id = d.customer_id
         order by d.month desc, lower(e.name), lower(c.name), d.currency"
    )
    .fetch_all(db)
    .await?)
}

/// The first thing in a seller's rows that contradicts another, in words: a session that is not on the document that it is
/// said to be on, or a file that is not the one that was made.
pub async fn contradiction(db: &mut PgConnection, entity: Uuid) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        r#"select 'session ' || i.session_id || ' is not on ' || d.number || ', where it is said to be' as "what!"
           from invoiced_sessions i join invoices d on d.id = i.invoice_id
           where d.legal_entity_id = $1 and not exists (
             select from invoice_sessions s where s.invoice_id = i.invoice_id and s.session_id = i.session_id)
           union all
           select 'the file of ' || d.number || ' was changed'
           from invoice_documents f join invoices d on d.id = f.invoice_id
           where d.legal_entity_id = $1 and sha256(f.pdf) <> f.sha256
           limit 1"#,
        entity
    )
    .fetch_optional(db)
    .await?)
}

/// Which live document each of these sessions is on, as `(session, invoice, revision)`.
pub async fn on_documents(
    db: &mut PgConnection,
    sessions: &[Uuid],
) -> Result<Vec<(Uuid, Uuid, i32)>> {
    Ok(sqlx::query!(
        "select session_id, invoice_id, revision from invoiced_sessions where session_id = any ($1)",
        sessions
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| (row.session_id, row.invoice_id, row.revision))
    .collect())
}

/// The sessions that are live on a document, by id.
pub async fn live_sessions(db: &mut PgConnection, invoice: Uuid) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select session_id from invoiced_sessions where invoice_id = $1 order by session_id",
        invoice
    )
    .fetch_all(db)
    .await?)
}
