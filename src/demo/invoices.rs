//! Who pays in the demo, and what they were sent: the statements of the months that are over, paid, overdue and credited,
//! by the same code that bills in earnest. Nobody has an address, so that no mail leaves.

use anyhow::Context;
use billing::{
    invoice::{
        Refused,
        issue::{self, Order},
        month_in, month_of,
        pay::{self, Paid},
        send,
    },
    pricing,
};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::{Europe::Amsterdam, Tz};
use simulators::Driver;
use store::{
    Connection, Pool,
    audit::Actor,
    customers::{self, Fields},
    ids,
    invoices::{self, Invoice},
    legal_entities,
    payments::Method,
    tag_mappings::{self, NewMapping},
};
use uuid::Uuid;

/// The seller's, as `money` says.
pub(super) const ZONE: Tz = Amsterdam;

/// Somebody who pays for the cards of some drivers.
struct Payer {
    name: &'static str,
    address: &'static str,
    country: &'static str,
    tax_id: &'static str,
    /// Places in the list of drivers.
    drivers: &'static [usize],
}

/// The first always pays, the second does not, the third has something credited.
const PAYERS: [Payer; 4] = [
    Payer {
        name: "Havenbedrijf Logistiek B.V.",
        address: "Waalhaven Z.z. 19\n3089 JH Rotterdam",
        country: "NL",
        tax_id: "NL000099997B21",
        drivers: &[0, 1, 2, 3],
    },
    Payer {
        name: "Taxi Maas & Zn.",
        address: "Putselaan 102\n3072 CG Rotterdam",
        country: "NL",
        tax_id: "",
        drivers: &[4, 6, 7],
    },
    Payer {
        name: "Hoffmann Außendienst GmbH",
        address: "Am Speicher 4\n28217 Bremen",
        country: "DE",
        tax_id: "DE000000007",
        drivers: &[12, 13, 14, 15],
    },
    Payer {
        name: "Femke Bakker",
        address: "Bree 81\n3074 BC Rotterdam",
        country: "NL",
        tax_id: "",
        drivers: &[5],
    },
];

/// Adds the customers, and puts drivers' cards on their accounts.
pub(super) async fn add_customers(
    db: &mut Connection,
    drivers: &[Driver],
    begin: DateTime<Utc>,
) -> anyhow::Result<()> {
    for payer in &PAYERS {
        let fields = Fields {
            name: payer.name.to_owned(),
            email: String::new(),
            address: payer.address.to_owned(),
            country: payer.country.to_owned(),
            tax_id: payer.tax_id.to_owned(),
            lago_external_id: None,
            active: true,
        };
        let customer_id = customers::create(db, &fields, begin).await?;
        for driver in payer.drivers.iter().filter_map(|place| drivers.get(*place)) {
            let mapping = NewMapping {
                id_token: driver.tag.clone(),
                customer_id,
                subscription: None,
                display_name: driver.name.to_owned(),
                notes: String::new(),
                active: true,
            };
            tag_mappings::create(db, &mapping, begin).await?;
        }
    }
    Ok(())
}

/// Prices the past, and issues and settles what is due until `end`.
pub(super) async fn bill(
    pool: &Pool,
    begin: DateTime<Utc>,
    end: DateTime<Utc>,
) -> anyhow::Result<()> {
    pricing::price_pending(pool, end).await?;
    let sellers = legal_entities::list(&mut *pool.acquire().await?).await?;
    let seller = sellers.first().context("the demo's seller is gone")?.id;
    for month in months(begin, end) {
        let (_, over) = month_in(month, ZONE);
        // As the product does: a day after the month's end, in the morning.
        let when = (over + TimeDelta::hours(30)).min(end);
        let issued = statements(pool, seller, month, when).await?;
        settle(pool, &issued, (when + Days::new(9)).min(end)).await?;
    }
    Ok(())
}

/// The months that are over by `end`, the first first.
fn months(begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<NaiveDate> {
    let mut months = Vec::new();
    let mut month = month_of(begin.with_timezone(&ZONE).date_naive()).0;
    while month_in(month, ZONE).1 <= end {
        months.push(month);
        month = month_of(month).1;
    }
    months
}

async fn statements(
    pool: &Pool,
    entity: Uuid,
    month: NaiveDate,
    when: DateTime<Utc>,
) -> anyhow::Result<Vec<Uuid>> {
    let order = Order {
        entity,
        month,
        customer: None,
        draft: false,
    };
    let run = done(issue::statements(pool, order, Actor::System, when).await)?;
    for id in &run.issued {
        send::finish(pool, *id, when).await?;
    }
    Ok(run.issued)
}

/// The first customer and the last pay within ten days, the third has a session credited; the second owes.
async fn settle(pool: &Pool, issued: &[Uuid], when: DateTime<Utc>) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    let mut notes = Vec::new();
    for id in issued {
        let invoice = invoices::get(&mut tx, *id, when).await?;
        let invoice = invoice.context("what was just issued is gone")?;
        let payer = PAYERS
            .iter()
            .position(|payer| payer.name == invoice.customer);
        match payer {
            Some(0 | 3) => pay_whole(&mut tx, &invoice, when).await?,
            Some(2) => notes.push(credit_first(&mut tx, &invoice, when).await?),
            _ => {}
        }
    }
    tx.commit().await?;
    for note in notes {
        send::finish(pool, note, when).await?;
    }
    Ok(())
}

async fn pay_whole(
    db: &mut Connection,
    invoice: &Invoice,
    when: DateTime<Utc>,
) -> anyhow::Result<()> {
    if invoice.open.is_zero() {
        return Ok(());
    }
    let paid = Paid {
        id: ids::new_id(when),
        invoice: invoice.id,
        method: Method::Bank,
        provider: String::new(),
        reference: format!("{} {}", invoice.number, invoice.issued_on.format("%Y%m%d")),
        amount: invoice.open,
        received_on: when.with_timezone(&ZONE).date_naive(),
        note: String::new(),
    };
    done(pay::record(db, &paid, Actor::System, when).await)?;
    Ok(())
}

async fn credit_first(
    db: &mut Connection,
    invoice: &Invoice,
    when: DateTime<Utc>,
) -> anyhow::Result<Uuid> {
    let sessions = invoices::sessions(db, invoice.id).await?;
    let first: Vec<Uuid> = sessions.iter().take(1).map(|of| of.session_id).collect();
    let why = "The cable was damaged; we do not charge for this visit.";
    done(issue::credit(db, invoice.id, Some(&first), why, Actor::System, when).await)
}

fn done<T>(result: Result<T, Refused>) -> anyhow::Result<T> {
    match result {
        Ok(done) => Ok(done),
        Err(Refused::Store(error)) => Err(error.into()),
        Err(refused) => anyhow::bail!(refused.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_months_that_are_over_are_billed() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let of = |begin: &str, end: &str| {
            let months = months(at(begin), at(end)).into_iter();
            months.map(|month| month.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            of("2026-09-21T12:00:00Z", "2026-11-20T12:00:00Z"),
            ["2026-09-01", "2026-10-01"]
        );
        // It is December in Amsterdam already.
        assert_eq!(
            of("2026-11-02T12:00:00Z", "2026-11-30T23:00:00Z"),
            ["2026-11-01"]
        );
    }
}
