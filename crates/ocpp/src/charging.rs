//! Smart charging of OCPP 1.6 as values: what a stack of charging profiles comes to. Pure; what the station itself makes of
//! its profiles is its GetCompositeSchedule.
//!
//! Of each purpose the highest stack level that has something to say leads. A TxProfile stands over the default, and the
//! station's own limit caps whatever is left.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::v16::{
    ChargingProfile, ChargingProfileKind, ChargingProfilePurpose, ChargingRateUnit,
    ChargingSchedulePeriod, RecurrencyKind,
};

#[cfg(test)]
mod tests;

/// What a connector is fed with; watts and amperes are turned into each other by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supply {
    /// From phase to neutral.
    pub volts: u32,
    /// How many phases; a period that says how many is believed.
    pub phases: u32,
}

impl Default for Supply {
    fn default() -> Self {
        Supply {
            volts: 230,
            phases: 3,
        }
    }
}

/// A profile that holds somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Held<'p> {
    /// 0: the charge point as a whole.
    pub connector: i64,
    /// As it was sent.
    pub profile: &'p ChargingProfile,
    /// When it was accepted: an Absolute schedule without a start begins here.
    pub set_at: DateTime<Utc>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// 0: the charge point as a whole, of which only its own limit is known.
    pub connector: i64,
    /// From when.
    pub from: DateTime<Utc>,
    /// For how many seconds.
    pub seconds: i64,
    /// In which unit.
    pub watts: bool,
    /// What the connector is fed with.
    pub supply: Supply,
    /// The transaction that runs there: its transactionId and when it began. Without one, a transaction that began at
    /// `from` is assumed, which has no profile of its own.
    pub transaction: Option<(i64, DateTime<Utc>)>,
}

/// From `start` (seconds after the beginning) on the limit is this; `None`: nothing limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Seconds after [`Question::from`].
    pub start: i64,
    /// In the unit asked for, to one place, rounded down.
    pub limit: Option<Decimal>,
}

/// What the profiles come to over the time asked for; the first step starts at 0.
pub fn composite(held: &[Held<'_>], question: &Question) -> Vec<Step> {
    let mut instants = vec![0];
    for profile in held {
        edges(profile, question, &mut instants);
    }
    instants.retain(|second| (0..question.seconds.max(1)).contains(second));
    instants.sort_unstable();
    instants.dedup();
    let mut steps: Vec<Step> = Vec::new();
    for start in instants {
        let limit = limit_at(held, question, question.from + TimeDelta::seconds(start));
        if steps.last().is_none_or(|last| last.limit != limit) {
            steps.push(Step { start, limit });
        }
    }
    steps
}

/// The limit at one instant, in the unit asked for.
pub fn limit_at(held: &[Held<'_>], question: &Question, at: DateTime<Utc>) -> Option<Decimal> {
    let cap = leading(
        held,
        question,
        at,
        &ChargingProfilePurpose::ChargePointMaxProfile,
    );
    let charge = (question.connector != 0)
        .then(|| {
            leading(held, question, at, &ChargingProfilePurpose::TxProfile).or_else(|| {
                leading(
                    held,
                    question,
                    at,
                    &ChargingProfilePurpose::TxDefaultProfile,
                )
            })
        })
        .flatten();
    match (cap, charge) {
        (Some(cap), Some(charge)) => Some(cap.min(charge)),
        (cap, charge) => cap.or(charge),
    }
}

/// The limit of the leading profile of a purpose; of equal levels, the connector's own goes before that of all.
fn leading(
    held: &[Held<'_>],
    question: &Question,
    at: DateTime<Utc>,
    purpose: &ChargingProfilePurpose,
) -> Option<Decimal> {
    held.iter()
        .filter(|held| held.profile.charging_profile_purpose == *purpose && applies(held, question))
        .filter_map(|held| Some((held, period_at(held, question, at)?)))
        .max_by_key(|(held, _)| (held.profile.stack_level, held.connector))
        .and_then(|(held, period)| in_unit(held, period, question))
}

/// Whether the profile is about this connector, and this transaction.
fn applies(held: &Held<'_>, question: &Question) -> bool {
    match held.profile.charging_profile_purpose {
        ChargingProfilePurpose::ChargePointMaxProfile => held.connector == 0,
        ChargingProfilePurpose::TxDefaultProfile => {
            held.connector == 0 || held.connector == question.connector
        }
        ChargingProfilePurpose::TxProfile => question.transaction.is_some_and(|(number, _)| {
            held.connector == question.connector
                && held.profile.transaction_id.is_none_or(|id| id == number)
        }),
        ChargingProfilePurpose::Unlisted(_) => false,
    }
}

/// The period of the schedule that holds at this instant, if the profile has something to say.
fn period_at<'p>(
    held: &Held<'p>,
    question: &Question,
    at: DateTime<Utc>,
) -> Option<&'p ChargingSchedulePeriod> {
    let profile = held.profile;
    let from = profile.valid_from.and_then(crate::Timestamp::stated);
    let to = profile.valid_to.and_then(crate::Timestamp::stated);
    if from.is_some_and(|from| at < from) || to.is_some_and(|to| at >= to) {
        return None;
    }
    let elapsed = (at - start_at(held, question, at)?).num_seconds();
    let schedule = &profile.charging_schedule;
    let is_over = schedule
        .duration
        .is_some_and(|duration| elapsed >= duration);
    if elapsed < 0 || is_over {
        return None;
    }
    schedule
        .charging_schedule_period
        .iter()
        .filter(|period| period.start_period.unwrap_or(0) <= elapsed)
        .max_by_key(|period| period.start_period.unwrap_or(0))
}

/// When the schedule that may hold at `at` began.
fn start_at(held: &Held<'_>, question: &Question, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let profile = held.profile;
    let stated = profile
        .charging_schedule
        .start_schedule
        .and_then(crate::Timestamp::stated);
    match profile.charging_profile_kind {
        ChargingProfileKind::Relative => {
            let of_transaction = question
                .transaction
                .map_or(question.from, |(_, began)| began);
            // A limit of the station as a whole has no transaction to be relative to.
            (profile.charging_profile_purpose != ChargingProfilePurpose::ChargePointMaxProfile)
                .then_some(of_transaction)
        }
        ChargingProfileKind::Recurring => {
            let (first, every) = (stated?, every(profile)?);
            let rounds = (at - first).num_seconds().div_euclid(every);
            (rounds >= 0).then(|| first + TimeDelta::seconds(rounds * every))
        }
        _ => {
            let valid_from = profile.valid_from.and_then(crate::Timestamp::stated);
            Some(stated.or(valid_from).unwrap_or(held.set_at))
        }
    }
}

/// Seconds between two rounds of a Recurring profile.
fn every(profile: &ChargingProfile) -> Option<i64> {
    match profile.recurrency_kind {
        Some(RecurrencyKind::Daily) => Some(24 * 3600),
        Some(RecurrencyKind::Weekly) => Some(7 * 24 * 3600),
        _ => None,
    }
}

/// A period's limit in the unit asked for, rounded down to one place: never above what was set.
fn in_unit(
    held: &Held<'_>,
    period: &ChargingSchedulePeriod,
    question: &Question,
) -> Option<Decimal> {
    let limit = period.limit?;
    let phases = period
        .number_phases
        .filter(|phases| (1..=3).contains(phases));
    let phases = phases.unwrap_or(i64::from(question.supply.phases.max(1)));
    let watts_per_ampere = Decimal::from(phases) * Decimal::from(question.supply.volts.max(1));
    let is_watts = held.profile.charging_schedule.charging_rate_unit == Some(ChargingRateUnit::W);
    let turned = match (is_watts, question.watts) {
        (false, true) => limit.checked_mul(watts_per_ampere)?,
        (true, false) => limit.checked_div(watts_per_ampere)?,
        _ => limit,
    };
    Some(
        turned
            .round_dp_with_strategy(1, RoundingStrategy::ToNegativeInfinity)
            .normalize(),
    )
}

/// Every second, counted from the beginning, at which this profile may say something else.
fn edges(held: &Held<'_>, question: &Question, into: &mut Vec<i64>) {
    let second = |at: DateTime<Utc>| {
        // A fraction of a second belongs to the next whole one.
        let millis = (at - question.from).num_milliseconds();
        -(-millis).div_euclid(1000)
    };
    let profile = held.profile;
    let validity = [profile.valid_from, profile.valid_to];
    into.extend(
        validity
            .into_iter()
            .flatten()
            .filter_map(|at| at.stated())
            .map(second),
    );
    let end = question.from + TimeDelta::seconds(question.seconds);
    let schedule = &profile.charging_schedule;
    let mut begins = Vec::new();
    if let (ChargingProfileKind::Recurring, Some(every), Some(first)) = (
        &profile.charging_profile_kind,
        every(profile),
        schedule.start_schedule.and_then(crate::Timestamp::stated),
    ) {
        let before = start_at(held, question, question.from).unwrap_or(first);
        let mut begin = before;
        while begin < end {
            begins.push(begin);
            begin += TimeDelta::seconds(every);
        }
    } else {
        begins.extend(start_at(held, question, question.from));
    }
    for begin in begins {
        let begin = second(begin);
        into.push(begin);
        into.extend(
            schedule
                .duration
                .map(|duration| begin.saturating_add(duration)),
        );
        let starts = schedule.charging_schedule_period.iter();
        into.extend(starts.map(|period| begin.saturating_add(period.start_period.unwrap_or(0))));
    }
}
