//! `forecourt billing hold`: what keeps vouchers longer than the law asks for.

use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveDate, Utc};
use service::{clock::Clock, config::Config};
use store::{
    Connection, Room,
    audit::Actor,
    customers,
    vouchers::{self, NewHold},
};

use crate::{
    cli::{Hold, LiftHold, SetHold},
    invoicing::{open, seller},
};

/// `forecourt billing hold`
pub async fn run(config: &Config, asked: &Hold) -> anyhow::Result<()> {
    let pool = open(config, Room::Billing).await?;
    let now = Clock::system().now();
    let mut tx = pool.begin().await?;
    match asked {
        Hold::Set(asked) => set(&mut tx, asked, now).await?,
        Hold::Lift(asked) => lift(&mut tx, asked, now).await?,
        Hold::List => list(&mut tx, now).await?,
    }
    tx.commit().await?;
    Ok(())
}

async fn set(db: &mut Connection, asked: &SetHold, now: DateTime<Utc>) -> anyhow::Result<()> {
    if asked.reason.trim().is_empty() {
        bail!("--reason: expected a reason such as the number of the case");
    }
    let entity = match &asked.entity {
        Some(name) => Some(seller(db, name).await?.id),
        None => None,
    };
    let customer = match &asked.customer {
        Some(name) => {
            let found = customers::find(db, name).await?;
            let expected = "expected the name or id of one customer";
            Some(
                found
                    .with_context(|| format!("--customer {name:?}: {expected}"))?
                    .id,
            )
        }
        None => None,
    };
    let new = NewHold {
        seller: entity,
        customer,
        reason: &asked.reason,
        until: asked
            .until
            .as_deref()
            .map(|day| until(day, now))
            .transpose()?,
    };
    println!("{}", vouchers::hold(db, &new, Actor::Cli, now).await?);
    Ok(())
}

/// The end of a day that is to come.
fn until(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    let ends = text
        .parse()
        .ok()
        .and_then(|day: NaiveDate| day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0))
        .map(|ends| ends.and_utc())
        .filter(|ends| *ends > now);
    ends.with_context(|| format!("--until {text:?}: expected a day to come such as 2029-12-31"))
}

async fn lift(db: &mut Connection, asked: &LiftHold, now: DateTime<Utc>) -> anyhow::Result<()> {
    if !vouchers::lift(db, asked.id, &asked.reason, Actor::Cli, now).await? {
        bail!("there is no open hold {}", asked.id);
    }
    Ok(())
}

async fn list(db: &mut Connection, now: DateTime<Utc>) -> anyhow::Result<()> {
    for hold in vouchers::holds(db, None).await? {
        let seller = hold
            .seller
            .as_ref()
            .map_or("every seller", |(_, name)| name);
        let customer = hold.customer.as_ref();
        let customer = customer.map_or("every customer", |(_, name)| name);
        let until = match hold.until {
            None => "until it is lifted".to_owned(),
            Some(at) if hold.is_open(now) => format!("until {}", at.to_rfc3339()),
            Some(at) => format!("over since {}", at.to_rfc3339()),
        };
        println!(
            "{}  {seller}, {customer}, {until}: {}",
            hold.id, hold.reason
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_after_its_last_day() {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let ends = until("2026-11-20", now).unwrap();
        assert_eq!(ends.to_rfc3339(), "2026-11-21T00:00:00+00:00");
        for wrong in ["2026-11-19", "tomorrow", ""] {
            let error = until(wrong, now).unwrap_err().to_string();
            assert!(error.contains("expected a day to come"), "{error}");
        }
    }
}
