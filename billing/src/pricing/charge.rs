//! Rows as the engine wants them. Everything here is decided from what was loaded.

use chrono::{DateTime, TimeDelta, Utc};
use store::{charges, sessions::State};

use crate::{
    price::{Charge, Reservation, Sample},
    tariff::Source,
};

/// Of a session with fewer than two samples nobody knows how often its station samples.
const USUAL_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// What the csms notes of a session that makes its price doubtful, besides what the engine knows of itself
/// ([`crate::price::HOLDING_FLAGS`]): a register or a time that could not be believed and was put in by us.
const DOUBTFUL: [&str; 7] = [
    "meter-start-absurd",
    "meter-start-missing",
    "meter-stop-absurd",
    "meter-stop-missing",
    "time-absurd",
    "time-missing",
    "time-unreadable",
];

/// The engine's charge. `now` counts while the session is active.
pub(super) fn charge(row: &charges::Charge, now: DateTime<Utc>) -> Charge {
    // A session that a person entered has no register, but an energy.
    let by_hand = row.meter_start_wh.is_none() && row.energy_wh.is_some();
    let active = row.state == State::Active;
    let mut charge = Charge {
        started_at: row.started_at,
        ended_at: row.ended_at,
        now: active.then_some(now),
        register_start_wh: if by_hand { Some(0) } else { row.meter_start_wh },
        register_stop_wh: if by_hand {
            row.energy_wh
        } else {
            row.meter_stop_wh
        },
        samples: row.samples.iter().map(sample).collect(),
        idle_from: None,
        reservation: row.reserved.map(|reserved| {
            let to = if reserved.expired {
                reserved.to
            } else {
                reserved.to.min(row.started_at)
            };
            // The acceptance is by our clock, the start by the charger's.
            Reservation {
                from: reserved.from.min(to),
                to,
                expired: reserved.expired,
            }
        }),
        max_power_w: None,
        flags: row.flags.clone(),
    };
    charge.idle_from = idle_from(&charge, &row.statuses);
    if let Some(energy_wh) = row.corrected_wh {
        corrected(&mut charge, energy_wh);
    }
    charge
}

/// A person has said what was charged: of energy the meter has no say any more, of times it has.
fn corrected(charge: &mut Charge, energy_wh: i64) {
    charge.register_start_wh = Some(0);
    charge.register_stop_wh = Some(energy_wh);
    charge.samples.clear();
    charge.flags.retain(|flag| is_about_time(flag));
}

fn is_about_time(flag: &str) -> bool {
    flag.starts_with("time-") || flag == "stopped-before-start"
}

fn sample(row: &charges::Sample) -> Sample {
    Sample {
        at: row.at,
        energy_wh: row.energy_wh,
        power_w: row.power_w.map(i64::from),
        source: source(row.rest.as_deref()),
    }
}

/// Where the energy of a sample came from, if the station said so among its readings without a column. This function alone
/// decides; a meter that says nothing leaves the source unknown.
fn source(rest: Option<&str>) -> Option<Source> {
    let said = |word: &str| {
        rest.is_some_and(|rest| {
            let compact: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
            compact.contains(&format!("\"source\":\"{word}\""))
        })
    };
    if said("solar") {
        Some(Source::Solar)
    } else if said("grid") {
        Some(Source::Grid)
    } else {
        None
    }
}

/// When charging ended and the car merely stood there.
///
/// The station's word comes first: since the connector has been SuspendedEV or Finishing without a break until the end. A
/// session that ends SuspendedEVSE was never idle: the station itself held the power back. If the station says neither,
/// the meter decides: the reading after which the register no longer rose ([`Charge::charging_ended`]).
fn idle_from(charge: &Charge, statuses: &[charges::Status]) -> Option<DateTime<Utc>> {
    let is_full =
        |status: &charges::Status| matches!(status.status.as_str(), "SuspendedEV" | "Finishing");
    match statuses.last() {
        Some(last) if is_full(last) => statuses
            .iter()
            .rev()
            .take_while(|status| is_full(status))
            .last()
            .map(|first| first.at),
        Some(last) if last.status == "SuspendedEVSE" => None,
        _ => charge.charging_ended(),
    }
}

/// How often the station sampled: the middle one of the times between samples.
pub(super) fn sample_interval(charge: &Charge) -> TimeDelta {
    let mut between: Vec<TimeDelta> = charge
        .samples
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    between.sort_unstable();
    between
        .get(between.len() / 2)
        .copied()
        .unwrap_or(USUAL_INTERVAL)
        .max(TimeDelta::seconds(1))
}

/// Why a person has to look, whatever the price is.
pub(super) fn doubts(row: &charges::Charge) -> Vec<String> {
    let mut doubts: Vec<String> = row
        .flags
        .iter()
        .filter(|flag| DOUBTFUL.contains(&flag.as_str()))
        .filter(|flag| row.corrected_wh.is_none() || is_about_time(flag))
        .cloned()
        .collect();
    if row.corrected_wh.is_some() {
        return doubts;
    }
    if row.state == State::Orphan {
        doubts.push("orphan".to_owned());
    }
    if row.contradicted {
        doubts.push("second-stop".to_owned());
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn row() -> charges::Charge {
        charges::Charge {
            id: uuid::Uuid::nil(),
            state: State::Ended,
            site_id: None,
            station_id: None,
            evse: 1,
            started_at: at(0),
            ended_at: Some(at(60)),
            flags: Vec::new(),
            contradicted: false,
            energy_wh: Some(500),
            meter_start_wh: Some(100),
            meter_stop_wh: Some(600),
            corrected_wh: None,
            reserved: None,
            tariff_version_id: None,
            time_zone: None,
            holiday_calendar: None,
            rounding: None,
            samples: [(10, 300), (20, 600), (30, 600)]
                .map(|(minute, wh)| charges::Sample {
                    at: at(minute),
                    energy_wh: Some(wh),
                    power_w: None,
                    rest: None,
                })
                .into(),
            statuses: Vec::new(),
        }
    }

    #[track_caller]
    fn idle(statuses: &[(i64, &str)], expected: Option<i64>) {
        let row = charges::Charge {
            statuses: statuses
                .iter()
                .map(|(minute, status)| charges::Status {
                    at: at(*minute),
                    status: (*status).to_owned(),
                })
                .collect(),
            ..row()
        };
        assert_eq!(
            charge(&row, at(99)).idle_from,
            expected.map(at),
            "{statuses:?}"
        );
    }

    #[test]
    fn the_stations_word_counts_before_the_meter() {
        idle(&[], Some(20));
        idle(&[(1, "Charging")], Some(20));
        idle(&[(1, "Charging"), (17, "SuspendedEV")], Some(17));
        idle(&[(17, "SuspendedEV"), (25, "Finishing")], Some(17));
        idle(
            &[(5, "SuspendedEV"), (8, "Charging"), (18, "SuspendedEV")],
            Some(18),
        );
        idle(&[(5, "SuspendedEV"), (18, "SuspendedEVSE")], None);
        idle(&[(5, "SuspendedEVSE"), (30, "SuspendedEV")], Some(30));
    }

    #[test]
    fn a_source_is_what_the_station_said() {
        for (rest, expected) in [
            (None, None),
            (Some(r#"[{"measurand":"Frequency","value":"50"}]"#), None),
            (Some(r#"[{"source": "solar"}]"#), Some(Source::Solar)),
            (Some("{\"source\":\"grid\"}\nsoc_pm=3"), Some(Source::Grid)),
            (Some(r#"{"source":"wind"}"#), None),
        ] {
            assert_eq!(source(rest), expected, "{rest:?}");
        }
    }

    #[test]
    fn a_session_by_hand_has_its_energy_for_a_register() {
        let by_hand = charges::Charge {
            meter_start_wh: None,
            meter_stop_wh: None,
            ..row()
        };
        let charge = charge(&by_hand, at(99));
        assert_eq!(
            (charge.register_start_wh, charge.register_stop_wh),
            (Some(0), Some(500))
        );
        assert_eq!(sample_interval(&charge), TimeDelta::minutes(10));
    }

    #[test]
    fn what_is_doubtful_is_told() {
        let doubtful = charges::Charge {
            state: State::Orphan,
            contradicted: true,
            flags: vec!["time-absurd".to_owned(), "token-invalid".to_owned()],
            ..row()
        };
        assert_eq!(doubts(&doubtful), ["time-absurd", "orphan", "second-stop"]);
        assert_eq!(doubts(&row()), Vec::<String>::new());
    }

    #[test]
    fn who_corrects_the_energy_says_nothing_of_times() {
        let doubtful = charges::Charge {
            state: State::Orphan,
            contradicted: true,
            flags: vec!["meter-stop-absurd".to_owned(), "time-absurd".to_owned()],
            corrected_wh: Some(250),
            ..row()
        };
        let corrected = charge(&doubtful, at(99));
        assert_eq!(
            (corrected.register_start_wh, corrected.register_stop_wh),
            (Some(0), Some(250))
        );
        assert_eq!(corrected.samples, []);
        assert_eq!(corrected.idle_from, Some(at(20)), "as the meter showed it");
        assert_eq!(corrected.flags, ["time-absurd"]);
        assert_eq!(doubts(&doubtful), ["time-absurd"]);
    }

    #[test]
    fn a_reservation_ends_where_its_session_begins() {
        let of = |from: i64, to: i64, expired: bool| {
            let reserved = Some(charges::Reserved {
                from: at(from),
                to: at(to),
                expired,
            });
            let row = charges::Charge { reserved, ..row() };
            let reservation = charge(&row, at(99)).reservation.unwrap();
            (reservation.from, reservation.to, reservation.expired)
        };
        assert_eq!(of(-30, 2, false), (at(-30), at(0), false));
        assert_eq!(of(3, 4, false), (at(0), at(0), false), "clocks differ");
        assert_eq!(of(-30, 60, true), (at(-30), at(60), true));
    }
}
