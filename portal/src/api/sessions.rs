//! `/sessions`: charging sessions, and one with its curve.

use axum::{Json, extract::State};
use billing::pricing::{costs, running::Cost};
use serde::Serialize;
use store::{
    sessions::{self, Filter, State as SessionState},
    sites,
};
use uuid::Uuid;

use super::{
    input::{Params, Segment},
    shape::{self, List, Stamp},
};
use crate::{AppState, Error, Result, auth::Viewer};

/// A charging session. While it is active its figures are those of the last meter value. SoC is in per cent.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    id: Uuid,
    station: Option<String>,
    evse: i32,
    connector: i32,
    transaction_id: Option<i64>,
    id_token: String,
    site: Option<String>,
    state: &'static str,
    started_at: Stamp,
    ended_at: Option<Stamp>,
    energy_wh: Option<i64>,
    max_power_w: Option<i32>,
    soc_start: Option<Tenths>,
    soc_end: Option<Tenths>,
    stop_reason: Option<String>,
    /// With tax; while active, so far. Null where no tariff held, until billing has priced it, and while that is held.
    cost: Option<String>,
    currency: Option<String>,
    flags: Vec<String>,
}

/// A figure that is kept in thousandths, as a decimal number: 1234 is 1.234.
#[derive(Debug, Clone, Copy)]
struct Thousandths(i64);

/// A figure that is kept in tenths: 815 is 81.5.
#[derive(Debug, Clone, Copy)]
struct Tenths(i64);

impl Serialize for Thousandths {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        decimal(self.0, 3).serialize(serializer)
    }
}

impl Serialize for Tenths {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        decimal(self.0, 1).serialize(serializer)
    }
}

/// `value` shifted by `places`, as exact JSON number text.
fn decimal(value: i64, places: u32) -> Box<serde_json::value::RawValue> {
    let text = rust_decimal::Decimal::new(value, places)
        .normalize()
        .to_string();
    serde_json::value::RawValue::from_string(text).expect("a decimal is a JSON number")
}

impl Session {
    fn of(session: sessions::Session, cost: Option<&Cost>) -> Self {
        let told = cost.and_then(|cost| Some((cost.told()?, cost.currency.clone())));
        Session {
            id: session.id,
            station: session.station,
            evse: session.evse,
            connector: session.connector,
            transaction_id: session.transaction_id,
            id_token: session.id_token,
            site: session.site,
            state: session.state.as_str(),
            started_at: Stamp(session.started_at),
            ended_at: session.ended_at.map(Stamp),
            energy_wh: session.energy_wh,
            max_power_w: session.max_power_w,
            soc_start: session.soc_start_pm.map(|soc| Tenths(soc.into())),
            soc_end: session.soc_end_pm.map(|soc| Tenths(soc.into())),
            stop_reason: session.stop_reason,
            currency: told.as_ref().map(|(_, currency)| currency.clone()),
            cost: told.map(|(total, _)| total),
            flags: session.flags,
        }
    }
}

/// What the meter said at one instant.
#[derive(Debug, Serialize)]
struct Sample {
    at: Stamp,
    energy_wh: Option<i64>,
    power_w: Option<i32>,
    current_a: Option<Thousandths>,
    voltage_v: Option<Thousandths>,
    soc: Option<Tenths>,
    offered_w: Option<i32>,
}

impl From<sessions::Sample> for Sample {
    fn from(sample: sessions::Sample) -> Self {
        let thousandths = |value: i32| Thousandths(value.into());
        Sample {
            at: Stamp(sample.at),
            energy_wh: sample.energy_wh,
            power_w: sample.power_w,
            current_a: sample.highest_current_ma().map(thousandths),
            voltage_v: sample.mean_voltage_mv().map(thousandths),
            soc: sample.soc_pm.map(|soc| Tenths(soc.into())),
            offered_w: sample.offered_w,
        }
    }
}

/// A session with its curve.
#[derive(Debug, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    session: Session,
    samples: Vec<Sample>,
}

/// The sessions of a filter, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Session>>> {
    let mut filter = Filter {
        stations: params.text("station").into_iter().collect(),
        state: params.read("state", "active, ended or orphan", SessionState::parse),
        from: params.time("from"),
        to: params.time("to"),
        site_id: None,
        held: params
            .read("held", "true or false", |text| text.parse().ok())
            .unwrap_or(false),
        id_token: None,
    };
    let site = params.text("site");
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if let Some(site) = site {
        filter.site_id = sites::find(&mut db, &site).await?;
        if filter.site_id.is_none() {
            params.complain(
                "site",
                format!("{site:?}: expected the name or id of a site"),
            );
        }
    }
    params.finish()?;
    let rows = sessions::list(&mut db, &filter, after, limit + 1).await?;
    let ids: Vec<Uuid> = rows.iter().map(|session| session.id).collect();
    let costs = costs(&mut db, &ids, app.clock.now()).await?;
    Ok(shape::list(rows, limit, shape::cursor, |session| {
        let cost = costs.get(&session.id);
        Session::of(session, cost)
    }))
}

/// One session with its samples, in the order of the charger's time.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Detail>> {
    let nothing = || Error::NotFound(format!("there is no session {id:?}"));
    let session_id = id.parse().map_err(|_| nothing())?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let session = sessions::get(&mut db, session_id)
        .await?
        .ok_or_else(nothing)?;
    let samples = sessions::samples(&mut db, &session).await?;
    let costs = costs(&mut db, &[session.id], app.clock.now()).await?;
    let cost = costs.get(&session.id);
    Ok(Json(Detail {
        session: Session::of(session, cost),
        samples: samples.into_iter().map(Sample::from).collect(),
    }))
}
