//! `forecourt billing feed …` and `forecourt billing holidays …`: what tariffs follow besides the clock.

use anyhow::{Context, bail};
use billing::feeds::{CsvFeed, Provider, Reach};
use chrono::NaiveDate;
use chrono_tz::Tz;
use service::{clock::Clock, config::Config, outbound::Outbound};
use store::{
    Currency,
    holidays::{self, Holiday},
    price_feeds::{self, Kind, NewFeed},
    sites,
};

use crate::{cli, database::Database};

/// `forecourt billing feed add`: it is read once before it is kept, so that what is wrong is told at once.
pub async fn add_feed(config: &Config, asked: &cli::AddFeed) -> anyhow::Result<()> {
    let name = asked.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        bail!(
            "feed {:?}: expected a name of 1 to 100 characters",
            asked.name
        );
    }
    if asked.zone.parse::<Tz>().is_err() {
        bail!(
            "--tz {}: expected an IANA time zone such as Europe/Berlin or UTC",
            asked.zone
        );
    }
    let currency: Currency = asked.currency.parse().context("--currency")?;
    let is_url = asked.location.contains("://");
    let feed = NewFeed {
        name: name.to_owned(),
        kind: if is_url { Kind::Http } else { Kind::Csv },
        location: asked.location.clone(),
        time_zone: asked.zone.clone(),
        currency: currency.code().to_owned(),
        unit: asked.unit.clone(),
        time_column: asked.time_column.clone(),
        price_column: asked.price_column.clone(),
        separator: asked.separator.replace("tab", "\t"),
    };
    let reach = reach(config)?;
    let provider = CsvFeed {
        feed: &feed,
        reach: &reach,
    };
    let hours = provider.hours().await?;
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    let mut db = database.begin().await?;
    let now = Clock::system().now();
    let added = price_feeds::create(&mut db, &feed, now).await;
    let id = match added {
        Err(error) if error.is_conflict("price_feeds_name_key") => {
            bail!("there is a feed {name:?} already")
        }
        other => other?,
    };
    price_feeds::keep(&mut db, id, &hours, now + chrono::TimeDelta::hours(1), now).await?;
    crate::commands::close(db, now, "price_feed.add", format!("price_feed/{id}")).await?;
    println!(
        "Feed {name:?} was read: {} hours. Billing reads it hourly.",
        hours.len()
    );
    Ok(())
}

/// Where feeds are read from.
pub fn reach(config: &Config) -> anyhow::Result<Reach> {
    Ok(Reach {
        folder: config.database.data.join("feeds"),
        outbound: Outbound::new(config.outbound_private)?,
    })
}

/// `forecourt billing holidays`: a day and its name on each line.
pub async fn import_holidays(config: &Config, asked: &cli::Holidays) -> anyhow::Result<()> {
    let calendar = asked.calendar.trim();
    if calendar.is_empty()
        || calendar.chars().count() > 100
        || calendar.chars().any(char::is_control)
    {
        bail!(
            "calendar {:?}: expected a name of 1 to 100 characters",
            asked.calendar
        );
    }
    let text = std::fs::read_to_string(&asked.file)
        .with_context(|| format!("{}", asked.file.display()))?;
    let days = days(&text)?;
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    let mut db = database.begin().await?;
    let now = Clock::system().now();
    let new = holidays::import(&mut db, calendar, &days).await?;
    for name in &asked.site {
        let site = sites::find(&mut db, name)
            .await?
            .with_context(|| format!("--site {name:?}: there is no such site"))?;
        holidays::keep_at(&mut db, site, Some(calendar)).await?;
    }
    crate::commands::close(db, now, "holidays.import", format!("holidays/{calendar}")).await?;
    println!(
        "Calendar {calendar:?}: {} days, {new} of them new.",
        days.len()
    );
    Ok(())
}

fn days(text: &str) -> anyhow::Result<Vec<Holiday>> {
    let mut days = Vec::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let (day, name) = line.split_once([',', ';', '\t']).unwrap_or((line, ""));
        let Ok(day) = day.trim().parse::<NaiveDate>() else {
            bail!(
                "line {number}, {:?}: expected a day such as 2026-12-25, and its name after a comma",
                day.trim()
            );
        };
        days.push(Holiday {
            day,
            name: name.trim().to_owned(),
        });
    }
    if days.is_empty() {
        bail!("line 1: expected at least one day");
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_day_and_its_name() {
        let read =
            days("\u{feff}2026-12-25, Christmas Day\n\n2027-01-01;New Year\n2027-05-01\n").unwrap();
        let told: Vec<String> = read
            .iter()
            .map(|holiday| format!("{} {}", holiday.day, holiday.name))
            .collect();
        assert_eq!(
            told,
            [
                "2026-12-25 Christmas Day",
                "2027-01-01 New Year",
                "2027-05-01 "
            ]
        );
        let wrong = days("2026-12-25\n25.12.2026,x\n").unwrap_err().to_string();
        assert_eq!(
            wrong,
            "line 2, \"25.12.2026\": expected a day such as 2026-12-25, and its name after a comma"
        );
        assert!(days("\n").is_err());
    }
}
