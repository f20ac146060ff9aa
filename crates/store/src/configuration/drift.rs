//! Where a station's configuration differs from what it should be. Pure: rows in, rows out.

use super::{Key, is_secret};

/// A key that should have a value, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Compared without regard to case.
    pub key: String,
    /// What it should be.
    pub value: String,
    /// The template's name.
    pub template: String,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody says what it should be.
    Free,
    /// It is as it should be.
    Same,
    /// It is something else, and can be set.
    Differs,
    /// It was set and needs a reboot, or was not read back yet.
    Awaited,
    /// It is something else and cannot be set.
    Fixed,
    /// The station does not know the key.
    Unknown,
    /// It was never read.
    Unread,
}

impl Standing {
    /// As the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Free => "free",
            Standing::Same => "same",
            Standing::Differs => "differs",
            Standing::Awaited => "awaited",
            Standing::Fixed => "fixed",
            Standing::Unknown => "unknown",
            Standing::Unread => "unread",
        }
    }

    /// Whether it is not what it should be.
    pub fn is_drift(self) -> bool {
        !matches!(self, Standing::Free | Standing::Same)
    }

    /// Whether setting it may help.
    pub fn can_be_set(self) -> bool {
        matches!(self, Standing::Differs | Standing::Unread)
    }
}

/// A key of a station beside what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As the station has it; of one that was never heard of, only the name.
    pub key: Key,
    /// What it should be.
    pub expected: Option<Expected>,
    /// How the two stand to each other.
    pub standing: Standing,
}

impl Row {
    /// What was set was taken, and then read back as something else: the station rounded it (quirk 48).
    pub fn was_changed_by_station(&self) -> bool {
        let key = &self.key;
        let taken = matches!(key.set_answer.as_deref(), Some("Accepted"));
        match (&key.set_value, &key.value) {
            (Some(set), Some(value)) => {
                taken && key.read_at >= key.set_at && !same_meaning(set, value)
            }
            _ => false,
        }
    }
}

/// Every key of a station, and every key that it should have, by name.
pub fn compare(keys: Vec<Key>, expected: &[Expected]) -> Vec<Row> {
    let mut rows: Vec<Row> = keys
        .into_iter()
        .map(|key| {
            let wanted = expected
                .iter()
                .find(|wanted| wanted.key.eq_ignore_ascii_case(&key.key));
            Row {
                standing: standing(&key, wanted),
                expected: wanted.cloned(),
                key,
            }
        })
        .collect();
    for wanted in expected {
        if rows
            .iter()
            .any(|row| row.key.key.eq_ignore_ascii_case(&wanted.key))
        {
            continue;
        }
        let key = Key {
            key: wanted.key.clone(),
            value: None,
            readonly: None,
            known: true,
            read_at: None,
            set_value: None,
            set_answer: None,
            set_at: None,
        };
        rows.push(Row {
            standing: Standing::Unread,
            expected: Some(wanted.clone()),
            key,
        });
    }
    rows.sort_by_key(|row| row.key.key.to_ascii_lowercase());
    rows
}

fn standing(key: &Key, wanted: Option<&Expected>) -> Standing {
    let Some(wanted) = wanted.filter(|wanted| !is_secret(&wanted.key)) else {
        return Standing::Free;
    };
    if !key.known {
        return Standing::Unknown;
    }
    let was_set = key
        .set_value
        .as_deref()
        .is_some_and(|set| same_meaning(set, &wanted.value));
    let not_read_since = key.set_at > key.read_at;
    match key.value.as_deref() {
        Some(value) if same_meaning(value, &wanted.value) => Standing::Same,
        _ if was_set && key.set_answer.as_deref() == Some("RebootRequired") => Standing::Awaited,
        _ if was_set && not_read_since && key.set_answer.as_deref() == Some("Accepted") => {
            Standing::Awaited
        }
        _ if key.readonly == Some(true) => Standing::Fixed,
        None if key.read_at.is_none() => Standing::Unread,
        _ => Standing::Differs,
    }
}

/// Whether two values mean the same: chargers write `True`, `"a, b"`, ` 60 ` (quirk 39).
pub fn same_meaning(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// A value as it is compared: without blanks around it and around its commas, without quotes, truth and lists of
/// measurands without case, whole numbers without leading zeros.
fn plain(value: &str) -> String {
    let value = value.trim();
    let bare = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    if let Ok(number) = bare.trim().parse::<i64>() {
        return number.to_string();
    }
    bare.split(',')
        .map(|part| part.trim().trim_matches('"').to_lowercase())
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirk_39_values_are_compared_by_what_they_mean() {
        for (one, other, same) in [
            ("60", " 60 ", true),
            ("060", "60", true),
            ("60", "61", false),
            ("true", "True", true),
            ("true", "\"true\"", true),
            ("true", "1", false),
            ("", "   ", true),
            ("", "0", false),
            (
                "Energy.Active.Import.Register,SoC",
                "\"Energy.Active.Import.Register\", \"SoC\"",
                true,
            ),
            ("a,b", "b,a", false),
        ] {
            assert_eq!(same_meaning(one, other), same, "{one:?} and {other:?}");
        }
    }

    fn key(value: Option<&str>, set: Option<(&str, &str, i64)>, readonly: bool) -> Key {
        let at = |second: i64| chrono::DateTime::from_timestamp(second, 0);
        Key {
            key: "K".to_owned(),
            value: value.map(str::to_owned),
            readonly: Some(readonly),
            known: true,
            read_at: value.and(at(10)),
            set_value: set.map(|set| set.0.to_owned()),
            set_answer: set.map(|set| set.1.to_owned()),
            set_at: set.and_then(|set| at(set.2)),
        }
    }

    #[test]
    fn every_standing_has_its_reason() {
        let expected = [Expected {
            key: "k".to_owned(),
            value: "60".to_owned(),
            template: "All".to_owned(),
        }];
        for (known, standing, rounded) in [
            (key(Some("60"), None, false), Standing::Same, false),
            (key(Some("30"), None, false), Standing::Differs, false),
            (key(Some("30"), None, true), Standing::Fixed, false),
            (key(None, None, false), Standing::Unread, false),
            (
                key(None, Some(("60", "Accepted", 5)), false),
                Standing::Awaited,
                false,
            ),
            (
                key(Some("30"), Some(("60", "Accepted", 20)), false),
                Standing::Awaited,
                false,
            ),
            (
                key(Some("30"), Some(("60", "Accepted", 5)), false),
                Standing::Differs,
                true,
            ),
            (
                key(Some("30"), Some(("60", "RebootRequired", 5)), false),
                Standing::Awaited,
                false,
            ),
            (
                key(Some("30"), Some(("60", "Rejected", 20)), false),
                Standing::Differs,
                false,
            ),
            (
                key(Some("60"), Some(("50", "Accepted", 5)), false),
                Standing::Same,
                true,
            ),
        ] {
            let row = compare(vec![known.clone()], &expected).remove(0);
            assert_eq!(row.standing, standing, "{known:?}");
            assert_eq!(row.was_changed_by_station(), rounded, "{known:?}");
        }
        let unknown = Key {
            known: false,
            ..key(None, None, false)
        };
        assert_eq!(
            compare(vec![unknown], &expected)[0].standing,
            Standing::Unknown
        );
        assert_eq!(compare(vec![], &expected)[0].standing, Standing::Unread);
        assert_eq!(
            compare(vec![key(Some("1"), None, false)], &[])[0].standing,
            Standing::Free
        );
    }
}
