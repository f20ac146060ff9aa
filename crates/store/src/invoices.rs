//! Invoices and credit notes: what was issued, with its sessions and lines, and where it stands. They are read here;
//! what is written, what may be invoiced, and what else billing asks is in the files below. What they must say is decided in billing.

mod asked;
mod issue;
mod kinds;
mod parts;
mod unbilled;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

pub use asked::{
    Draft, by_number, contradiction, drafts, has_statement, live_sessions, newly_overdue, next_seq,
    on_documents,
};
pub use issue::{
    NewInvoice, Numbered, drop_draft, free_sessions, insert, keep_document, lock, next_number,
    note, note_once, note_paid, put_draft, write_off,
};
pub use kinds::{Kind, State};
pub use parts::{Happening, document, happenings, lines, sessions, without_document};
pub use unbilled::{Billable, Stale, Which, billable, stale};

use crate::{Cursor, Error, Result, Scoped, audit::Actor};

/// A document that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: Uuid,
    /// Who sold.
    pub legal_entity_id: Uuid,
    /// The seller's name now; as printed it is in `seller`.
    pub legal_entity: String,
    /// Who pays; none: somebody who walked in.
    pub customer_id: Option<Uuid>,
    /// The customer's name now; as printed it is in `buyer`.
    pub customer: String,
    /// Where its mails go now.
    pub customer_email: String,
    /// What it is.
    pub kind: Kind,
    /// Of a statement: the first day of its month.
    pub month: Option<NaiveDate>,
    /// Its place in its series.
    pub seq: i64,
    /// As printed.
    pub number: String,
    /// ISO 4217.
    pub currency: String,
    /// Before tax.
    pub net: Decimal,
    /// The tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// `line` or `rate`.
    pub tax_per: String,
    /// When.
    pub issued_at: DateTime<Utc>,
    /// The seller's day then.
    pub issued_on: NaiveDate,
    /// The day by whose end it is to be paid.
    pub due_on: NaiveDate,
    /// Of a credit note: what it takes back.
    pub corrects: Option<Uuid>,
    /// What it stands in for.
    pub replaces: Option<Uuid>,
    /// Why it was issued, if not as a matter of course.
    pub reason: String,
    /// Who sold, as JSON to the letter.
    pub seller: String,
    /// Who pays, as JSON to the letter.
    pub buyer: String,
    /// Where its sessions were.
    pub site_ids: Vec<Uuid>,
    /// What came, less what went back.
    pub paid: Decimal,
    /// What credit notes take back: zero or negative.
    pub credited: Decimal,
    /// What is still to be paid; below zero, what is to be given back.
    pub open: Decimal,
    /// Where it stands.
    pub state: State,
}

impl From<&Invoice> for Cursor {
    fn from(invoice: &Invoice) -> Self {
        Cursor {
            at: invoice.issued_at,
            id: invoice.id,
        }
    }
}

/// A session as it stood on a document when that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOf {
    /// Its place on the document.
    pub position: i32,
    /// Which.
    pub session_id: Uuid,
    /// Of its price.
    pub revision: i32,
    /// Where.
    pub site_id: Option<Uuid>,
    /// Its name then.
    pub site: String,
    /// IANA name of the site's zone.
    pub time_zone: String,
    /// The station's identity.
    pub station: String,
    /// 1.6: the connectorId.
    pub connector: i32,
    /// Verbatim.
    pub id_token: String,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The charger's time.
    pub ended_at: DateTime<Utc>,
    /// Wh.
    pub energy_wh: Option<i64>,
    /// Wh, the meter's reading at the start.
    pub register_start_wh: Option<i64>,
    /// Wh, the meter's reading at the stop.
    pub register_stop_wh: Option<i64>,
    /// Do the unit prices of its lines include the tax?
    pub prices_include_tax: bool,
    /// sha256 of its signed meter values, hex.
    pub signed: Vec<String>,
    /// Against all energy from the grid, where that is known.
    pub saved: Option<Decimal>,
}

/// A line of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOf {
    /// The session's place on the document.
    pub position: i32,
    /// What for: `energy`, `start`, …
    pub kind: String,
    /// `solar` or `grid`, where the tariff asks.
    pub source: Option<String>,
    /// kWh, hours, or 1; negative on a credit note.
    pub quantity: Decimal,
    /// As in the tariff.
    pub unit_price: Decimal,
    /// Percent.
    pub tax_rate: Decimal,
    /// Before tax.
    pub net: Decimal,
    /// The tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// The beginning of what it is for.
    pub from: DateTime<Utc>,
    /// The end of what it is for.
    pub to: DateTime<Utc>,
}

/// Which documents; the empty filter is every one of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this seller.
    pub legal_entity_id: Option<Uuid>,
    /// Of this customer.
    pub customer_id: Option<Uuid>,
    /// In this state.
    pub state: Option<State>,
    /// Whose number or customer's name holds it.
    pub text: Option<String>,
    /// Issued at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Issued before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// Sums over the documents of a filter, of one state and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// In which state.
    pub state: State,
    /// In which currency.
    pub currency: String,
    /// How many.
    pub count: i64,
    /// Their totals.
    pub total: Decimal,
    /// What is open.
    pub open: Decimal,
}

/// One document as the database has it.
struct Row {
    id: Uuid,
    legal_entity_id: Uuid,
    legal_entity: String,
    customer_id: Option<Uuid>,
    customer: String,
    customer_email: String,
    kind: String,
    month: Option<NaiveDate>,
    seq: i64,
    number: String,
    currency: String,
    net: Decimal,
    tax: Decimal,
    total: Decimal,
    tax_per: String,
    issued_at: DateTime<Utc>,
    issued_on: NaiveDate,
    due_on: NaiveDate,
    corrects: Option<Uuid>,
    replaces: Option<Uuid>,
    reason: String,
    seller: String,
    buyer: String,
    site_ids: Vec<Uuid>,
    paid: Decimal,
    credited: Decimal,
    open: Decimal,
    state: String,
}

fn corrupt(column: &'static str, row: Uuid, value: &str) -> Error {
    Error::Corrupt {
        table: "invoices",
        column,
        row: row.to_string(),
        value: value.to_owned(),
    }
}

impl TryFrom<Row> for Invoice {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Invoice {
            kind: Kind::parse(&row.kind).ok_or_else(|| corrupt("kind", row.id, &row.kind))?,
            state: State::parse(&row.state).ok_or_else(|| corrupt("state", row.id, &row.state))?,
            id: row.id,
            legal_entity_id: row.legal_entity_id,
            legal_entity: row.legal_entity,
            customer_id: row.customer_id,
            customer: row.customer,
            customer_email: row.customer_email,
            month: row.month,
            seq: row.seq,
            number: row.number,
            currency: row.currency,
            net: row.net,
            tax: row.tax,
            total: row.total,
            tax_per: row.tax_per,
            issued_at: row.issued_at,
            issued_on: row.issued_on,
            due_on: row.due_on,
            corrects: row.corrects,
            replaces: row.replaces,
            reason: row.reason,
            seller: row.seller,
            buyer: row.buyer,
            site_ids: row.site_ids,
            paid: row.paid,
            credited: row.credited,
            open: row.open,
        })
    }
}

/// The documents that `$tail` names, as people read them and as they stand at `$1`: one list of columns for all questions.
macro_rules! documents {
    ($tail:literal, $($value:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id as "id!", legal_entity_id as "legal_entity_id!", legal_entity as "legal_entity!", customer_id,
                      customer as "customer!", customer_email as "customer_email!", kind as "kind!", month, seq as "seq!",
                      number as "number!", currency as "currency!", net as "net!", tax as "tax!", total as "total!",
                      tax_per as "tax_per!", issued_at as "issued_at!", issued_on as "issued_on!", due_on as "due_on!",
                      corrects, replaces, reason as "reason!", seller as "seller!", buyer as "buyer!",
                      site_ids as "site_ids!", paid as "paid!", credited as "credited!", open as "open!",
                      invoice_state(kind, total, credited, open, due_at, $1) as "state!"
               from invoices_as_read "#
                + $tail,
            $($value),+
        )
    };
}

/// The documents of the filter after `after`, newest first, at most `limit`, as they stand at `now`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Invoice>> {
    documents!(
        r#"where ($2::uuid is null or legal_entity_id = $2) and ($3::uuid is null or customer_id = $3)
             and ($4::text is null or invoice_state(kind, total, credited, open, due_at, $1) = $4)
             and ($5::text is null or position(lower($5) in lower(number)) > 0 or position(lower($5) in lower(customer)) > 0)
             and issued_at >= coalesce($6::timestamptz, '-infinity') and issued_at < coalesce($7::timestamptz, 'infinity')
             and (issued_at, id) < (coalesce($8::timestamptz, 'infinity'), coalesce($9::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by issued_at desc, id desc limit $10"#,
        now,
        filter.legal_entity_id,
        filter.customer_id,
        filter.state.map(State::as_str),
        filter.text.as_deref(),
        filter.from,
        filter.to,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?
    .into_iter()
    .map(Invoice::try_from)
    .collect()
}

/// Sums over every document of the filter, whatever its state, by state and currency.
pub async fn sums(db: &mut Scoped<'_>, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Sum>> {
    sqlx::query!(
        r#"select state as "state!", currency as "currency!", count(*) as "count!", sum(total) as "total!",
                  sum(open) as "open!"
           from (select *, invoice_state(kind, total, credited, open, due_at, $6) as state from invoices_as_read
                 where ($1::uuid is null or legal_entity_id = $1) and ($2::uuid is null or customer_id = $2)
                   and ($3::text is null or position(lower($3) in lower(number)) > 0
                        or position(lower($3) in lower(customer)) > 0)
                   and issued_at >= coalesce($4::timestamptz, '-infinity')
                   and issued_at < coalesce($5::timestamptz, 'infinity')) i
           group by state, currency order by currency, state"#,
        filter.legal_entity_id,
        filter.customer_id,
        filter.text.as_deref(),
        filter.from,
        filter.to,
        now
    )
    .fetch_all(&mut **db)
    .await?
    .into_iter()
    .map(|row| {
        Ok(Sum {
            state: State::parse(&row.state)
                .ok_or_else(|| corrupt("state", Uuid::nil(), &row.state))?,
            currency: row.currency,
            count: row.count,
            total: row.total,
            open: row.open,
        })
    })
    .collect()
}

/// The document of this number, in any case, or of this id.
pub async fn find(
    db: &mut PgConnection,
    number_or_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Invoice>> {
    documents!(
        "where number = upper($2) or id::text = lower($2)",
        now,
        number_or_id
    )
    .fetch_optional(db)
    .await?
    .map(Invoice::try_from)
    .transpose()
}

/// The document of this id.
pub async fn get(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<Option<Invoice>> {
    find(db, &id.to_string(), now).await
}

/// The documents that refer to this one: credit notes, and what stands in for it.
pub async fn kin(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<Vec<Invoice>> {
    documents!(
        "where corrects = $2 or replaces = $2 order by issued_at, id",
        now,
        id
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Invoice::try_from)
    .collect()
}

/// The actor as `invoice_events`, `payments` and `billing_requests` keep it.
pub(crate) fn actor_columns(actor: Actor) -> (&'static str, Option<Uuid>) {
    (actor.kind(), actor.id())
}
