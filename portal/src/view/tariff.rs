//! What a tariff says in words: prices with their units, and when they hold.

use billing::{
    price::LineKind,
    tariff::{Component, Element, Holidays, Kind, Price, Restrictions, Source, Tariff, Weekday},
};
use rust_decimal::Decimal;

use super::week;

/// An element as a table shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// When it holds.
    pub when: String,
    /// Its prices, one for each kind.
    pub prices: Vec<Priced>,
}

/// A price in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// `Energy`.
    pub name: &'static str,
    /// `0.45`.
    pub price: String,
    /// `EUR/kWh`.
    pub unit: String,
    /// `10 min free`; may be empty.
    pub note: String,
}

/// The rules of a tariff, in the order in which they are asked.
pub fn rules(tariff: &Tariff) -> Vec<Rule> {
    tariff
        .elements
        .iter()
        .map(|element| Rule {
            when: when(element),
            prices: element
                .components
                .iter()
                .map(|component| priced(tariff, component))
                .collect(),
        })
        .collect()
}

/// What a kind is called: as the lines that it puts on a price.
pub fn kind(kind: Kind) -> &'static str {
    LineKind::from(kind).name()
}

fn priced(tariff: &Tariff, component: &Component) -> Priced {
    let currency = tariff.currency.code();
    let unit = match component.kind {
        Kind::Energy => format!("{currency}/kWh"),
        Kind::Start | Kind::ReservationFee => format!("{currency} once"),
        Kind::Time | Kind::Idle | Kind::Reservation => format!("{currency}/h"),
    };
    let mut notes = Vec::new();
    if component.grace_minutes > 0 {
        notes.push(format!("first {} min free", component.grace_minutes));
    }
    if component.while_charging {
        notes.push("while charging".to_owned());
    }
    if component.step_size > 1 {
        let unit = if component.kind == Kind::Energy {
            "Wh"
        } else {
            "s"
        };
        notes.push(format!("in steps of {} {unit}", component.step_size));
    }
    notes.extend(
        component
            .tax_rate
            .map(|rate| format!("{} % tax", rate.normalize())),
    );
    if matches!(component.price, Price::Dynamic(_)) {
        notes.push("by the hour".to_owned());
    }
    Priced {
        name: kind(component.kind),
        price: week::price(&component.price),
        unit,
        note: notes.join(", "),
    }
}

/// When an element holds.
pub fn when(element: &Element) -> String {
    let when = &element.restrictions;
    let mut words = Vec::new();
    if !when.weekdays.is_empty() && when.weekdays.len() < 7 {
        words.push(days(&when.weekdays));
    }
    if when.time_from.is_some() || when.time_to.is_some() {
        let from = when
            .time_from
            .map_or_else(|| "00:00".to_owned(), |time| time.to_string());
        let to = when
            .time_to
            .map_or_else(|| "24:00".to_owned(), |time| time.to_string());
        words.push(format!("{from}–{to}"));
    }
    words.extend(season(when));
    words.extend(match (when.date_from, when.date_to) {
        (Some(from), Some(to)) => Some(format!("{from} to {to}")),
        (Some(from), None) => Some(format!("from {from}")),
        (None, Some(to)) => Some(format!("until {to}")),
        (None, None) => None,
    });
    words.extend(when.holidays.map(|holidays| match holidays {
        Holidays::Only => "on public holidays".to_owned(),
        Holidays::Never => "not on public holidays".to_owned(),
    }));
    words.extend(when.source.map(|source| match source {
        Source::Solar => "solar energy".to_owned(),
        Source::Grid => "energy from the grid".to_owned(),
    }));
    let kilo = |value: u64| Decimal::new(i64::try_from(value).unwrap_or(i64::MAX), 3);
    words.extend(range(
        when.power_from_w.map(kilo),
        when.power_to_w.map(kilo),
        "kW",
    ));
    words.extend(range(
        when.energy_from_wh.map(kilo),
        when.energy_to_wh.map(kilo),
        "kWh",
    ));
    let minutes = |seconds: u64| (Decimal::from(seconds) / Decimal::from(60)).round_dp(2);
    words.extend(range(
        when.duration_from_s.map(minutes),
        when.duration_to_s.map(minutes),
        "min",
    ));
    if when.reservation_expired {
        words.push("reservation that was not used".to_owned());
    }
    if words.is_empty() {
        "At all other times".to_owned()
    } else {
        words.join(" · ")
    }
}

fn days(days: &[Weekday]) -> String {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let mut days = days.to_vec();
    days.sort_unstable();
    if days == [Monday, Tuesday, Wednesday, Thursday, Friday] {
        return "Mon–Fri".to_owned();
    }
    if days == [Saturday, Sunday] {
        return "Sat, Sun".to_owned();
    }
    days.iter()
        .map(|day| &day.name()[..3])
        .collect::<Vec<_>>()
        .join(", ")
}

fn season(when: &Restrictions) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (from, to) = when.season_from.zip(when.season_to)?;
    let say = |day: billing::tariff::MonthDay| {
        format!(
            "{} {}",
            day.day(),
            MONTHS[usize::from(day.month() - 1) % 12]
        )
    };
    Some(format!("{} to {}", say(from), say(to)))
}

fn range(from: Option<Decimal>, to: Option<Decimal>, unit: &str) -> Option<String> {
    let say = |value: Decimal| value.normalize().to_string();
    match (from, to) {
        (Some(from), Some(to)) => Some(format!("{}–{} {unit}", say(from), say(to))),
        (Some(from), None) => Some(format!("from {} {unit}", say(from))),
        (None, Some(to)) => Some(format!("up to {} {unit}", say(to))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_people_say_them() {
        let json = r#"{"currency": "EUR", "elements": [
            {"components": [{"kind": "energy", "price": "0.1"}],
             "restrictions": {"source": "solar", "season_from": "04-01", "season_to": "09-30", "holidays": "never",
                              "energy_from_wh": 1500, "duration_to_s": 3600, "power_to_w": 22000}},
            {"components": [{"kind": "time", "price": "1.2", "while_charging": true}],
             "restrictions": {"weekdays": ["sunday", "saturday"], "time_from": "22:00"}},
            {"components": [{"kind": "idle", "price": "6", "grace_minutes": 10}, {"kind": "start", "price": "1"}]}]}"#;
        let rules = rules(&Tariff::parse(json).unwrap());
        let when: Vec<&str> = rules.iter().map(|rule| rule.when.as_str()).collect();
        assert_eq!(
            when,
            [
                "1 Apr to 30 Sep · not on public holidays · solar energy · up to 22 kW · from 1.5 kWh · up to 60 min",
                "Sat, Sun · 22:00–24:00",
                "At all other times"
            ]
        );
        let idle = &rules[2].prices[0];
        assert_eq!(
            (
                idle.name,
                idle.price.as_str(),
                idle.unit.as_str(),
                idle.note.as_str()
            ),
            ("Idle time", "6.00", "EUR/h", "first 10 min free")
        );
        assert_eq!(rules[1].prices[0].note, "while charging");
    }
}
