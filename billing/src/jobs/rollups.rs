//! Brings the hourly and daily sums up to date with what was received since the last run.

use chrono::{DateTime, TimeDelta, Utc};
use store::{Connection, rollups};

/// A row that was being committed when the last run looked may be that old.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// After a long pause it catches up in pieces of this size.
const PIECE: TimeDelta = TimeDelta::days(1);

/// Sums up what was received from `last` (or from the first transaction on) to `now`; answers what it did, in words.
///
/// # Errors
/// Those of the database.
pub async fn run(
    db: &mut Connection,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> store::Result<String> {
    let from = match last {
        Some(last) => Some(last - OVERLAP),
        None => rollups::beginning(db).await?,
    };
    let (mut hours, mut days) = (0, 0);
    for (from, to) in pieces(from, now) {
        hours += rollups::energy(db, from, to).await?;
        days += rollups::sessions(db, from, to).await?;
    }
    Ok(format!("{hours} hours and {days} days summed up"))
}

/// `from` to `now` in pieces; the last one reaches a moment past `now`, so that nothing falls between two runs.
fn pieces(
    from: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
    std::iter::successors(from, |from| Some(*from + PIECE))
        .take_while(move |from| *from <= now)
        .map(|from| (from, from + PIECE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_to_now() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let pieces: Vec<_> =
            pieces(Some(at("2026-03-01T12:00:00Z")), at("2026-03-03T12:00:00Z")).collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0].0, at("2026-03-01T12:00:00Z"));
        assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert!(pieces[2].1 > at("2026-03-03T12:00:00Z"));
    }

    #[test]
    fn nothing_to_sum_up_before_the_first_transaction() {
        assert_eq!(pieces(None, DateTime::UNIX_EPOCH).count(), 0);
    }
}
