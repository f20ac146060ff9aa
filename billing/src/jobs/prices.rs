//! Reads the price feeds that are due: hourly, and what fails ever more slowly. A feed that fails changes nothing of what is
//! stored, and says why.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use store::{
    Connection,
    price_feeds::{self, Feed},
};

use crate::feeds::{CsvFeed, Provider, Reach};

/// A feed that was read well is read again after this.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// A feed that failed, after this; then after twice as long, and so on.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(6);

/// Reads what is due at `now`, all of it at once; answers what it did, in words.
///
/// # Errors
/// Those of the database; a feed that fails is none.
pub async fn run(db: &mut Connection, reach: &Reach, now: DateTime<Utc>) -> store::Result<String> {
    let feeds = price_feeds::list(db).await?;
    let due: Vec<&Feed> = feeds
        .iter()
        .filter(|feed| feed.active && feed.next_fetch_at.is_none_or(|next| next <= now))
        .collect();
    let read = join_all(due.iter().map(|feed| async move {
        let provider = CsvFeed {
            feed: &feed.said,
            reach,
        };
        provider.hours().await
    }));
    let (mut changed, mut failed) = (0, 0);
    for (feed, hours) in due.iter().zip(read.await) {
        match hours {
            Ok(hours) => {
                changed += price_feeds::keep(db, feed.id, &hours, now + EVERY, now).await?;
            }
            Err(problem) => {
                failed += 1;
                tracing::warn!(feed = feed.said.name, %problem, "a price feed cannot be read");
                let next = now + pause(feed.failures);
                price_feeds::failed(db, feed.id, next, &problem.to_string()).await?;
            }
        }
    }
    Ok(format!(
        "{} feeds read, {failed} failed, {changed} hours new",
        due.len() - failed
    ))
}

/// After how many failures how long to wait.
fn pause(failures: i32) -> TimeDelta {
    let doublings = u32::try_from(failures.clamp(0, 10)).unwrap_or(0);
    (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_quarter_of_a_day() {
        let minutes: Vec<i64> = [0, 1, 2, 6, 7, 1000].map(|n| pause(n).num_minutes()).into();
        assert_eq!(minutes, [5, 10, 20, 320, 360, 360]);
    }
}
