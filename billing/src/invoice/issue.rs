//! Issuing: statements of a month, receipts of a session, and in `take_back` what undoes them. Each
//! document is issued in one transaction that holds the seller's numbers from its first statement on; whoever fails gives
//! the number back. What is asked for twice is issued once.

mod take_back;

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use store::{
    Connection, Currency, Error, Pool,
    audit::Actor,
    customers::{self, Customer},
    ids,
    invoices::{self, Billable, Kind, NewInvoice, Which},
    lago::events,
    ledger,
    legal_entities::{self, Issuing, LegalEntity},
    past_accounts, tag_mappings,
};
use uuid::Uuid;

use super::{
    Party, Refused, day_begins, month_in, month_of, paper,
    reckon::{self, Bill, Rules},
};
use crate::books;

pub use take_back::{correct, correct_stale, credit, regenerate};

/// Sessions that ended so long before a statement's month are still on it, if they were on none before: a station that
/// was offline tells late.
const LATE: Days = Days::new(366);

/// The seller of a document, as needed to issue it.
#[derive(Debug, Clone)]
pub struct Seller {
    entity: LegalEntity,
    issuing: Issuing,
}

impl Seller {
    /// The legal entity of this id.
    ///
    /// # Errors
    /// If there is none.
    pub async fn load(db: &mut Connection, id: Uuid) -> Result<Self, Refused> {
        let nobody = || Refused::because(format!("there is no legal entity {id}"));
        Ok(Seller {
            entity: legal_entities::get(db, id).await?.ok_or_else(nobody)?,
            issuing: legal_entities::issuing(db, id).await?.ok_or_else(nobody)?,
        })
    }

    /// Its zone and how it issues.
    pub fn issuing(&self) -> &Issuing {
        &self.issuing
    }

    fn party(&self) -> Party {
        let fields = self.entity.fields.clone();
        Party {
            name: fields.name,
            address: fields.address,
            country: fields.country,
            tax_id: fields.tax_id,
            email: fields.email,
            payment_details: fields.payment_details,
        }
    }

    fn rules(&self, currency: Currency) -> Rules {
        Rules {
            tax_per: self.entity.fields.tax_per,
            rounding: self.entity.fields.rounding,
            currency,
        }
    }
}

fn party_of(customer: &Customer) -> Party {
    let fields = customer.fields.clone();
    Party {
        name: fields.name,
        address: fields.address,
        country: fields.country,
        tax_id: fields.tax_id,
        email: fields.email,
        payment_details: String::new(),
    }
}

/// What a run over a month did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// What was issued; of drafts, nothing.
    pub issued: Vec<Uuid>,
    /// How many statements there were already, or drafts were made.
    pub others: u64,
    /// What could not be issued, and why.
    pub troubles: Vec<String>,
}

/// What a run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Whose sales.
    pub entity: Uuid,
    /// Any day of the month.
    pub month: NaiveDate,
    /// One customer; else every one whose usage is not invoiced by Lago.
    pub customer: Option<Uuid>,
    /// Only write down what would be issued.
    pub draft: bool,
}

/// Issues the statements of a month, or drafts them. A month that is not over is refused. Idempotent: a customer has one
/// statement a month, seller and currency; what comes to light later is on the next one.
///
/// # Errors
/// A refusal in words, and those of the database. One customer's trouble does not keep the others from theirs.
pub async fn statements(
    pool: &Pool,
    order: Order,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Run, Refused> {
    let mut db = pool.acquire().await.map_err(Error::from)?;
    let seller = Seller::load(&mut db, order.entity).await?;
    let (month, next) = month_of(order.month);
    let (_, ends) = month_in(month, seller.issuing.time_zone);
    if ends > now {
        return Err(Refused::because(format!(
            "{} is not over: its statements can be issued from {next} on",
            month.format("%Y-%m")
        )));
    }
    if order.draft {
        invoices::drop_draft(&mut db, order.entity, month, order.customer).await?;
    }
    let mut run = Run::default();
    for (customer, sessions) in due(&mut db, &seller, order, month, ends).await? {
        let mut tx = pool.begin().await.map_err(Error::from)?;
        let issued = statement(
            &mut tx,
            &seller,
            &customer,
            month,
            &sessions,
            order.draft,
            (actor, now),
        )
        .await;
        match issued {
            Ok(Done { issued, others }) => {
                tx.commit().await.map_err(Error::from)?;
                run.issued.extend(issued);
                run.others += others;
            }
            Err(Refused::Store(error)) if error.is_retryable() => return Err(error.into()),
            Err(error) => run
                .troubles
                .push(format!("{}: {error}", customer.fields.name)),
        }
    }
    Ok(run)
}

/// The customers with sessions to be stated, and those.
async fn due(
    db: &mut Connection,
    seller: &Seller,
    order: Order,
    month: NaiveDate,
    ends: DateTime<Utc>,
) -> Result<Vec<(Customer, Vec<Uuid>)>, Refused> {
    let begins = day_begins(month, seller.issuing.time_zone);
    let ended = Which::Ended {
        from: begins - LATE,
        to: ends,
    };
    let mut sessions = invoices::billable(db, order.entity, &ended).await?;
    if order.customer.is_none() {
        leave_to_lago(db, &mut sessions).await?;
    }
    let mut by_customer: BTreeMap<Uuid, Vec<&Billable>> = BTreeMap::new();
    for (session, payer) in sessions.iter().zip(payers(db, &sessions).await?) {
        if let Some(payer) = payer
            && order.customer.is_none_or(|only| only == payer)
        {
            by_customer.entry(payer).or_default().push(session);
        }
    }
    let mut found = Vec::new();
    for (id, sessions) in by_customer {
        let Some(customer) = customers::get(db, id).await?.filter(|c| c.fields.active) else {
            continue;
        };
        // What is sent to Lago is invoiced there; here only if somebody asks for this very customer.
        if customer.fields.lago_external_id.is_some() && order.customer.is_none() {
            continue;
        }
        let of_month = |session: &&&Billable| {
            session.ended_at >= begins || session.ended_at >= customer.created_at
        };
        let ids: Vec<Uuid> = sessions
            .iter()
            .filter(of_month)
            .map(|s| s.session_id)
            .collect();
        if !ids.is_empty() {
            found.push((customer, ids));
        }
    }
    Ok(found)
}

/// Takes out what is in Lago: it is invoiced there, even if the customer is no customer of Lago's any more.
async fn leave_to_lago(db: &mut Connection, sessions: &mut Vec<Billable>) -> Result<(), Refused> {
    let ids: Vec<Uuid> = sessions.iter().map(|session| session.session_id).collect();
    let told: HashSet<Uuid> = events::told(db, &ids).await?.into_iter().collect();
    sessions.retain(|session| !told.contains(&session.session_id));
    Ok(())
}

/// Who pays for each session: on whose account its token charged when it began. Who has it today pays for what nobody
/// had to pay for then.
async fn payers(db: &mut Connection, sessions: &[Billable]) -> Result<Vec<Option<Uuid>>, Refused> {
    let mut tokens: Vec<String> = sessions.iter().map(|s| s.id_token.clone()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let accounts = tag_mappings::accounts(db, &tokens).await?;
    let today: BTreeMap<&str, Uuid> = tokens
        .iter()
        .zip(&accounts)
        .filter_map(|(token, account)| {
            let account = account.as_ref().filter(|account| account.active)?;
            Some((token.as_str(), account.customer_id))
        })
        .collect();
    let asked: Vec<(&str, DateTime<Utc>)> = sessions
        .iter()
        .map(|session| (session.id_token.as_str(), session.started_at))
        .collect();
    let then = past_accounts::payers(db, &asked).await?;
    let payers = then
        .into_iter()
        .zip(&asked)
        .map(|(then, (token, _))| then.or_else(|| today.get(token).copied()));
    Ok(payers.collect())
}

#[derive(Default)]
struct Done {
    issued: Vec<Uuid>,
    others: u64,
}

/// One customer's statements of a month: one in each currency. What others did meanwhile is seen, because the numbers are
/// locked first.
async fn statement(
    db: &mut Connection,
    seller: &Seller,
    customer: &Customer,
    month: NaiveDate,
    sessions: &[Uuid],
    draft: bool,
    (actor, now): (Actor, DateTime<Utc>),
) -> Result<Done, Refused> {
    invoices::lock(db, seller.entity.id).await?;
    let which = Which::These(sessions.to_vec());
    let mut by_currency: BTreeMap<String, Vec<Billable>> = BTreeMap::new();
    for session in invoices::billable(db, seller.entity.id, &which).await? {
        by_currency
            .entry(session.currency.clone())
            .or_default()
            .push(session);
    }
    let mut done = Done::default();
    for (code, sessions) in by_currency {
        if invoices::has_statement(db, seller.entity.id, customer.id, month, &code).await? {
            done.others += 1;
            continue;
        }
        let currency = currency(&code)?;
        let bill = reckon::reckon(&sessions, seller.rules(currency)).map_err(refuse)?;
        let draft_of = Outline {
            customer: Some(customer.id),
            buyer: party_of(customer),
            kind: Kind::Statement,
            month: Some(month),
            ..Outline::default()
        };
        let new = draft_of.document(seller, bill, currency, now);
        if draft {
            invoices::put_draft(db, &new).await?;
            done.others += 1;
        } else {
            invoices::drop_draft(db, seller.entity.id, month, Some(customer.id)).await?;
            done.issued.push(write(db, &new, actor, now).await?);
        }
    }
    Ok(done)
}

fn refuse(error: reckon::Unreadable) -> Refused {
    Refused::because(error.to_string())
}

fn currency(code: &str) -> Result<Currency, Refused> {
    code.parse()
        .map_err(|error: store::money::NoCurrency| Refused::because(error.to_string()))
}

/// A document but for its sessions.
#[derive(Debug, Default)]
struct Outline {
    customer: Option<Uuid>,
    buyer: Party,
    kind: Kind,
    month: Option<NaiveDate>,
    corrects: Option<Uuid>,
    replaces: Option<Uuid>,
    reason: String,
}

impl Outline {
    fn document(
        self,
        seller: &Seller,
        bill: Bill,
        currency: Currency,
        now: DateTime<Utc>,
    ) -> NewInvoice {
        let zone = seller.issuing.time_zone;
        let today = now.with_timezone(&zone).date_naive();
        let days = u64::try_from(seller.entity.fields.payment_days).unwrap_or(0);
        let due_on = if self.kind == Kind::CreditNote {
            today
        } else {
            today + Days::new(days)
        };
        NewInvoice {
            id: ids::new_id(now),
            legal_entity_id: seller.entity.id,
            customer_id: self.customer,
            kind: self.kind,
            month: self.month,
            currency,
            net: bill.net,
            tax: bill.tax,
            total: bill.total,
            tax_per: seller.entity.fields.tax_per.as_str(),
            issued_at: now,
            issued_on: today,
            due_on,
            due_at: day_begins(due_on + Days::new(1), zone),
            corrects: self.corrects,
            replaces: self.replaces,
            reason: self.reason,
            seller: seller.party().to_json(),
            buyer: self.buyer.to_json(),
            sessions: bill.sessions,
            lines: bill.lines,
        }
    }
}

/// Numbers a document, writes it, and books it.
async fn write(
    db: &mut Connection,
    new: &NewInvoice,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Uuid, Refused> {
    let number = invoices::next_number(db, new.legal_entity_id, new.kind).await?;
    invoices::insert(db, new, &number, actor).await?;
    // Booked as it stands in the database, so that it can be compared with what stands there later.
    let rows = paper::rows(db, new.id, now)
        .await?
        .ok_or_else(|| Refused::because("the document was not kept"))?;
    let entry = books::of_document(&rows, new.currency);
    ledger::append(db, new.legal_entity_id, &entry).await?;
    Ok(new.id)
}

/// Issues a receipt for one session, at once: to the customer on whose account it charged, or to `buyer`.
///
/// # Errors
/// If the session has not ended, has no price that counts, or is on a document already.
pub async fn receipt(
    db: &mut Connection,
    session: Uuid,
    buyer: Option<Party>,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Uuid, Refused> {
    let entity = legal_entities::of_session(db, session)
        .await?
        .ok_or_else(|| Refused::because("nobody sells at the site of this session"))?;
    let seller = Seller::load(db, entity).await?;
    invoices::lock(db, entity).await?;
    let which = Which::These(vec![session]);
    let sessions = invoices::billable(db, entity, &which).await?;
    let Some(only) = sessions.first() else {
        return Err(Refused::because(
            "this session cannot be invoiced: it has not ended, its price is held or missing, or it is on a document already",
        ));
    };
    let customer = match payers(db, &sessions).await?.pop().flatten() {
        Some(id) => customers::get(db, id).await?,
        None => None,
    };
    let currency = currency(&only.currency)?;
    let bill = reckon::reckon(&sessions, seller.rules(currency)).map_err(refuse)?;
    let outline = Outline {
        customer: customer.as_ref().map(|customer| customer.id),
        buyer: buyer
            .or(customer.as_ref().map(party_of))
            .unwrap_or_default(),
        kind: Kind::Receipt,
        ..Outline::default()
    };
    let new = outline.document(&seller, bill, currency, now);
    write(db, &new, actor, now).await
}
