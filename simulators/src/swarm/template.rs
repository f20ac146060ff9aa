//! Frames of the core's own messages, serialised once, with holes for what changes from one to the next.

use std::fmt::Write as _;

use evse_core::{
    Reading, Utc,
    ocpp::{
        frame,
        msg16::{
            Authorize, BootNotification, Context, Measurand, MeterValue, MeterValues, Reason,
            StartTransaction, StopTransaction,
        },
    },
};
use serde::Serialize;

/// What a hole takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    Id,
    Transaction,
    Time,
    Energy,
    Power,
    Current,
    Voltage,
    Soc,
}

/// What fills the holes of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) id: u64,
    pub(super) transaction: i64,
    pub(super) at: Utc,
    pub(super) reading: Reading,
}

/// A frame with holes.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<(String, Hole)>,
    tail: String,
}

// Values that occur nowhere else in a frame, each standing for its hole.
const ID: &str = "<id>";
const TRANSACTION: i64 = 8_080_808_080;
const TIME: Utc = Utc(1_000_000_000_123);
const READING: Reading = Reading {
    energy_wh: 515_151_515_151,
    power_w: 626_262_626,
    current_da: 737_373_737,
    voltage_dv: 848_484_848,
    soc_percent: Some(199),
    offered_w: 22_000,
    offered_da: 320,
};

impl Template {
    fn new(action: &str, payload: &impl Serialize) -> Self {
        let payload = serde_json::to_string(payload).expect("messages always serialise");
        let holes = [
            (Hole::Id, ID.to_owned()),
            (Hole::Transaction, TRANSACTION.to_string()),
            (Hole::Time, TIME.to_string()),
            (Hole::Energy, READING.energy_wh.to_string()),
            (Hole::Power, READING.power_w.to_string()),
            (Hole::Current, "73737373.7".to_owned()),
            (Hole::Voltage, "84848484.8".to_owned()),
            // Short as it is, it also stands in names: within its quotes it does not.
            (Hole::Soc, "\"199\"".to_owned()),
        ];
        let mut rest = frame::call(ID, action, &payload);
        let mut parts = Vec::new();
        loop {
            let next = holes
                .iter()
                .filter_map(|(hole, mark)| {
                    rest.find(mark.as_str()).map(|at| (at, *hole, mark.len()))
                })
                .min_by_key(|(at, ..)| *at);
            let Some((at, hole, length)) = next else {
                break;
            };
            let tail = rest.split_off(at + length);
            rest.truncate(at);
            parts.push((rest, hole));
            rest = tail;
        }
        Self { parts, tail: rest }
    }

    /// A new frame.
    pub(super) fn render(&self, fill: &Fill) -> String {
        let length: usize = self.parts.iter().map(|(text, _)| text.len() + 24).sum();
        let mut out = String::with_capacity(length + self.tail.len());
        for (text, hole) in &self.parts {
            out.push_str(text);
            // Writing to a String cannot fail.
            let _ = match hole {
                Hole::Id => write!(out, "{}", fill.id),
                Hole::Transaction => write!(out, "{}", fill.transaction),
                Hole::Time => write!(out, "{}", fill.at),
                Hole::Energy => write!(out, "{}", fill.reading.energy_wh),
                Hole::Power => write!(out, "{}", fill.reading.power_w),
                Hole::Current => tenths(&mut out, fill.reading.current_da),
                Hole::Voltage => tenths(&mut out, fill.reading.voltage_dv),
                Hole::Soc => write!(out, "\"{}\"", fill.reading.soc_percent.unwrap_or(0)),
            };
        }
        out.push_str(&self.tail);
        out
    }
}

fn tenths(out: &mut String, value: u32) -> std::fmt::Result {
    write!(out, "{}.{}", value / 10, value % 10)
}

/// The frames of one station.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) boot: Template,
    pub(super) heartbeat: Template,
    pub(super) authorize: Template,
    pub(super) start: Template,
    pub(super) stop: Template,
}

/// The one connector that a station of the swarm uses.
pub(super) const CONNECTOR: u32 = 1;

impl Frames {
    pub(super) fn new(tag: &str) -> Self {
        #[derive(Serialize)]
        struct Empty {}
        Self {
            boot: Template::new(
                "BootNotification",
                &BootNotification {
                    charge_point_vendor: "Forecourt",
                    charge_point_model: "Swarm",
                    charge_point_serial_number: None,
                    firmware_version: Some(env!("CARGO_PKG_VERSION")),
                },
            ),
            heartbeat: Template::new("Heartbeat", &Empty {}),
            authorize: Template::new("Authorize", &Authorize { id_tag: tag }),
            start: Template::new(
                "StartTransaction",
                &StartTransaction {
                    reservation_id: None,
                    connector_id: CONNECTOR,
                    id_tag: tag,
                    meter_start: READING.energy_wh,
                    timestamp: TIME,
                },
            ),
            stop: Template::new(
                "StopTransaction",
                &StopTransaction {
                    transaction_data: &[],
                    id_tag: Some(tag),
                    meter_stop: READING.energy_wh,
                    timestamp: TIME,
                    transaction_id: TRANSACTION,
                    reason: Reason::Local,
                },
            ),
        }
    }

    /// MeterValues are the same for every station.
    pub(super) fn meter() -> Template {
        let wanted = [
            Measurand::Energy,
            Measurand::Power,
            Measurand::Current,
            Measurand::Voltage,
            Measurand::Soc,
            Measurand::Offered,
        ];
        let sampled_value = READING.samples(Context::Periodic, wanted.into_iter());
        Template::new(
            "MeterValues",
            &MeterValues {
                connector_id: CONNECTOR,
                transaction_id: Some(TRANSACTION),
                meter_value: &[MeterValue {
                    timestamp: TIME,
                    sampled_value,
                }],
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hole_is_filled() {
        let fill = Fill {
            id: 17,
            transaction: 42,
            at: Utc(1_763_646_500_000),
            reading: Reading {
                energy_wh: 1_000,
                power_w: 7_360,
                current_da: 160,
                voltage_dv: 2_301,
                soc_percent: Some(54),
                offered_w: 0,
                offered_da: 0,
            },
        };
        assert_eq!(
            Frames::meter().render(&fill),
            concat!(
                r#"[2,"17","MeterValues",{"connectorId":1,"transactionId":42,"meterValue":[{"timestamp":"2025-11-20T13:48:20.000Z","sampledValue":["#,
                r#"{"value":"1000","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},"#,
                r#"{"value":"7360","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},"#,
                r#"{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","unit":"A"},"#,
                r#"{"value":"230.1","context":"Sample.Periodic","measurand":"Voltage","unit":"V"},"#,
                r#"{"value":"54","context":"Sample.Periodic","measurand":"SoC","unit":"Percent"},"#,
                r#"{"value":"22000","context":"Sample.Periodic","measurand":"Power.Offered","unit":"W"}]}]}]"#,
            )
        );
        assert_eq!(
            Frames::new("TAG00199").start.render(&fill),
            r#"[2,"17","StartTransaction",{"connectorId":1,"idTag":"TAG00199","meterStart":1000,"timestamp":"2025-11-20T13:48:20.000Z"}]"#
        );
    }
}
