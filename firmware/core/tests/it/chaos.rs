//! Whatever happens to link, server and power: once all is well again, the server has each start exactly once
//! by its natural key, each with exactly one stop, in order. And the heap does not grow without bound.

use std::collections::BTreeMap;

use evse_core::{Event, Input, ocpp::msg16::ErrorCode};
use proptest::prelude::*;

use crate::bench::{Bench, Mode, seconds};

#[derive(Clone, Debug)]
enum Step {
    Plug(u32),
    Unplug(u32),
    Swipe(u32, usize),
    Energy(u32, u64),
    Fault(u32, bool),
    Network(bool),
    Server(Mode),
    PowerCut,
    Time(u64),
}

const TAGS: [&str; 3] = ["A1", "B2", "C3"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u32..=2).prop_map(Step::Plug),
        2 => (1u32..=2).prop_map(Step::Unplug),
        4 => (1u32..=2, 0usize..3).prop_map(|(c, t)| Step::Swipe(c, t)),
        3 => (1u32..=2, 1u64..5_000).prop_map(|(c, wh)| Step::Energy(c, wh)),
        1 => (1u32..=2, any::<bool>()).prop_map(|(c, on)| Step::Fault(c, on)),
        2 => any::<bool>().prop_map(Step::Network),
        2 => prop_oneof![Just(Mode::Answers), Just(Mode::Silent), Just(Mode::AnswersAreLost)].prop_map(Step::Server),
        1 => Just(Step::PowerCut),
        5 => (1u64..400).prop_map(|s| Step::Time(seconds(s))),
    ]
}

fn apply(bench: &mut Bench, register: &mut [u64; 2], step: Step) {
    match step {
        Step::Plug(connector) => bench.give(Input::Plug(connector)),
        Step::Unplug(connector) => bench.give(Input::Unplug(connector)),
        Step::Swipe(connector, tag) => bench.swipe(connector, TAGS[tag]),
        Step::Energy(connector, wh) => {
            let index = connector as usize - 1;
            register[index] += wh;
            bench.meter(connector, register[index]);
        }
        Step::Fault(connector, on) => {
            let code = if on {
                ErrorCode::GroundFailure
            } else {
                ErrorCode::NoError
            };
            bench.give(Input::Fault(connector, code));
        }
        Step::Network(up) => {
            bench.network = up;
            if !up {
                bench.break_link();
            }
        }
        Step::Server(mode) => bench.restore(mode),
        Step::PowerCut => bench.power_cut(),
        Step::Time(ms) => bench.advance(ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn every_start_arrives_once_with_one_stop(steps in prop::collection::vec(step(), 1..80)) {
        let mut bench = Bench::new();
        let mut register = [0, 0];
        for step in steps {
            // Nobody plugs and swipes twice within a millisecond: starts differ in their natural key.
            bench.advance(250);
            apply(&mut bench, &mut register, step);
        }
        bench.restore(Mode::Answers);
        bench.advance(seconds(600));
        for connector in [1, 2] {
            bench.give(Input::Unplug(connector));
        }
        bench.advance(seconds(600));

        // A server that was silent did nothing with what it got: only answered messages count, and an
        // unanswered one came again. What was answered is what an event tells of.
        let begun = bench.events.iter().filter(|e| matches!(e, Event::Started { .. })).count();
        let acknowledged = bench.events.iter().filter(|e| matches!(e, Event::StartAcknowledged { .. })).count();
        prop_assert_eq!(begun, acknowledged);
        let mut keys = BTreeMap::new();
        for start in bench.of("StartTransaction") {
            *keys.entry(start.payload.to_string()).or_insert(0) += 1;
        }
        prop_assert_eq!(keys.len(), begun, "by natural key");
        let mut stops: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for stop in bench.of("StopTransaction") {
            let id = stop.payload["transactionId"].as_i64().expect("a number");
            let text = stop.payload.to_string();
            let texts = stops.entry(id).or_default();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        prop_assert_eq!(stops.len(), begun);
        prop_assert!(stops.values().all(|texts| texts.len() == 1), "a stop never changes: {:?}", stops);
        prop_assert!(!stops.contains_key(&-1));
        for (position, meter) in bench.received.iter().enumerate().filter(|(_, r)| r.action == "MeterValues") {
            let id = &meter.payload["transactionId"];
            let stopped = bench.received[..position].iter().any(|r| r.action == "StopTransaction" && &r.payload["transactionId"] == id);
            prop_assert!(id.is_null() || !stopped, "meter values after the stop");
        }
    }
}

#[test]
fn a_month_offline_keeps_memory_bounded_and_every_transaction() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    bench.give(Input::Unplug(1));
    bench.network = false;
    bench.break_link();
    bench.received.clear();
    for day in 0..30u64 {
        bench.give(Input::Plug(1));
        bench.swipe(1, "A1");
        for hour in 0..4 {
            bench.meter(1, day * 10_000 + hour * 2_000);
            bench.advance(seconds(3_600));
        }
        bench.give(Input::Unplug(1));
        bench.advance(seconds(20 * 3_600));
    }
    bench.network = true;
    bench.advance(seconds(3_600));
    assert_eq!(bench.of("StartTransaction").len(), 30);
    assert_eq!(bench.of("StopTransaction").len(), 30);
    let samples = bench.of("MeterValues").len();
    assert!((30..=512).contains(&samples), "{samples}");
}
