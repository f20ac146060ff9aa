//! What the lines of a price are called, on every page and paper.

use super::{Line, LineKind};
use crate::tariff::Source;

impl LineKind {
    /// In English.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "Start fee",
            Self::Energy => "Energy",
            Self::Time => "Time",
            Self::Idle => "Idle time",
            Self::Reservation => "Reserved time",
            Self::ReservationFee => "Reservation fee",
            Self::Minimum => "Up to the lowest price",
            Self::Maximum => "Down to the highest price",
        }
    }

    /// The unit of its quantity; empty where it is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Energy => "kWh",
            Self::Time | Self::Idle | Self::Reservation => "h",
            Self::Start | Self::ReservationFee | Self::Minimum | Self::Maximum => "",
        }
    }

    /// As it is stored with an invoice.
    pub fn parse(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

impl Line {
    /// What it is for.
    pub fn name(&self) -> String {
        named(self.kind.name(), self.source)
    }
}

/// What a stored line is for; a kind that nobody knows any more is its word.
pub fn stored(kind: &str, source: Option<&str>) -> String {
    let name = match LineKind::parse(kind) {
        Some(known) => known.name(),
        None => kind,
    };
    let source = source.and_then(|source| serde_json::from_value(source.into()).ok());
    named(name, source)
}

fn named(name: &str, source: Option<Source>) -> String {
    match source {
        Some(source) => format!("{name}, {}", source.name()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_lines_are_called_as_computed_ones() {
        for (kind, source, expected) in [
            ("energy", Some("solar"), "Energy, solar"),
            ("energy", None, "Energy"),
            ("reservation_fee", None, "Reservation fee"),
            ("donation", Some("wind"), "donation"),
        ] {
            assert_eq!(stored(kind, source), expected);
        }
        assert_eq!(LineKind::parse("idle").map(LineKind::unit), Some("h"));
    }
}
