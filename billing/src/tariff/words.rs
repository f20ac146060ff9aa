//! Restrictions in words, for people who read a price.

use super::{Holidays, MonthDay, Restrictions, Source, TimeOfDay, Weekday};

impl Restrictions {
    /// `on Fridays and Saturdays, from 22:00 to 06:00`; `always` if there are none.
    pub fn in_words(&self) -> String {
        let parts = [
            weekdays(&self.weekdays),
            times(self.time_from, self.time_to),
            self.season_from
                .zip(self.season_to)
                .map(|(from, to)| format!("from {} to {} of each year", day(from), day(to))),
            range(
                self.date_from,
                self.date_to,
                |date| date.to_string(),
                ("from", "to"),
            ),
            self.holidays.map(|holidays| match holidays {
                Holidays::Only => "on holidays".to_owned(),
                Holidays::Never => "not on holidays".to_owned(),
            }),
            range(
                self.energy_from_wh,
                self.energy_to_wh,
                |wh| thousands(wh, "kWh"),
                ("after the first", "up to"),
            ),
            range(
                self.power_from_w,
                self.power_to_w,
                |w| thousands(w, "kW"),
                ("at", "below"),
            ),
            range(
                self.duration_from_s,
                self.duration_to_s,
                length,
                ("after", "for the first"),
            ),
            self.source
                .map(|source| format!("for {} energy", source.name())),
            self.reservation_expired
                .then(|| "if nobody came".to_owned()),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            "always".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

impl Source {
    /// In English.
    pub fn name(self) -> &'static str {
        match self {
            Self::Solar => "solar",
            Self::Grid => "grid",
        }
    }
}

fn range<T>(
    from: Option<T>,
    to: Option<T>,
    say: impl Fn(T) -> String,
    (after, before): (&str, &str),
) -> Option<String> {
    match (from.map(&say), to.map(&say)) {
        (Some(from), Some(to)) => Some(format!("{after} {from} and {before} {to}")),
        (Some(from), None) => Some(format!("{after} {from}")),
        (None, Some(to)) => Some(format!("{before} {to}")),
        (None, None) => None,
    }
}

fn weekdays(days: &[Weekday]) -> Option<String> {
    let mut names: Vec<_> = days.iter().map(|day| format!("{}s", day.name())).collect();
    let last = names.pop()?;
    Some(if names.is_empty() {
        format!("on {last}")
    } else {
        format!("on {} and {last}", names.join(", "))
    })
}

fn times(from: Option<TimeOfDay>, to: Option<TimeOfDay>) -> Option<String> {
    (from.is_some() || to.is_some()).then(|| {
        let from = from.unwrap_or(TimeOfDay::MIDNIGHT);
        let to = to.unwrap_or(TimeOfDay::END);
        format!("from {from} to {to}")
    })
}

fn day(day: MonthDay) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = MONTHS[usize::from(day.month()) - 1];
    format!("{} {month}", day.day())
}

fn thousands(of: u64, unit: &str) -> String {
    let rest = format!("{:03}", of % 1000);
    match rest.trim_end_matches('0') {
        "" => format!("{} {unit}", of / 1000),
        rest => format!("{}.{rest} {unit}", of / 1000),
    }
}

fn length(seconds: u64) -> String {
    if seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}
