//! What chargers leave behind, written as the csms writes it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::{
    Connection,
    charging_profiles::{self, Place, Sent},
    configuration::{self, Reading},
    ids,
    ingest::{self, Boot, Direction, Effect, EventRow, MessageRow, MeterRow, Start, Status, Stop},
    presence::{self, Connected},
    stations::{self, NewStation, Registration},
};
use uuid::Uuid;

use crate::harness::Portal;

/// A station with one ended session of three samples.
pub struct Charged {
    pub station_id: Uuid,
    pub session: Uuid,
}

/// A station of `site` that has booted, connected and charged once; its figures grow with `number`.
pub async fn charged(portal: &Portal, site: Option<Uuid>, identity: &str, number: i64) -> Charged {
    let now = portal.clock.now();
    let mut db = portal.db.pool.acquire().await.unwrap();
    let station = NewStation {
        identity,
        site_id: site,
        registration: Registration::Accepted,
        security_profile: 0,
        password_hash: None,
    };
    let station_id = stations::add(&mut db, &station, now).await.unwrap();
    let socket = Connected {
        station_id,
        generation: 1,
        protocol: "ocpp1.6".to_owned(),
        address: "192.0.2.7".to_owned(),
        at: now,
    };
    presence::connected(&mut db, "node", &[socket])
        .await
        .unwrap();

    let session = ids::new_id(now);
    let started_at = now - TimeDelta::hours(2);
    let effect = Effect {
        messages: vec![message(station_id, now)],
        meter: (0..3)
            .map(|step| sample(station_id, session, started_at, step))
            .collect(),
        starts: vec![Start {
            id: session,
            station_id,
            number,
            evse: 1,
            connector: 1,
            id_token: format!("TAG-{identity}"),
            started_at,
            shown_at: started_at,
            received_at: started_at,
            meter_start_wh: 1000,
            reservation_id: None,
            site_id: site,
            flags: Vec::new(),
        }],
        statuses: vec![Status {
            station_id,
            evse: 1,
            connector: 1,
            status: "Available".to_owned(),
            error_code: "NoError".to_owned(),
            vendor_error_code: None,
            info: None,
            at: now,
            received_at: now,
        }],
        boots: vec![Boot {
            station_id,
            vendor: Some("Voltwerk".to_owned()),
            model: Some("VW-22".to_owned()),
            serial: Some(format!("SN-{identity}")),
            firmware: Some("1.0".to_owned()),
            accepted: true,
            received_at: now,
        }],
        events: vec![EventRow {
            at: now,
            kind: "connector.status",
            site_id: site,
            station_id,
            subject: None,
            detail: serde_json::json!({"station": identity}),
        }],
        ..Effect::default()
    };
    ingest::commit(&mut db, &[&effect]).await.unwrap();
    let stop = Effect {
        stops: vec![Stop {
            transaction_id: session,
            stopped_at: started_at + TimeDelta::hours(1),
            received_at: now,
            meter_stop_wh: 8400,
            reason: Some("EVDisconnected".to_owned()),
            id_token: None,
            replaces: false,
            figures: None,
            flags: Vec::new(),
        }],
        ..Effect::default()
    };
    ingest::commit(&mut db, &[&stop]).await.unwrap();
    Charged {
        station_id,
        session,
    }
}

fn message(station_id: Uuid, at: DateTime<Utc>) -> MessageRow {
    MessageRow {
        id: ids::new_id(at),
        received_at: at,
        station_id,
        direction: Direction::In,
        message_id: "m1".to_owned(),
        action: "Heartbeat".to_owned(),
        payload: "{}".to_owned(),
        answer: Some(r#"{"currentTime":"2026-11-20T12:00:00.000Z"}"#.to_owned()),
        error_code: None,
        answered_at: Some(at),
        findings: None,
    }
}

/// A register of connector 2, and nothing else.
pub fn reading(station_id: Uuid, session: Uuid, at: DateTime<Utc>, energy_wh: i64) -> MeterRow {
    MeterRow {
        at,
        evse: 2,
        received_at: at,
        energy_wh: Some(energy_wh),
        power_w: None,
        current_ma: [None; 3],
        voltage_mv: [None; 3],
        soc_pm: None,
        offered_w: None,
        ..sample(station_id, session, at, 0)
    }
}

fn sample(station_id: Uuid, session: Uuid, started_at: DateTime<Utc>, step: i32) -> MeterRow {
    let at = started_at + TimeDelta::minutes(i64::from(step) * 20);
    MeterRow {
        station_id,
        at,
        evse: 1,
        connector: 1,
        context: "Sample.Periodic",
        received_at: at,
        odd: false,
        transaction_id: Some(session),
        energy_wh: Some(1000 + 3700 * i64::from(step)),
        power_w: Some(11_040),
        current_ma: [Some(16_005), Some(16_000), Some(15_900)],
        voltage_mv: [Some(230_500); 3],
        soc_pm: Some(i16::try_from(405 + 200 * step).unwrap()),
        temperature_dc: None,
        offered_w: Some(22_000),
        offered_ma: None,
        rest: None,
        flags: None,
    }
}

/// A station has said that it beats every 300 seconds.
pub async fn heartbeat_is_known(db: &mut Connection, station: Uuid, now: DateTime<Utc>) {
    let answer = configuration::Answer {
        readings: vec![Reading {
            key: "HeartbeatInterval".to_owned(),
            value: Some("300".to_owned()),
            readonly: Some(false),
        }],
        ..configuration::Answer::default()
    };
    configuration::note_read(db, station, &answer, now)
        .await
        .unwrap();
}

/// A station has accepted a TxDefaultProfile for connector 1, in amperes; what it was sent.
pub async fn profile_is_set(
    db: &mut Connection,
    station: Uuid,
    (number, schedule): (i32, Value),
    now: DateTime<Utc>,
) -> Value {
    let mut schedule = schedule;
    schedule["chargingRateUnit"] = json!("A");
    let profile = json!({"chargingProfileId": number, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
                         "chargingProfileKind": "Absolute", "chargingSchedule": schedule});
    let sent = Sent {
        place: Place {
            connector: Some(1),
            number,
            stack_level: 0,
            purpose: "TxDefaultProfile".to_owned(),
            transaction_number: None,
        },
        kind: "Absolute".to_owned(),
        awaits: None,
        profile: profile.to_string(),
        unit: "A".to_owned(),
    };
    charging_profiles::set(db, station, Uuid::nil(), &sent, now)
        .await
        .unwrap();
    profile
}
