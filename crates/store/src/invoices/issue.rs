//! What is written of documents. All of it happens in one transaction that holds the seller's number series: whoever
//! issues is alone, and what fails gives its number back.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Kind, LineOf, SessionOf, actor_columns};
use crate::{Currency, Result, audit::Actor, ids};

/// A document that is about to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvoice {
    /// Its id.
    pub id: Uuid,
    /// Who sells.
    pub legal_entity_id: Uuid,
    /// Who pays; none: somebody who walked in.
    pub customer_id: Option<Uuid>,
    /// What it is.
    pub kind: Kind,
    /// Of a statement: the first day of its month.
    pub month: Option<NaiveDate>,
    /// Of every amount.
    pub currency: Currency,
    /// The lines' sum.
    pub net: Decimal,
    /// The lines' sum.
    pub tax: Decimal,
    /// The lines' sum.
    pub total: Decimal,
    /// `line` or `rate`.
    pub tax_per: &'static str,
    /// When.
    pub issued_at: DateTime<Utc>,
    /// The seller's day then.
    pub issued_on: NaiveDate,
    /// The day by whose end it is to be paid.
    pub due_on: NaiveDate,
    /// The end of that day.
    pub due_at: DateTime<Utc>,
    /// Of a credit note: what it takes back.
    pub corrects: Option<Uuid>,
    /// What it stands in for.
    pub replaces: Option<Uuid>,
    /// Why, if not as a matter of course.
    pub reason: String,
    /// Who sells, as JSON.
    pub seller: String,
    /// Who pays, as JSON.
    pub buyer: String,
    /// In the order of their positions.
    pub sessions: Vec<SessionOf>,
    /// In the order in which they are printed.
    pub lines: Vec<LineOf>,
}

impl NewInvoice {
    /// Where its sessions were, each site once.
    pub fn site_ids(&self) -> Vec<Uuid> {
        let mut sites: Vec<Uuid> = self.sessions.iter().filter_map(|s| s.site_id).collect();
        sites.sort_unstable();
        sites.dedup();
        sites
    }
}

/// A number that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its place in the series.
    pub seq: i64,
    /// As printed: `HC-000123`, of credit notes `HC-C000045`.
    pub number: String,
}

/// Has the seller's numbers to oneself until the transaction ends.
pub async fn lock(db: &mut PgConnection, entity: Uuid) -> Result<()> {
    sqlx::query!(
        "select next from number_series where legal_entity_id = $1 order by series for update",
        entity
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// Takes the next number of the kind's series. Others wait until the transaction ends; a rollback gives it back.
pub async fn next_number(db: &mut PgConnection, entity: Uuid, kind: Kind) -> Result<Numbered> {
    let row = sqlx::query!(
        r#"update number_series s set next = s.next + 1 from legal_entities e
           where s.legal_entity_id = $1 and s.series = $2 and e.id = s.legal_entity_id
           returning s.next - 1 as "seq!", e.number_prefix"#,
        entity,
        kind.series()
    )
    .fetch_one(db)
    .await?;
    let mark = if kind == Kind::CreditNote { "C" } else { "" };
    Ok(Numbered {
        seq: row.seq,
        number: format!("{}-{mark}{:06}", row.number_prefix, row.seq),
    })
}

/// Writes a document with its sessions and lines, its event in the outbox, and (of anything but a credit note) that its
/// sessions are on it.
///
/// # Errors
/// [`crate::Error::Conflict`]: `invoices_statement_key` if that month was issued, `invoiced_sessions_pkey` if a session is
/// on another document; when the transaction commits, `invoice_must_add_up`.
pub async fn insert(
    db: &mut PgConnection,
    new: &NewInvoice,
    numbered: &Numbered,
    actor: Actor,
) -> Result<()> {
    let sites = new.site_ids();
    sqlx::query!(
        "insert into invoices (id, legal_entity_id, customer_id, kind, month, series, seq, number, currency, net, tax, total,
           tax_per, issued_at, issued_on, due_on, due_at, corrects, replaces, reason, seller, buyer, site_ids, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $14)",
        new.id,
        new.legal_entity_id,
        new.customer_id,
        new.kind.as_str(),
        new.month,
        new.kind.series(),
        numbered.seq,
        numbered.number,
        new.currency.code(),
        new.net,
        new.tax,
        new.total,
        new.tax_per,
        new.issued_at,
        new.issued_on,
        new.due_on,
        new.due_at,
        new.corrects,
        new.replaces,
        new.reason,
        new.seller,
        new.buyer,
        &sites
    )
    .execute(&mut *db)
    .await?;
    for session in &new.sessions {
        insert_session(db, new.id, session).await?;
    }
    for (number, line) in (1_i32..).zip(&new.lines) {
        insert_line(db, new.id, number, line).await?;
    }
    if new.kind != Kind::CreditNote {
        let ids: Vec<Uuid> = new.sessions.iter().map(|s| s.session_id).collect();
        let revisions: Vec<i32> = new.sessions.iter().map(|s| s.revision).collect();
        sqlx::query!(
            "insert into invoiced_sessions (session_id, revision, invoice_id)
             select s, r, $3 from unnest($1::uuid[], $2::integer[]) as t (s, r)",
            &ids,
            &revisions,
            new.id
        )
        .execute(&mut *db)
        .await?;
    }
    note(db, new.id, "issued", actor, &json!({}), new.issued_at).await?;
    let site = if let [only] = sites.as_slice() {
        Some(*only)
    } else {
        None
    };
    sqlx::query!(
        "insert into events (at, kind, site_id, subject, detail) values ($1, 'invoice.issued', $2, $3, $4)",
        new.issued_at,
        site,
        new.id,
        json!({ "number": numbered.number, "kind": new.kind.as_str() })
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_session(db: &mut PgConnection, invoice: Uuid, s: &SessionOf) -> Result<()> {
    sqlx::query!(
        "insert into invoice_sessions (invoice_id, position, session_id, revision, site_id, site, time_zone, station,
           connector, id_token, started_at, ended_at, energy_wh, register_start_wh, register_stop_wh, prices_include_tax,
           signed, saved)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        invoice,
        s.position,
        s.session_id,
        s.revision,
        s.site_id,
        s.site,
        s.time_zone,
        s.station,
        s.connector,
        s.id_token,
        s.started_at,
        s.ended_at,
        s.energy_wh,
        s.register_start_wh,
        s.register_stop_wh,
        s.prices_include_tax,
        &s.signed,
        s.saved
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_line(db: &mut PgConnection, invoice: Uuid, n: i32, line: &LineOf) -> Result<()> {
    sqlx::query!(
        "insert into invoice_lines (invoice_id, line, position, kind, source, quantity, unit_price, tax_rate, net, tax,
           total, period_from, period_to)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        invoice,
        n,
        line.position,
        line.kind,
        line.source,
        line.quantity,
        line.unit_price,
        line.tax_rate,
        line.net,
        line.tax,
        line.total,
        line.from,
        line.to
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes sessions off a document that was credited, for them to be invoiced anew.
pub async fn free_sessions(db: &mut PgConnection, invoice: Uuid, sessions: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!(
        "delete from invoiced_sessions where invoice_id = $1 and session_id = any ($2)",
        invoice,
        sessions
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Writes sessions off: they are on the credit note that took them back, and nobody invoices them by itself again.
pub async fn write_off(
    db: &mut PgConnection,
    invoice: Uuid,
    sessions: &[Uuid],
    credit_note: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        "update invoiced_sessions set invoice_id = $3 where invoice_id = $1 and session_id = any ($2)",
        invoice,
        sessions,
        credit_note
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Keeps the document as it is sent; false if it was kept before.
pub async fn keep_document(
    db: &mut PgConnection,
    invoice: Uuid,
    pdf: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let sha256 = Sha256::digest(pdf);
    let done = sqlx::query!(
        "insert into invoice_documents (invoice_id, sha256, pdf, made_at) values ($1, $2, $3, $4) on conflict do nothing",
        invoice,
        sha256.as_slice(),
        pdf,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes what was done with a document.
pub async fn note(
    db: &mut PgConnection,
    invoice: Uuid,
    kind: &str,
    actor: Actor,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let (actor_kind, actor_id) = actor_columns(actor);
    sqlx::query!(
        "insert into invoice_events (invoice_id, at, kind, actor_kind, actor_id, detail) values ($1, $2, $3, $4, $5, $6)",
        invoice,
        now,
        kind,
        actor_kind,
        actor_id,
        detail
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that nothing is open any more, with its event in the outbox.
pub async fn note_paid(
    db: &mut PgConnection,
    invoice: Uuid,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    note(&mut *db, invoice, "paid", actor, &json!({}), now).await?;
    sqlx::query!(
        "insert into events (at, kind, site_id, subject)
         select $2, 'invoice.paid', case when cardinality(site_ids) = 1 then site_ids[1] end, id
         from invoices where id = $1",
        invoice,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a document is overdue, with its event in the outbox; false if that was noted before.
pub async fn note_once(db: &mut PgConnection, invoice: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "with noted as (
           insert into invoice_events (invoice_id, at, kind, actor_kind) values ($1, $2, 'overdue', 'system')
           on conflict (invoice_id, kind) where kind in ('issued', 'overdue') do nothing returning invoice_id)
         insert into events (at, kind, site_id, subject)
         select $2, 'invoice.overdue', case when cardinality(i.site_ids) = 1 then i.site_ids[1] end, i.id
         from noted join invoices i on i.id = noted.invoice_id",
        invoice,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down what would be issued to a customer, in place of what was written before.
pub async fn put_draft(db: &mut PgConnection, new: &NewInvoice) -> Result<()> {
    let sessions = i32::try_from(new.sessions.len()).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into invoice_drafts (id, legal_entity_id, customer_id, month, currency, sessions, net, tax, total, made_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (legal_entity_id, customer_id, month, currency) do update set
           sessions = excluded.sessions, net = excluded.net, tax = excluded.tax, total = excluded.total,
           made_at = excluded.made_at",
        ids::new_id(new.issued_at),
        new.legal_entity_id,
        new.customer_id,
        new.month,
        new.currency.code(),
        sessions,
        new.net,
        new.tax,
        new.total,
        new.issued_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the drafts of a month, or of one customer in it.
pub async fn drop_draft(
    db: &mut PgConnection,
    entity: Uuid,
    month: NaiveDate,
    customer: Option<Uuid>,
) -> Result<()> {
    sqlx::query!(
        "delete from invoice_drafts where legal_entity_id = $1 and month = $2 and ($3::uuid is null or customer_id = $3)",
        entity,
        month,
        customer
    )
    .execute(db)
    .await?;
    Ok(())
}
