//! A document as it is printed: plain values that [`crate::pdf`] lays out, and the fingerprint by which the ledger knows
//! it. Loaded from rows that never change, so that the same document always prints the same.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use store::{
    Connection, Currency, Error,
    invoices::{self, Invoice, Kind, LineOf, SessionOf},
    legal_entities,
};
use uuid::Uuid;

use super::{Party, reckon};

/// What is printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Paper {
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub number: String,
    /// Who sells.
    pub seller: Party,
    /// A PNG; without one the seller's name is set large.
    pub logo: Option<Vec<u8>>,
    /// Who pays.
    pub buyer: Party,
    /// When it was issued; the PDF's own date.
    pub issued_at: DateTime<Utc>,
    /// The seller's day then.
    pub issued_on: NaiveDate,
    /// To be paid by the end of this day.
    pub due_on: NaiveDate,
    /// Of a statement: the first day of its month.
    pub month: Option<NaiveDate>,
    /// Of every amount.
    pub currency: Currency,
    /// In its order, each with its lines.
    pub sessions: Vec<(SessionOf, Vec<LineOf>)>,
    /// Rate, net and tax, by rate.
    pub taxes: Vec<(Decimal, Decimal, Decimal)>,
    /// Before tax.
    pub net: Decimal,
    /// The tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
    /// The number of what a credit note takes back.
    pub corrects: Option<String>,
    /// The number of what it stands in for.
    pub replaces: Option<String>,
    /// Why it was issued, if not as a matter of course.
    pub reason: String,
}

impl Paper {
    /// What the sun saved, where that is known of some session.
    pub fn saved(&self) -> Option<Decimal> {
        self.sessions
            .iter()
            .filter_map(|(session, _)| session.saved)
            .reduce(|one, other| one + other)
    }

    /// Wh of all sessions whose energy is known.
    pub fn energy_wh(&self) -> i64 {
        self.sessions
            .iter()
            .filter_map(|(session, _)| session.energy_wh)
            .sum()
    }
}

/// A document's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Itself.
    pub invoice: Invoice,
    /// In their order.
    pub sessions: Vec<SessionOf>,
    /// In their order.
    pub lines: Vec<LineOf>,
}

/// The rows of a document.
///
/// # Errors
/// Those of the database.
pub async fn rows(
    db: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
) -> store::Result<Option<Rows>> {
    let Some(invoice) = invoices::get(db, id, now).await? else {
        return Ok(None);
    };
    Ok(Some(Rows {
        sessions: invoices::sessions(db, id).await?,
        lines: invoices::lines(db, id).await?,
        invoice,
    }))
}

/// What is printed of a document.
///
/// # Errors
/// Those of the database, and a currency that is none.
pub async fn load(
    db: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
) -> store::Result<Option<Paper>> {
    let Some(rows) = rows(db, id, now).await? else {
        return Ok(None);
    };
    let number_of =
        async |db: &mut Connection, id: Option<Uuid>| -> store::Result<Option<String>> {
            match id {
                Some(id) => Ok(invoices::get(db, id, now).await?.map(|other| other.number)),
                None => Ok(None),
            }
        };
    let corrects = number_of(db, rows.invoice.corrects).await?;
    let replaces = number_of(db, rows.invoice.replaces).await?;
    let logo = legal_entities::logo(db, rows.invoice.legal_entity_id).await?;
    let invoice = rows.invoice;
    let taxes = reckon::taxes(&rows.lines);
    Ok(Some(Paper {
        kind: invoice.kind,
        seller: Party::from_json(&invoice.seller),
        logo,
        buyer: Party::from_json(&invoice.buyer),
        issued_at: invoice.issued_at,
        issued_on: invoice.issued_on,
        due_on: invoice.due_on,
        month: invoice.month,
        currency: invoice.currency.parse().map_err(|_| Error::Corrupt {
            table: "invoices",
            column: "currency",
            row: invoice.number.clone(),
            value: invoice.currency.clone(),
        })?,
        number: invoice.number,
        sessions: by_session(rows.sessions, rows.lines),
        taxes,
        net: invoice.net,
        tax: invoice.tax,
        total: invoice.total,
        corrects,
        replaces,
        reason: invoice.reason,
    }))
}

fn by_session(sessions: Vec<SessionOf>, lines: Vec<LineOf>) -> Vec<(SessionOf, Vec<LineOf>)> {
    let mut lines = lines.into_iter().peekable();
    sessions
        .into_iter()
        .map(|session| {
            let mut of_it = Vec::new();
            while let Some(line) = lines.next_if(|line| line.position == session.position) {
                of_it.push(line);
            }
            (session, of_it)
        })
        .collect()
}

/// sha256 of everything that a document says. The ledger keeps it: a changed byte is found.
pub fn fingerprint(rows: &Rows) -> [u8; 32] {
    let mut text = String::from("forecourt invoice, form 1\n");
    let i = &rows.invoice;
    let mut put = |parts: &[String]| {
        for part in parts {
            // With its length before it, no text can be taken for two.
            write!(text, "{}:{part}|", part.len()).expect("writing to a string cannot fail");
        }
        text.push('\n');
    };
    put(&[
        i.id.to_string(),
        i.legal_entity_id.to_string(),
        optional(i.customer_id),
        i.kind.as_str().to_owned(),
        optional(i.month),
        i.number.clone(),
        i.currency.clone(),
        amount(i.net),
        amount(i.tax),
        amount(i.total),
        i.tax_per.clone(),
        instant(i.issued_at),
        i.issued_on.to_string(),
        i.due_on.to_string(),
        optional(i.corrects),
        optional(i.replaces),
        i.reason.clone(),
        i.seller.clone(),
        i.buyer.clone(),
    ]);
    for s in &rows.sessions {
        put(&[
            s.position.to_string(),
            s.session_id.to_string(),
            s.revision.to_string(),
            optional(s.site_id),
            s.site.clone(),
            s.time_zone.clone(),
            s.station.clone(),
            s.connector.to_string(),
            s.id_token.clone(),
            instant(s.started_at),
            instant(s.ended_at),
            optional(s.energy_wh),
            optional(s.register_start_wh),
            optional(s.register_stop_wh),
            s.prices_include_tax.to_string(),
            s.signed.join(","),
            s.saved.map_or_else(String::new, amount),
        ]);
    }
    for l in &rows.lines {
        put(&[
            l.position.to_string(),
            l.kind.clone(),
            l.source.clone().unwrap_or_default(),
            amount(l.quantity),
            amount(l.unit_price),
            amount(l.tax_rate),
            amount(l.net),
            amount(l.tax),
            amount(l.total),
            instant(l.from),
            instant(l.to),
        ]);
    }
    Sha256::digest(text).into()
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// 1.50 and 1.5 are one amount, and so are 0 and -0.
fn amount(value: Decimal) -> String {
    value.normalize().to_string()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
