//! Public holidays that tariffs know, in calendars that sites share.

use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// A day that is a holiday in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// The day, wherever the site is.
    pub day: NaiveDate,
    /// What it is called.
    pub name: String,
}

/// Adds days to a calendar, and gives those that it has their name; answers how many days are new. A calendar is there as
/// soon as it has a day.
pub async fn import(db: &mut PgConnection, calendar: &str, days: &[Holiday]) -> Result<u64> {
    let dates: Vec<NaiveDate> = days.iter().map(|holiday| holiday.day).collect();
    let names: Vec<String> = days.iter().map(|holiday| holiday.name.clone()).collect();
    let new = sqlx::query_scalar!(
        r#"with said as (select distinct on (day) * from unnest($2::date[], $3::text[]) as said (day, name)),
                put as (
                  insert into holidays (calendar, day, name) select $1, day, name from said
                  on conflict (calendar, day) do update set name = excluded.name
                  returning xmax = 0 as is_new)
           select count(*) filter (where is_new) as "new!" from put"#,
        calendar,
        &dates,
        &names
    )
    .fetch_one(db)
    .await?;
    Ok(new.unsigned_abs())
}

/// Takes a day out of a calendar; false if it was not in it.
pub async fn remove(db: &mut PgConnection, calendar: &str, day: NaiveDate) -> Result<bool> {
    Ok(sqlx::query!(
        "delete from holidays where calendar = $1 and day = $2",
        calendar,
        day
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

/// The names of all calendars.
pub async fn calendars(db: &mut PgConnection) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar!("select distinct calendar from holidays order by calendar")
            .fetch_all(db)
            .await?,
    )
}

/// The days of a calendar from a day to a day, both included.
pub async fn list(
    db: &mut PgConnection,
    calendar: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Holiday>> {
    Ok(sqlx::query_as!(
        Holiday,
        "select day, name from holidays where calendar = $1 and day between $2 and $3 order by day",
        calendar,
        from,
        to
    )
    .fetch_all(db)
    .await?)
}

/// The days of several calendars from a day to a day, both included, each with its calendar's name.
pub async fn of_calendars(
    db: &mut PgConnection,
    calendars: &[String],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<(String, NaiveDate)>> {
    let rows = sqlx::query!(
        "select calendar, day from holidays where calendar = any ($1) and day between $2 and $3",
        calendars,
        from,
        to
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.calendar, row.day))
        .collect())
}

/// Says which calendar a site keeps; false if there is no such site.
pub async fn keep_at(db: &mut PgConnection, site_id: Uuid, calendar: Option<&str>) -> Result<bool> {
    Ok(sqlx::query!(
        "update sites set holiday_calendar = $2 where id = $1",
        site_id,
        calendar
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn a_calendar_can_be_imported_again() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let day = |day: &str, name: &str| Holiday {
            day: day.parse().unwrap(),
            name: name.to_owned(),
        };
        let days = [day("2026-12-25", "Christmas"), day("2026-12-26", "")];
        assert_eq!(import(&mut db, "DE-BY", &days).await.unwrap(), 2);
        let more = [
            day("2026-12-26", "Boxing Day"),
            day("2027-01-01", "New Year"),
        ];
        assert_eq!(import(&mut db, "DE-BY", &more).await.unwrap(), 1);
        let (from, to) = (days[0].day, more[0].day);
        assert_eq!(
            list(&mut db, "DE-BY", from, to).await.unwrap(),
            [days[0].clone(), more[0].clone()]
        );
        assert_eq!(calendars(&mut db).await.unwrap(), ["DE-BY"]);
        assert!(remove(&mut db, "DE-BY", to).await.unwrap());
        assert!(!remove(&mut db, "DE-BY", to).await.unwrap());
    }
}
