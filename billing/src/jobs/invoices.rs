//! The regular work around invoices: a month's statements when it is over, corrections of what was invoiced too early,
//! files and mails that are still to be made, what is overdue, anchors of the books, and forgetting what may be forgotten.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;
use store::{
    Pool,
    audit::{self, Actor, Entry},
    ledger, legal_entities,
    vouchers::{self, What},
};

use crate::invoice::{
    Refused,
    issue::{self, Order, Seller},
    month_of, overdue, send,
};

/// A month's statements are issued so long after its end: stations that were offline may still tell.
const GRACE: TimeDelta = TimeDelta::hours(24);

/// Issues, corrects, sends and notices; answers what it did, in words.
///
/// # Errors
/// Those of the database.
pub async fn run(
    pool: &Pool,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> store::Result<String> {
    let (mut issued, mut corrected) = (0, 0);
    let mut troubles = Vec::new();
    let mut db = pool.acquire().await?;
    for entity in legal_entities::list(&mut db).await? {
        let seller = match Seller::load(&mut db, entity.id).await {
            Ok(seller) => seller,
            Err(Refused::Store(error)) => return Err(error),
            Err(Refused::Because(_)) => continue,
        };
        let zone = seller.issuing().time_zone;
        let since = last.map(|last| last - TimeDelta::days(1));
        corrected += issue::correct_stale(pool, entity.id, since, now)
            .await?
            .len();
        // Once a day is enough, and it looks at a year of sessions.
        let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        if seller.issuing().monthly && last.is_none_or(|last| day(last) != day(now)) {
            let order = Order {
                entity: entity.id,
                month: due_month(now, zone),
                customer: None,
                draft: false,
            };
            match issue::statements(pool, order, Actor::System, now).await {
                Ok(run) => {
                    issued += run.issued.len();
                    troubles.extend(run.troubles);
                }
                Err(Refused::Store(error)) => return Err(error),
                Err(Refused::Because(why)) => troubles.push(why),
            }
        }
        let yesterday = now.with_timezone(&zone).date_naive() - Days::new(1);
        if ledger::anchor(&mut db, entity.id, yesterday, now).await? {
            let head = ledger::head(&mut db, entity.id).await?;
            tracing::info!(
                legal_entity.id = %entity.id, day = %yesterday, ledger.seq = head.seq, ledger.hash = hex::encode(&head.hash),
                "the books were anchored"
            );
        }
    }
    let made = send::catch_up(pool, now).await?;
    let overdue = overdue::notice(&mut db, now).await?;
    for trouble in &troubles {
        tracing::warn!(trouble, "a statement was not issued");
    }
    Ok(format!(
        "{issued} issued, {corrected} corrected, {made} made, {overdue} overdue, {} in trouble",
        troubles.len()
    ))
}

/// Forgets the vouchers whose time is over; answers what went, in words. What is under a legal hold stays.
///
/// # Errors
/// Those of the database.
pub async fn forget(pool: &Pool, now: DateTime<Utc>) -> store::Result<String> {
    let mut db = pool.acquire().await?;
    let mut done = Vec::new();
    for entity in legal_entities::list(&mut db).await? {
        let Some(first) = vouchers::years(&mut db, entity.id).await?.first().copied() else {
            continue;
        };
        for what in What::ALL {
            for year in first..now.year() {
                let free = vouchers::free_at(&mut db, entity.id, what, year).await?;
                if free.is_none_or(|free| free > now) {
                    break;
                }
                let mut tx = pool.begin().await?;
                match vouchers::purge(&mut tx, entity.id, what, year, now).await {
                    Ok(0) => {}
                    Ok(gone) => {
                        let entry = Entry {
                            at: now,
                            actor: Actor::System,
                            action: "vouchers.purge".to_owned(),
                            entity: format!("legal_entity/{}", entity.id),
                            detail: json!({ "what": what.as_str(), "year": year, "rows": gone }),
                        };
                        audit::record(&mut tx, &entry).await?;
                        tx.commit().await?;
                        done.push(format!("{} of {year}: {gone}", what.as_str()));
                        continue;
                    }
                    Err(error) if error.is_conflict("vouchers_are_held") => {
                        tracing::info!(
                            year,
                            what = what.as_str(),
                            "vouchers stay under a legal hold"
                        );
                        break;
                    }
                    Err(error) => return Err(error),
                }
                tx.commit().await?;
            }
        }
    }
    Ok(if done.is_empty() {
        "nothing to forget".to_owned()
    } else {
        done.join(", ")
    })
}

/// The month whose statements are due at `now`: the last one that is over, with its grace.
pub fn due_month(now: DateTime<Utc>, zone: Tz) -> NaiveDate {
    let today = (now - GRACE).with_timezone(&zone).date_naive();
    month_of(month_of(today).0 - Days::new(1)).0
}
