//! `/stations/{identity}/charging-profiles`: what a station was told, and what that comes to: by our reckoning and in its own
//! words.

use axum::{Json, extract::State};
use ocpp::charging::{Step, Supply};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{
    charging_profiles::{self, Capability, Profile},
    configuration,
};
use uuid::Uuid;

use super::{
    input::{Params, Segment},
    shape::{Stamp, verbatim},
};
use crate::{
    AppState, Result,
    auth::Viewer,
    kept::{
        self,
        charging::{self, View},
    },
};

/// Profiles of a station that are told at most.
const MOST: i64 = 500;

/// A profile.
#[derive(Debug, Serialize)]
struct Shown {
    id: Uuid,
    /// The chargingProfileId.
    number: i32,
    connector: Option<i32>,
    stack_level: i32,
    purpose: String,
    kind: String,
    transaction: Option<i64>,
    session: Option<Uuid>,
    /// It waits for a transaction of this token.
    awaits: Option<String>,
    /// csChargingProfiles to the letter.
    profile: Box<RawValue>,
    set_at: Stamp,
    ended_at: Option<Stamp>,
    /// cleared, replaced or transaction.
    ended_why: Option<String>,
}

impl From<Profile> for Shown {
    fn from(profile: Profile) -> Self {
        Shown {
            id: profile.id,
            number: profile.place.number,
            connector: profile.place.connector,
            stack_level: profile.place.stack_level,
            purpose: profile.place.purpose,
            kind: profile.kind,
            transaction: profile.place.transaction_number,
            session: profile.transaction_id,
            awaits: profile.awaits,
            profile: verbatim(profile.profile),
            set_at: Stamp(profile.set_at),
            ended_at: profile.ended_at.map(Stamp),
            ended_why: profile.ended_why,
        }
    }
}

/// What a station takes.
#[derive(Debug, Serialize)]
struct Takes {
    unit: Option<&'static str>,
    connector_zero: Option<bool>,
    max_stack_level: Option<i64>,
    max_profiles: Option<i64>,
    max_periods: Option<i64>,
    advice: Vec<String>,
}

impl From<Capability> for Takes {
    fn from(found: Capability) -> Self {
        Takes {
            unit: found.unit,
            connector_zero: found.whole,
            max_stack_level: found.max_stack,
            max_profiles: found.max_profiles,
            max_periods: found.max_periods,
            advice: found.advice,
        }
    }
}

/// The profiles of a station and what it takes.
#[derive(Debug, Serialize)]
pub(crate) struct Profiles {
    items: Vec<Shown>,
    takes: Takes,
}

/// The profiles that hold; with `?ended=1` also those that held.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
) -> Result<Json<Profiles>> {
    let ended = params.read("ended", "1 or 0", |text| match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    });
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    let rows = charging_profiles::list(&mut db, station.id, ended == Some(true), MOST).await?;
    let keys = configuration::of(&mut db, station.id).await?;
    let answers = charging_profiles::answers(&mut db, station.id).await?;
    Ok(Json(Profiles {
        items: rows.into_iter().map(Shown::from).collect(),
        takes: charging::capability(&keys, &answers).into(),
    }))
}

/// From `start` (seconds) on, the limit is this; null: nothing limits.
#[derive(Debug, Serialize)]
struct Period {
    start: i64,
    limit: Option<Box<RawValue>>,
}

fn periods(steps: &[Step]) -> Vec<Period> {
    steps
        .iter()
        .map(|step| Period {
            start: step.start,
            // A decimal's digits are a JSON number.
            limit: step.limit.map(|limit| verbatim(charging::limit(limit))),
        })
        .collect()
}

/// What a station itself said.
#[derive(Debug, Serialize)]
struct OfStation {
    answered_at: Stamp,
    status: String,
    start: Option<Stamp>,
    unit: Option<String>,
    duration: Option<i64>,
    periods: Vec<Period>,
}

/// What the profiles of a connector come to.
#[derive(Debug, Serialize)]
pub(crate) struct Composite {
    connector: i32,
    from: Stamp,
    duration: i64,
    unit: &'static str,
    /// By our reckoning.
    expected: Vec<Period>,
    /// In the station's words, if it was ever asked.
    station: Option<OfStation>,
}

/// What the profiles come to from now on: `?connector=`, `?duration=` in seconds, `?unit=A|W`, `?volts=`, `?phases=`.
pub(crate) async fn composite(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
) -> Result<Json<Composite>> {
    fn within<T: std::str::FromStr + PartialOrd>(text: &str, from: T, to: T) -> Option<T> {
        text.parse()
            .ok()
            .filter(|number| (from..=to).contains(number))
    }
    let connector = params.read("connector", "a connector's number, or 0", |text| {
        within(text, 0, 1000)
    });
    let seconds = params.read("duration", "seconds from 1 to 604800", |text| {
        within(text, 1, 604_800)
    });
    let watts = params.read("unit", "A or W", |text| match text {
        "A" => Some(false),
        "W" => Some(true),
        _ => None,
    });
    let usual = Supply::default();
    let volts = params.read("volts", "volts from 1 to 1000", |text| {
        within(text, 1, 1000)
    });
    let phases = params.read("phases", "1, 2 or 3", |text| within(text, 1, 3));
    params.finish()?;
    let view = View {
        connector: connector.unwrap_or(1),
        seconds: seconds.unwrap_or(3600),
        watts: watts.unwrap_or(false),
        supply: Supply {
            volts: volts.unwrap_or(usual.volts),
            phases: phases.unwrap_or(usual.phases),
        },
    };
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    let both = charging::both(&mut db, station.id, view, now).await?;
    Ok(Json(Composite {
        connector: view.connector,
        from: Stamp(now),
        duration: view.seconds,
        unit: if view.watts { "W" } else { "A" },
        expected: periods(&both.expected),
        station: both.station.map(|station| OfStation {
            answered_at: Stamp(station.at),
            status: station.status,
            start: station.start.map(Stamp),
            unit: station.unit,
            duration: station.seconds,
            periods: periods(&station.steps),
        }),
    }))
}
