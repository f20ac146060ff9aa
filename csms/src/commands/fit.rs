//! A charging profile made to fit its station (quirk 42): what the model was found to refuse is said in the way that it takes.
//! Raw commands are sent as they are; of others the row tells what was ordered, what was sent and why.
//!
//! Amperes and watts are turned into each other by the voltage that the station last reported (else 230 V) and the phases
//! that the period names, else those that the station reported, else 3; rounded down, so that nobody draws more than ordered.

use chrono::{DateTime, Days, Utc};
use ocpp::charging::Supply;
use ocpp::v16::{ChargingProfilePurpose, ChargingRateUnit, SetChargingProfileRequest};
use ocpp::{decode, encode};
use rust_decimal::{Decimal, RoundingStrategy};
use store::charging_profiles::{self, Capability, Fed};
use uuid::Uuid;

/// Readings of the voltage that count.
const RECENT: Days = Days::new(7);
/// From phase to neutral, in volts; a DC outlet's voltage is none of these.
const MAINS: std::ops::RangeInclusive<u32> = 90..=280;
/// What is known of the station in its own words.
const KEYS: [&str; 2] = [
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargeProfileMaxStackLevel",
];

/// What is sent instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fitted {
    pub(super) payload: String,
    /// What was changed, for people.
    pub(super) what: String,
}

/// Looks up what is known of the station and decides; `None`: it is sent as it was ordered.
pub(super) async fn set_charging_profile(
    db: &mut store::Connection,
    station_id: Uuid,
    payload: &str,
    now: DateTime<Utc>,
) -> store::Result<Option<Fitted>> {
    let keys = store::configuration::values(db, station_id, &KEYS).await?;
    let value = |name: &str| {
        let key = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        key.map(|(_, value)| value.clone())
    };
    let answers = charging_profiles::answers_of_model(db, station_id).await?;
    let takes = charging_profiles::capability(value, &answers);
    let fed = charging_profiles::fed(db, station_id, now - RECENT).await?;
    Ok(fit(payload, &takes, fed))
}

fn fit(payload: &str, takes: &Capability, fed: Fed) -> Option<Fitted> {
    let mut request: SetChargingProfileRequest = decode(payload).ok()?;
    let changes = [
        unit(&mut request, takes, supply(fed)),
        connector(&mut request, takes, fed),
        stack_level(&mut request, takes),
    ];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    (!changes.is_empty()).then(|| Fitted {
        payload: encode(&request),
        what: changes.join("; "),
    })
}

fn supply(fed: Fed) -> Supply {
    let usual = Supply::default();
    let volts = fed.voltage_mv.and_then(|mv| u32::try_from(mv).ok());
    let volts = volts.map(|mv| (mv + 500) / 1000);
    let known = volts.filter(|volts| MAINS.contains(volts));
    Supply {
        volts: known.unwrap_or(usual.volts),
        phases: match u32::try_from(fed.phases) {
            Ok(phases @ 1..=3) if known.is_some() => phases,
            _ => usual.phases,
        },
    }
}

fn unit(
    request: &mut SetChargingProfileRequest,
    takes: &Capability,
    supply: Supply,
) -> Option<String> {
    let schedule = &mut request.cs_charging_profiles.charging_schedule;
    let to_watts = match (&schedule.charging_rate_unit, takes.unit?) {
        (Some(ChargingRateUnit::A), "W") => true,
        (Some(ChargingRateUnit::W), "A") => false,
        _ => return None,
    };
    let turned = |limit: Decimal, phases: Option<i64>| {
        let phases = phases.filter(|phases| (1..=3).contains(phases));
        let phases = phases.unwrap_or(i64::from(supply.phases));
        let per_ampere = Decimal::from(supply.volts) * Decimal::from(phases);
        let turned = if to_watts {
            limit.checked_mul(per_ampere)
        } else {
            limit.checked_div(per_ampere)
        };
        let down = RoundingStrategy::ToNegativeInfinity;
        Some(turned?.round_dp_with_strategy(1, down).normalize())
    };
    // All of it or nothing: half a schedule in another unit is another schedule.
    let mut limits = Vec::new();
    for period in &schedule.charging_schedule_period {
        limits.push(turned(period.limit?, period.number_phases)?);
    }
    let least = match schedule.min_charging_rate {
        Some(rate) => Some(turned(rate, None)?),
        None => None,
    };
    for (period, limit) in schedule.charging_schedule_period.iter_mut().zip(limits) {
        period.limit = Some(limit);
    }
    schedule.min_charging_rate = least;
    let (from, to) = if to_watts { ("A", "W") } else { ("W", "A") };
    schedule.charging_rate_unit = Some(if to_watts {
        ChargingRateUnit::W
    } else {
        ChargingRateUnit::A
    });
    Some(format!(
        "limits in {to} instead of {from}, at {} V and {} unless a period says otherwise",
        supply.volts,
        if supply.phases == 1 {
            "1 phase".to_owned()
        } else {
            format!("{} phases", supply.phases)
        }
    ))
}

/// A station of one connector may be asked for it or for the whole: it comes to the same.
fn connector(
    request: &mut SetChargingProfileRequest,
    takes: &Capability,
    fed: Fed,
) -> Option<String> {
    if fed.connectors != 1 {
        return None;
    }
    let profile = &mut request.cs_charging_profiles;
    match (request.connector_id, takes.whole, takes.single) {
        (0, Some(false), _) => {
            request.connector_id = 1;
            if profile.charging_profile_purpose == ChargingProfilePurpose::ChargePointMaxProfile {
                profile.charging_profile_purpose = ChargingProfilePurpose::TxDefaultProfile;
                Some("connector 1 and TxDefaultProfile instead of connector 0 and ChargePointMaxProfile".to_owned())
            } else {
                Some("connector 1 instead of 0".to_owned())
            }
        }
        (1, Some(true), Some(false))
            if profile.charging_profile_purpose == ChargingProfilePurpose::TxDefaultProfile =>
        {
            request.connector_id = 0;
            Some("connector 0 instead of 1".to_owned())
        }
        _ => None,
    }
}

fn stack_level(request: &mut SetChargingProfileRequest, takes: &Capability) -> Option<String> {
    let level = &mut request.cs_charging_profiles.stack_level;
    let most = takes.max_stack.filter(|most| (0..*level).contains(most))?;
    let ordered = std::mem::replace(level, most);
    Some(format!("stack level {most} instead of {ordered}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATTS: &str = r#"{"connectorId":1,"csChargingProfiles":{"chargingProfileId":3,"stackLevel":2,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"W","minChargingRate":1380,"chargingSchedulePeriod":[{"startPeriod":0,"limit":11000},{"startPeriod":60,"limit":3700,"numberPhases":1},{"startPeriod":90,"limit":0}]}}}"#;

    fn fed(connectors: i64) -> Fed {
        Fed {
            connectors,
            ..Fed::default()
        }
    }

    fn changed(payload: &str, takes: &Capability, fed: Fed) -> (SetChargingProfileRequest, String) {
        let fitted = fit(payload, takes, fed).expect("it is changed");
        (decode(&fitted.payload).unwrap(), fitted.what)
    }

    fn limits(request: &SetChargingProfileRequest) -> Vec<String> {
        let schedule = &request.cs_charging_profiles.charging_schedule;
        let periods = schedule.charging_schedule_period.iter();
        periods
            .map(|period| period.limit.unwrap().to_string())
            .collect()
    }

    #[test]
    fn quirk_42_what_fits_is_sent_as_it_was_ordered() {
        let all = Capability {
            whole: Some(true),
            single: Some(true),
            max_stack: Some(2),
            unit: Some("W"),
            ..Capability::default()
        };
        for takes in [Capability::default(), all] {
            assert_eq!(fit(WATTS, &takes, fed(1)), None);
        }
        assert_eq!(fit("[]", &Capability::default(), fed(1)), None);
    }

    #[test]
    fn quirk_42_watts_and_amperes_are_turned_into_each_other_by_what_feeds_the_station() {
        let amperes = Capability {
            unit: Some("A"),
            ..Capability::default()
        };
        let (request, what) = changed(WATTS, &amperes, fed(2));
        assert_eq!(limits(&request), ["15.9", "16", "0"], "rounded down");
        let schedule = &request.cs_charging_profiles.charging_schedule;
        assert_eq!(schedule.charging_rate_unit, Some(ChargingRateUnit::A));
        assert_eq!(schedule.min_charging_rate, Some(Decimal::from(2)));
        assert_eq!(
            what,
            "limits in A instead of W, at 230 V and 3 phases unless a period says otherwise"
        );
        let one_phase = Fed {
            connectors: 2,
            voltage_mv: Some(239_600),
            phases: 1,
        };
        let (request, what) = changed(WATTS, &amperes, one_phase);
        assert_eq!(limits(&request), ["45.8", "15.4", "0"]);
        assert!(what.contains("at 240 V and 1 phase "), "{what}");
        // The voltage of a DC outlet feeds nothing.
        let direct = Fed {
            voltage_mv: Some(812_000),
            ..one_phase
        };
        assert_eq!(
            limits(&changed(WATTS, &amperes, direct).0),
            ["15.9", "16", "0"]
        );
        // And back.
        let watts = Capability {
            unit: Some("W"),
            ..Capability::default()
        };
        let back = WATTS.replace("\"W\"", "\"A\"").replace("11000", "16.5");
        assert_eq!(limits(&changed(&back, &watts, fed(2)).0)[0], "11385");
    }

    #[test]
    fn quirk_42_connector_zero_and_one_stand_for_each_other_where_there_is_one() {
        let no_zero = Capability {
            whole: Some(false),
            ..Capability::default()
        };
        let whole = WATTS.replace("\"connectorId\":1", "\"connectorId\":0");
        let (request, what) = changed(&whole, &no_zero, fed(1));
        assert_eq!(
            (request.connector_id, what.as_str()),
            (1, "connector 1 instead of 0")
        );
        assert_eq!(
            fit(&whole, &no_zero, fed(2)),
            None,
            "of two neither is the whole"
        );
        let most = whole.replace("TxDefaultProfile", "ChargePointMaxProfile");
        let (request, _) = changed(&most, &no_zero, fed(1));
        assert_eq!(
            request.cs_charging_profiles.charging_profile_purpose,
            ChargingProfilePurpose::TxDefaultProfile
        );
        let only_zero = Capability {
            whole: Some(true),
            single: Some(false),
            ..Capability::default()
        };
        assert_eq!(changed(WATTS, &only_zero, fed(1)).0.connector_id, 0);
        let of_a_transaction = WATTS.replace("TxDefaultProfile", "TxProfile");
        assert_eq!(fit(&of_a_transaction, &only_zero, fed(1)), None);
    }

    #[test]
    fn quirk_42_a_stack_level_above_the_highest_becomes_the_highest() {
        let flat = Capability {
            max_stack: Some(0),
            ..Capability::default()
        };
        let (request, what) = changed(WATTS, &flat, fed(1));
        assert_eq!(request.cs_charging_profiles.stack_level, 0);
        assert_eq!(what, "stack level 0 instead of 2");
    }
}
