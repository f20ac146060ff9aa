//! `forecourt billing issue | verify | export`: the invoices and books of the installation, by hand.

use std::io::Write;

use anyhow::{Context, bail};
use billing::{
    export,
    invoice::{
        Refused, day_begins,
        issue::{self, Order},
        parse_month, send,
    },
    verify::{self, Broken},
};
use chrono::{Days, NaiveDate};
use service::{clock::Clock, config::Config};
use store::{
    Connection, Pool, Room,
    audit::{self, Actor, Entry},
    customers, legal_entities,
    legal_entities::LegalEntity,
};

use crate::{
    cli::{Export, Issue},
    database::Database,
};

pub(crate) async fn open(config: &Config, room: Room) -> anyhow::Result<Pool> {
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    database.pool(room, 4)
}

/// `forecourt billing issue`
pub async fn issue(config: &Config, asked: &Issue) -> anyhow::Result<()> {
    let Some(month) = parse_month(&asked.month) else {
        bail!(
            "--month {:?}: expected a month such as 2026-10",
            asked.month
        );
    };
    let pool = open(config, Room::Billing).await?;
    let now = Clock::system().now();
    let mut db = pool.acquire().await?;
    let customer = match &asked.customer {
        Some(name) => Some(
            customers::find(&mut db, name)
                .await?
                .with_context(|| {
                    format!("--customer {name:?}: expected the name or id of one customer")
                })?
                .id,
        ),
        None => None,
    };
    let mut troubles = 0;
    for entity in sellers(&mut db, asked.entity.as_deref()).await? {
        let order = Order {
            entity: entity.id,
            month,
            customer,
            draft: asked.draft,
        };
        let run = match issue::statements(&pool, order, Actor::Cli, now).await {
            Ok(run) => run,
            // One seller's month may not be over where another's is: they all get their turn.
            Err(Refused::Because(why)) => {
                eprintln!("{}: {why}", entity.fields.name);
                troubles += 1;
                continue;
            }
            Err(Refused::Store(error)) => return Err(error.into()),
        };
        for id in &run.issued {
            send::finish(&pool, *id, now).await?;
        }
        let entry = Entry {
            at: now,
            actor: Actor::Cli,
            action: "invoice.statements".to_owned(),
            entity: format!("legal_entity/{}", entity.id),
            detail: Default::default(),
        };
        audit::record(&mut db, &entry).await?;
        let name = &entity.fields.name;
        if asked.draft {
            println!("{name}: {} drafted.", run.others);
        } else {
            println!(
                "{name}: {} issued; {} had theirs.",
                run.issued.len(),
                run.others
            );
        }
        for trouble in &run.troubles {
            eprintln!("{name}: not issued: {trouble}");
        }
        troubles += run.troubles.len();
    }
    if troubles > 0 {
        bail!("{troubles} could not be issued");
    }
    Ok(())
}

/// `forecourt billing verify`: the first thing that is wrong ends it.
pub async fn verify(config: &Config) -> anyhow::Result<()> {
    let pool = open(config, Room::Billing).await?;
    let reports = match verify::verify(&pool, Clock::system().now()).await {
        Ok(reports) => reports,
        Err(Broken::Store(error)) => return Err(error.into()),
        Err(wrong) => bail!("the books are broken. {wrong}"),
    };
    if reports.is_empty() {
        println!("There is no legal entity, and there are no books.");
    }
    for report in reports {
        println!(
            "{}: {} documents and {} entries, whole.\n  head    {}\n  anchor  {}",
            report.name,
            report.documents,
            report.entries,
            report.head,
            report
                .anchor
                .as_deref()
                .unwrap_or("none yet; one is made each day")
        );
    }
    Ok(())
}

/// `forecourt billing export`: only the CSV goes to standard output.
pub async fn export(config: &Config, asked: &Export) -> anyhow::Result<()> {
    let pool = open(config, Room::Billing).await?;
    let mut db = pool.acquire().await?;
    let entity = seller(&mut db, &asked.entity).await?;
    let zone = legal_entities::issuing(&mut db, entity.id)
        .await?
        .context("the legal entity is gone")?
        .time_zone;
    let day = |name: &str, text: &str| -> anyhow::Result<NaiveDate> {
        text.parse()
            .ok()
            .with_context(|| format!("{name} {text:?}: expected a day such as 2026-10-31"))
    };
    let from = day_begins(day("--from", &asked.from)?, zone);
    let to = day_begins(day("--to", &asked.to)? + Days::new(1), zone);
    if to <= from {
        bail!(
            "--to {}: expected a day that is not before --from {}",
            asked.to,
            asked.from
        );
    }
    let mut csv = Vec::new();
    let count = export::postings(&mut db, (entity.id, zone), (from, to), &mut csv).await?;
    match &asked.output {
        Some(path) => {
            std::fs::write(path, csv).with_context(|| format!("--output {}", path.display()))?;
            eprintln!("{count} postings.");
        }
        None => std::io::stdout().lock().write_all(&csv)?,
    }
    let entry = Entry {
        at: Clock::system().now(),
        actor: Actor::Cli,
        action: "ledger.export".to_owned(),
        entity: format!("legal_entity/{}", entity.id),
        detail: Default::default(),
    };
    audit::record(&mut db, &entry).await?;
    Ok(())
}

pub(crate) async fn seller(db: &mut Connection, name: &str) -> anyhow::Result<LegalEntity> {
    legal_entities::find(db, name)
        .await?
        .with_context(|| format!("--entity {name:?}: expected the name or id of a legal entity"))
}

async fn sellers(db: &mut Connection, only: Option<&str>) -> anyhow::Result<Vec<LegalEntity>> {
    match only {
        Some(name) => Ok(vec![seller(db, name).await?]),
        None => Ok(legal_entities::list(db).await?),
    }
}
