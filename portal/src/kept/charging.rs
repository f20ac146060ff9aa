//! What a station's charging profiles come to by our reckoning, what the station itself said, and what it takes at all.

use chrono::{DateTime, Utc};
use ocpp::{
    charging::{Held, Question, Step, Supply, composite},
    decode,
    v16::{ChargingProfile, GetCompositeScheduleRequest, GetCompositeScheduleResponse},
};
use rust_decimal::Decimal;
use store::{
    Scoped,
    charging_profiles::{self, Answer, Asked, Capability, Profile},
    configuration::Key,
};
use uuid::Uuid;

use crate::Result;

/// Profiles of one station that are shown at most; a station takes far fewer.
const MOST: i64 = 200;

/// What is asked of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// 0: the charge point as a whole.
    pub connector: i32,
    /// For how many seconds from now.
    pub seconds: i64,
    /// In watts, or in amperes.
    pub watts: bool,
    /// What the connector is fed with.
    pub supply: Supply,
}

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Both {
    /// Ours, from now.
    pub expected: Vec<Step>,
    /// The station's last word about this connector.
    pub station: Option<OfStation>,
}

/// A station's own composite schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfStation {
    /// When it answered.
    pub at: DateTime<Utc>,
    /// Accepted or Rejected.
    pub status: String,
    /// From when its schedule counts.
    pub start: Option<DateTime<Utc>>,
    /// `A` or `W`.
    pub unit: Option<String>,
    /// For how many seconds.
    pub seconds: Option<i64>,
    /// Its periods.
    pub steps: Vec<Step>,
}

/// Ours and the station's, for a connector.
pub(crate) async fn both(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    view: View,
    now: DateTime<Utc>,
) -> Result<Both> {
    let profiles = charging_profiles::list(db, station_id, false, MOST).await?;
    let running = charging_profiles::running(db, station_id, view.connector).await?;
    let question = Question {
        connector: i64::from(view.connector),
        from: now,
        seconds: view.seconds,
        watts: view.watts,
        supply: view.supply,
        transaction: running,
    };
    let asked = charging_profiles::composites(db, station_id).await?;
    Ok(Both {
        expected: expected(&profiles, &question),
        station: asked
            .iter()
            .find_map(|asked| of_station(asked, view.connector)),
    })
}

/// What the profiles come to; one that waits for a transaction or cannot be read counts for nothing.
fn expected(profiles: &[Profile], question: &Question) -> Vec<Step> {
    let read: Vec<(i64, DateTime<Utc>, ChargingProfile)> = profiles
        .iter()
        .filter_map(|row| {
            let mut profile: ChargingProfile = decode(&row.profile).ok()?;
            // One that was sent without it is for the transaction that ran then.
            profile.transaction_id = row.place.transaction_number;
            Some((i64::from(row.place.connector?), row.set_at, profile))
        })
        .collect();
    let held: Vec<Held<'_>> = read
        .iter()
        .map(|(connector, set_at, profile)| Held {
            connector: *connector,
            profile,
            set_at: *set_at,
        })
        .collect();
    composite(&held, question)
}

fn of_station(asked: &Asked, connector: i32) -> Option<OfStation> {
    let request: GetCompositeScheduleRequest = decode(&asked.payload).ok()?;
    if request.connector_id != i64::from(connector) {
        return None;
    }
    let answer: GetCompositeScheduleResponse = decode(&asked.answer).ok()?;
    let schedule = answer.charging_schedule.unwrap_or_default();
    let steps = schedule.charging_schedule_period.iter().map(|period| Step {
        start: period.start_period.unwrap_or(0),
        limit: period.limit,
    });
    Some(OfStation {
        at: asked.answered_at,
        status: answer
            .status
            .map_or_else(String::new, |status| status.to_string()),
        start: answer
            .schedule_start
            .or(schedule.start_schedule)
            .and_then(ocpp::Timestamp::stated),
        unit: schedule.charging_rate_unit.map(|unit| unit.to_string()),
        seconds: schedule.duration.or(Some(request.duration)),
        steps: steps.collect(),
    })
}

/// What a station takes, by what it said in its configuration and to profiles so far (quirk 42).
pub(crate) fn capability(keys: &[Key], answers: &[Answer]) -> Capability {
    let value = |name: &str| {
        let key = keys.iter().find(|key| key.key.eq_ignore_ascii_case(name));
        key.and_then(|key| key.value.clone())
    };
    charging_profiles::capability(value, answers)
}

/// A limit as it is written.
pub(crate) fn limit(limit: Decimal) -> String {
    limit.normalize().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(unit: &str, whole: bool, stacked: bool, answer: &str) -> Answer {
        Answer {
            unit: unit.to_owned(),
            whole,
            stacked,
            answer: answer.to_owned(),
            times: 1,
        }
    }

    fn key(key: &str, value: &str) -> Key {
        Key {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            readonly: None,
            known: true,
            read_at: None,
            set_value: None,
            set_answer: None,
            set_at: None,
        }
    }

    #[test]
    fn quirk_42_a_station_is_known_by_what_it_said_and_by_what_it_took() {
        let units = |keys: &[Key], answers: &[Answer]| capability(keys, answers).unit;
        let allowed = "ChargingScheduleAllowedChargingRateUnit";
        assert_eq!(units(&[], &[]), None);
        assert_eq!(units(&[key(allowed, "Current, Power")], &[]), None);
        assert_eq!(units(&[key(allowed, " Current ")], &[]), Some("A"));
        assert_eq!(units(&[key(allowed, "\"Power\"")], &[]), Some("W"));
        let refused = [answer("W", false, false, "Rejected")];
        assert_eq!(units(&[], &refused), Some("A"), "watts were refused");
        let both = [
            answer("W", false, false, "Rejected"),
            answer("W", false, false, "Accepted"),
        ];
        assert_eq!(units(&[], &both), None, "once it was for another reason");
        assert_eq!(
            units(
                &[key(allowed, "Current")],
                &[answer("W", false, false, "Accepted")]
            ),
            None,
            "what it took counts more than what it said"
        );
    }

    #[test]
    fn quirk_42_connector_zero_and_the_stack_are_learned() {
        let found = capability(
            &[key("MaxChargingProfilesInstalled", " 5 ")],
            &[
                answer("A", true, false, "Rejected"),
                answer("A", false, true, "Rejected"),
                answer("A", false, false, "Accepted"),
            ],
        );
        assert_eq!(found.whole, Some(false));
        assert_eq!((found.max_stack, found.max_profiles), (Some(0), Some(5)));
        assert_eq!(found.advice.len(), 2, "{:?}", found.advice);
    }
}
