//! How long vouchers are kept, what keeps them longer, and how they are forgotten. The database itself refuses to forget
//! too early (`purge_vouchers`); this file asks it to.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result,
    audit::{self, Actor, Entry},
    ids,
};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Mails that carry a document.
    Letters,
    /// Invoices, credit notes and payments.
    Invoices,
    /// The ledger.
    Books,
}

impl What {
    /// In the order in which they are forgotten.
    pub const ALL: [Self; 3] = [Self::Letters, Self::Invoices, Self::Books];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Letters => "letters",
            Self::Invoices => "invoices",
            Self::Books => "books",
        }
    }
}

/// The first instant at which what a seller wrote in `year` may be forgotten.
pub async fn free_at(
    db: &mut PgConnection,
    entity: Uuid,
    what: What,
    year: i32,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        "select vouchers_free_at($1, $2, $3)",
        entity,
        what.as_str(),
        year
    )
    .fetch_one(db)
    .await?)
}

/// The years in which a seller wrote something that is still there, the first first.
pub async fn years(db: &mut PgConnection, entity: Uuid) -> Result<Vec<i32>> {
    Ok(sqlx::query_scalar!(
        r#"select distinct extract(year from at at time zone z.time_zone)::integer as "year!"
           from legal_entities z, lateral (
             select min(issued_at) as at from invoices where legal_entity_id = z.id
             union all select min(at) from ledger_entries where legal_entity_id = z.id
             union all select min(m.created_at) from mail_outbox m join invoices i on i.id = m.invoice_id
                       where i.legal_entity_id = z.id) firsts
           where z.id = $1 and at is not null order by 1"#,
        entity
    )
    .fetch_all(db)
    .await?)
}

/// Forgets what a seller wrote in `year` and before; answers how many rows went. Again, it does nothing.
///
/// # Errors
/// [`crate::Error::Conflict`] `vouchers_are_kept` before its time, `vouchers_are_held` under a legal hold.
pub async fn purge(
    db: &mut PgConnection,
    entity: Uuid,
    what: What,
    year: i32,
    now: DateTime<Utc>,
) -> Result<u64> {
    let gone = sqlx::query_scalar!(
        r#"select purge_vouchers($1, $2, $3, $4) as "gone!""#,
        entity,
        what.as_str(),
        year,
        now
    )
    .fetch_one(db)
    .await?;
    Ok(gone.unsigned_abs())
}

/// What the purges took with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Invoices up to this place may be missing.
    pub invoices_to: i64,
    /// Credit notes up to this place may be missing.
    pub credit_notes_to: i64,
    /// The chain begins after this entry.
    pub entries_to: i64,
    /// With this hash.
    pub hash: Option<Vec<u8>>,
}

/// What the purges of a seller took with them.
pub async fn purged(db: &mut PgConnection, entity: Uuid) -> Result<Purged> {
    Ok(sqlx::query_as!(
        Purged,
        r#"select coalesce(max(last_invoice), 0) as "invoices_to!", coalesce(max(last_credit_note), 0) as "credit_notes_to!",
                  coalesce(max(last_entry), 0) as "entries_to!",
                  (array_agg(last_hash order by last_entry desc) filter (where last_hash is not null))[1] as hash
           from voucher_purges where legal_entity_id = $1"#,
        entity
    )
    .fetch_one(db)
    .await?)
}

/// Whether invoices of a seller were forgotten.
pub async fn any_purged(db: &mut PgConnection, entity: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from voucher_purges where legal_entity_id = $1 and what = 'invoices') as "any!""#,
        entity
    )
    .fetch_one(db)
    .await?)
}

/// What keeps vouchers longer than the law asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: Uuid,
    /// Whose vouchers: id and name of a seller; none: everybody's.
    pub seller: Option<(Uuid, String)>,
    /// Only those of this customer.
    pub customer: Option<(Uuid, String)>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub from: DateTime<Utc>,
    /// When it ends or ended by itself, or was lifted; none: when somebody lifts it.
    pub until: Option<DateTime<Utc>>,
}

impl Hold {
    /// Whether it still keeps anything.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// What is to be kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold<'a> {
    /// Whose vouchers; none: everybody's.
    pub seller: Option<Uuid>,
    /// Only those of this customer.
    pub customer: Option<Uuid>,
    /// Why.
    pub reason: &'a str,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
}

/// Keeps vouchers until the hold ends or is lifted, with an entry in the audit log.
pub async fn hold(
    db: &mut PgConnection,
    new: &NewHold<'_>,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into legal_holds (id, legal_entity_id, customer_id, reason, held_from, released_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        new.seller,
        new.customer,
        new.reason,
        now,
        new.until
    )
    .execute(&mut *db)
    .await?;
    let detail = json!({
        "legal_entity": new.seller, "customer": new.customer, "reason": new.reason, "until": new.until,
    });
    note(db, "legal_hold.set", id, detail, actor, now).await?;
    Ok(id)
}

/// Lifts a hold, with an entry in the audit log; false if there is no open one of this id.
pub async fn lift(
    db: &mut PgConnection,
    id: Uuid,
    reason: &str,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<bool> {
    let lifted = sqlx::query!(
        "update legal_holds set released_at = $2 where id = $1 and (released_at is null or released_at > $2)",
        id,
        now
    )
    .execute(&mut *db)
    .await?
    .rows_affected();
    if lifted > 0 {
        let detail = json!({ "reason": reason });
        note(db, "legal_hold.lift", id, detail, actor, now).await?;
    }
    Ok(lifted > 0)
}

async fn note(
    db: &mut PgConnection,
    action: &str,
    id: Uuid,
    detail: Value,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        at: now,
        actor,
        action: action.to_owned(),
        entity: format!("legal_hold/{id}"),
        detail,
    };
    audit::record(db, &entry).await
}

/// Every hold, the last first; with an invoice, those that keep it.
pub async fn holds(db: &mut PgConnection, invoice: Option<Uuid>) -> Result<Vec<Hold>> {
    let rows = sqlx::query!(
        r#"select h.id, h.legal_entity_id, e.name as "seller?", h.customer_id, c.name as "customer?", h.reason,
                  h.held_from, h.released_at
           from legal_holds h
           left join legal_entities e on e.id = h.legal_entity_id
           left join customers c on c.id = h.customer_id
           where $1::uuid is null or exists (
             select from invoices i where i.id = $1 and (h.legal_entity_id is null or h.legal_entity_id = i.legal_entity_id)
               and (h.customer_id is null or h.customer_id = i.customer_id))
           order by h.held_from desc, h.id desc"#,
        invoice
    )
    .fetch_all(db)
    .await?;
    let holds = rows.into_iter().map(|row| Hold {
        id: row.id,
        seller: row.legal_entity_id.zip(row.seller),
        customer: row.customer_id.zip(row.customer),
        reason: row.reason,
        from: row.held_from,
        until: row.released_at,
    });
    Ok(holds.collect())
}
