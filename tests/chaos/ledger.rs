//! A swarm's ledger as facts that the database can be asked for.

use std::path::Path;

use chrono::{DateTime, Utc};
use simulators::ledger::{self, Entry};
use store::proof::Fact;

/// Every acknowledgement of the ledger at `path`.
pub fn facts(path: &Path) -> Vec<Fact> {
    let entries = ledger::read(path).expect("a ledger");
    entries.into_iter().map(fact).collect()
}

fn fact(entry: Entry) -> Fact {
    match entry {
        Entry::Start {
            station,
            connector,
            id_tag,
            at,
            meter_start,
            transaction_id,
        } => Fact::Start {
            station,
            connector: small(connector),
            id_token: id_tag,
            at: time(at.0),
            meter_wh: wh(meter_start),
            number: transaction_id,
        },
        Entry::Meter {
            station,
            connector,
            transaction_id,
            at,
            energy_wh,
        } => Fact::Meter {
            station,
            connector: small(connector),
            number: transaction_id,
            at: time(at.0),
            energy_wh: wh(energy_wh),
        },
        Entry::Stop {
            station,
            transaction_id,
            at,
            meter_stop,
        } => Fact::Stop {
            station,
            number: transaction_id,
            at: time(at.0),
            meter_wh: wh(meter_stop),
        },
    }
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).expect("a time of these days")
}

fn wh(register: u64) -> i64 {
    register.try_into().expect("a register of this world")
}

fn small(connector: u32) -> i32 {
    connector.try_into().expect("few connectors")
}
