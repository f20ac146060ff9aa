//! Keyset paging: a place in a list that is sorted by time, newest first.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The last row of the page before. Its text form is the API's `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time.
    pub at: DateTime<Utc>,
    /// Its id, which decides between rows of one time.
    pub id: Uuid,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at.timestamp_micros(), self.id.simple())
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        let micros = micros.parse().map_err(|_| ())?;
        Ok(Cursor {
            at: DateTime::from_timestamp_micros(micros).ok_or(())?,
            id: id.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let cursor = Cursor {
            at: "2026-11-20T12:00:00.123456Z".parse().unwrap(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "x.y", "1.2", "99999999999999999999.0"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
