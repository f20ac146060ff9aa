//! Proves that the books are whole: chains and their hashes, balances, numbers without gaps, and that documents, lines,
//! payments and ledger say the same. Reads only, and names the first thing that is wrong.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::{
    Connection, Pool,
    invoices::{self, Kind},
    ledger::{self, Account, Anchor, Entry, EntryKind},
    legal_entities::{self, LegalEntity},
    payments, vouchers,
};
use uuid::Uuid;

use crate::{
    books,
    invoice::paper::{self, Rows},
};

const BATCH: i64 = 500;

/// What was looked at, of one legal entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose books.
    pub name: String,
    /// Entries of the ledger.
    pub entries: u64,
    /// Invoices and credit notes.
    pub documents: u64,
    /// Where the chain stands: write it down elsewhere, and nobody can make up another.
    pub head: String,
    /// The last anchor: its day, entry and hash.
    pub anchor: Option<String>,
}

/// What is wrong, or why it could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The first thing that is wrong.
    #[error("{entity}: {what}")]
    Wrong {
        /// Whose books.
        entity: String,
        /// What, in words.
        what: String,
    },
    /// The database. A value that no code of ours could have written is told here, too.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Looks at the books of every legal entity, as of one moment.
///
/// # Errors
/// The first thing that is wrong.
pub async fn verify(pool: &Pool, now: DateTime<Utc>) -> Result<Vec<Report>, Broken> {
    let mut db = ledger::snapshot(pool).await?;
    let mut reports = Vec::new();
    for entity in legal_entities::list(&mut db).await? {
        reports.push(one(&mut db, &entity, now).await?);
    }
    Ok(reports)
}

/// What the ledger says of one document or payment.
struct Booked {
    content: [u8; 32],
    seq: i64,
    by_account: BTreeMap<Account, Decimal>,
}

async fn one(
    db: &mut Connection,
    entity: &LegalEntity,
    now: DateTime<Utc>,
) -> Result<Report, Broken> {
    let name = entity.fields.name.clone();
    let result = look(db, entity.id, &name, now).await;
    result.map_err(|error| match error {
        Trouble::Wrong(what) => Broken::Wrong { entity: name, what },
        Trouble::Store(error) => Broken::Store(error),
    })
}

enum Trouble {
    Wrong(String),
    Store(store::Error),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        match error {
            corrupt @ store::Error::Corrupt { .. } => Trouble::Wrong(corrupt.to_string()),
            other => Trouble::Store(other),
        }
    }
}

async fn look(
    db: &mut Connection,
    entity: Uuid,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Report, Trouble> {
    let purged = vouchers::purged(db, entity).await?;
    let anchors = ledger::anchors(db, entity).await?;
    let start = (
        purged.entries_to,
        purged
            .hash
            .clone()
            .unwrap_or_else(|| ledger::genesis(entity).to_vec()),
    );
    let (booked, head, entries) = chain(db, entity, start, &anchors).await?;
    let found = ledger::head(db, entity).await?;
    if (found.seq, &found.hash) != (head.0, &head.1) {
        return Err(Trouble::Wrong(format!(
            "the chain ends at entry {}, but its head says {}",
            head.0, found.seq
        )));
    }
    let mut documents = 0;
    for (series, from) in [
        ("invoice", purged.invoices_to),
        ("credit_note", purged.credit_notes_to),
    ] {
        documents += numbers(db, entity, series, from, &booked, now).await?;
    }
    money(db, entity, &booked).await?;
    if let Some(odd) = invoices::contradiction(db, entity).await? {
        return Err(Trouble::Wrong(odd));
    }
    Ok(Report {
        name: name.to_owned(),
        entries,
        documents,
        head: format!("{} {}", head.0, hex::encode(&head.1)),
        anchor: anchors.last().map(|anchor| {
            format!(
                "{} {} {}",
                anchor.day,
                anchor.seq,
                hex::encode(&anchor.hash)
            )
        }),
    })
}

type Books = HashMap<(&'static str, Uuid), Booked>;

/// Walks the chain from its beginning, or from where the purges left it.
async fn chain(
    db: &mut Connection,
    entity: Uuid,
    (mut seq, mut hash): (i64, Vec<u8>),
    anchors: &[Anchor],
) -> Result<(Books, (i64, Vec<u8>), u64), Trouble> {
    let anchored: HashMap<i64, &Anchor> =
        anchors.iter().map(|anchor| (anchor.seq, anchor)).collect();
    let (mut booked, mut count) = (Books::new(), 0);
    loop {
        let batch = ledger::entries(db, entity, seq, BATCH).await?;
        let last = i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH;
        for entry in batch {
            if entry.seq != seq + 1 {
                return Err(Trouble::Wrong(format!("entry {} is missing", seq + 1)));
            }
            check(entity, &entry, &hash).map_err(Trouble::Wrong)?;
            if let Some(anchor) = anchored.get(&entry.seq)
                && anchor.hash != entry.hash
            {
                return Err(Trouble::Wrong(format!(
                    "entry {} is not the one that was anchored on {}",
                    entry.seq, anchor.day
                )));
            }
            (seq, hash) = (entry.seq, entry.hash);
            let mut by_account = BTreeMap::new();
            for posting in &entry.booked.postings {
                *by_account.entry(posting.account).or_default() += posting.amount;
            }
            booked.insert(
                (entry.booked.kind.as_str(), entry.booked.subject),
                Booked {
                    content: entry.booked.content,
                    seq,
                    by_account,
                },
            );
            count += 1;
        }
        if last {
            return Ok((booked, (seq, hash), count));
        }
    }
}

/// Whether an entry follows the one before it, is what its hash says, and balances.
fn check(entity: Uuid, entry: &Entry, before: &[u8]) -> Result<(), String> {
    let seq = entry.seq;
    if entry.prev_hash != before {
        return Err(format!("entry {seq} does not follow the one before it"));
    }
    if ledger::hash(entity, seq, &entry.booked, before).as_slice() != entry.hash {
        return Err(format!(
            "entry {seq} ({} {}) was changed: its hash is another",
            entry.booked.kind.as_str(),
            entry.booked.document
        ));
    }
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for posting in &entry.booked.postings {
        *sums.entry(posting.currency.code()).or_default() += posting.amount;
    }
    match sums.iter().find(|(_, sum)| !sum.is_zero()) {
        Some((currency, sum)) => Err(format!("entry {seq} is {sum} {currency} off balance")),
        None => Ok(()),
    }
}

/// Looks at every document of a series in the order of its numbers.
async fn numbers(
    db: &mut Connection,
    entity: Uuid,
    series: &str,
    purged_to: i64,
    booked: &Books,
    now: DateTime<Utc>,
) -> Result<u64, Trouble> {
    let (mut seq, mut count) = (0, 0);
    loop {
        let batch = invoices::by_number(db, entity, (series, seq), BATCH, now).await?;
        let last = i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH;
        for invoice in batch {
            if invoice.seq != seq + 1 && invoice.seq - 1 > purged_to {
                let missing = seq.max(purged_to) + 1;
                return Err(Trouble::Wrong(format!("{series} no. {missing} is missing")));
            }
            seq = invoice.seq;
            let rows = Rows {
                sessions: invoices::sessions(db, invoice.id).await?,
                lines: invoices::lines(db, invoice.id).await?,
                invoice,
            };
            document(&rows, booked, purged_to).map_err(Trouble::Wrong)?;
            count += 1;
        }
        if last {
            break;
        }
    }
    let next = invoices::next_seq(db, entity, series).await?;
    if next != seq.max(purged_to) + 1 {
        return Err(Trouble::Wrong(format!(
            "{series} no. {} is missing: the next number is {next}",
            seq.max(purged_to) + 1
        )));
    }
    Ok(count)
}

/// Whether a document adds up, and is what the ledger booked.
fn document(rows: &Rows, booked: &Books, purged_to: i64) -> Result<(), String> {
    let invoice = &rows.invoice;
    let number = &invoice.number;
    let sum = |of: fn(&invoices::LineOf) -> Decimal| rows.lines.iter().map(of).sum::<Decimal>();
    let sums = (
        sum(|line| line.net),
        sum(|line| line.tax),
        sum(|line| line.total),
    );
    if sums != (invoice.net, invoice.tax, invoice.total)
        || rows
            .lines
            .iter()
            .any(|line| line.net + line.tax != line.total)
    {
        return Err(format!("{number}: its lines do not add up to its total"));
    }
    let kind = match invoice.kind {
        Kind::CreditNote => EntryKind::CreditNote,
        _ => EntryKind::Invoice,
    };
    let Some(entry) = booked.get(&(kind.as_str(), invoice.id)) else {
        // Books may be kept for a shorter time than a document that something younger refers to.
        return if invoice.seq <= purged_to {
            Ok(())
        } else {
            Err(format!("{number} is not in the ledger"))
        };
    };
    if entry.content != paper::fingerprint(rows) {
        return Err(format!(
            "{number} was changed: it is not what entry {} booked",
            entry.seq
        ));
    }
    let of = |account| entry.by_account.get(&account).copied().unwrap_or_default();
    let expected = (invoice.total, -invoice.net, -invoice.tax);
    let found = (
        of(Account::Receivable),
        of(Account::Revenue),
        of(Account::Tax),
    );
    if found != expected {
        return Err(format!(
            "{number}: entry {} booked other amounts",
            entry.seq
        ));
    }
    Ok(())
}

/// Whether payments and ledger say the same.
async fn money(db: &mut Connection, entity: Uuid, booked: &Books) -> Result<(), Trouble> {
    if let Some(id) = payments::unbooked(db, entity, 1).await?.first() {
        return Err(Trouble::Wrong(format!("payment {id} is not in the ledger")));
    }
    for ((kind, id), entry) in booked {
        if *kind != EntryKind::Payment.as_str() {
            continue;
        }
        match payments::get(db, *id).await? {
            Some(payment) if books::fingerprint(&payment) == entry.content => {}
            Some(payment) => {
                return Err(Trouble::Wrong(format!(
                    "payment {id} for {} was changed: it is not what entry {} booked",
                    payment.invoice, entry.seq
                )));
            }
            // Payments go with their invoices; the books may be kept longer.
            None if vouchers::any_purged(db, entity).await? => {}
            None => {
                return Err(Trouble::Wrong(format!(
                    "payment {id} of entry {} is missing",
                    entry.seq
                )));
            }
        }
    }
    Ok(())
}
