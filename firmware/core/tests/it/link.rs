//! Boot, heartbeat, the one outstanding CALL, time-outs and reconnects.

use evse_core::{Event, Input, Settings};
use serde_json::json;

use crate::bench::{Bench, Mode, seconds};

#[test]
fn until_accepted_nothing_but_boot_is_sent_and_the_interval_is_kept() {
    for status in ["Pending", "Rejected"] {
        let mut bench = Bench::new();
        bench.registration = (status, 120);
        bench.advance(10);
        bench.give(Input::Plug(1));
        bench.swipe(1, "A1");
        bench.advance(seconds(119));
        assert_eq!(bench.actions(), ["BootNotification"], "{status}");
        bench.registration = ("Accepted", 300);
        bench.advance(seconds(2));
        assert_eq!(
            bench.actions()[..2],
            ["BootNotification", "BootNotification"],
            "{status}"
        );
        assert!(bench.actions().contains(&"StatusNotification"), "{status}");
    }
}

#[test]
fn a_pending_station_sends_what_it_is_asked_for_and_refuses_to_start() {
    let mut bench = Bench::new();
    bench.registration = ("Pending", 600);
    bench.advance(10);
    let answer = bench.call(
        "TriggerMessage",
        json!({ "requestedMessage": "StatusNotification", "connectorId": 2 }),
    );
    assert_eq!(answer, json!({ "status": "Accepted" }));
    assert_eq!(bench.actions(), ["BootNotification", "StatusNotification"]);
    assert_eq!(bench.received[1].payload["connectorId"], 2);
    let answer = bench.call("RemoteStartTransaction", json!({ "idTag": "A1" }));
    assert_eq!(answer, json!({ "status": "Rejected" }));
}

#[test]
fn heartbeats_come_at_the_interval_of_the_boot() {
    let mut bench = Bench::booted();
    bench.advance(seconds(1_500));
    let times: Vec<u64> = bench.of("Heartbeat").iter().map(|r| r.at / 1_000).collect();
    assert_eq!(times, [300, 600, 900, 1_200, 1_500]);
}

#[test]
fn timestamps_follow_the_servers_clock() {
    let mut bench = Bench::booted();
    bench.advance(seconds(60));
    bench.give(Input::Plug(1));
    assert_eq!(
        bench.received[0].payload["timestamp"],
        "2025-11-20T13:49:20.010Z"
    );
}

#[test]
fn one_call_at_a_time_and_crossing_calls_are_answered() {
    let mut bench = Bench::booted();
    bench.mode = Mode::Silent;
    bench.give(Input::Plug(1));
    bench.give(Input::Plug(2));
    assert_eq!(bench.received.len(), 1, "the second waits");
    let answer = bench.call("ClearCache", json!({}));
    assert_eq!(
        answer,
        json!({ "status": "Accepted" }),
        "although a CALL of ours is open"
    );
}

#[test]
fn a_dead_link_is_given_up_and_the_backoff_grows_with_jitter() {
    let mut bench = Bench::booted();
    bench.network = false;
    bench.break_link();
    bench.connects.clear();
    bench.advance(seconds(3_600));
    let gaps: Vec<u64> = bench.connects.windows(2).map(|w| w[1] - w[0]).collect();
    let longest = Settings::default().reconnect_max_ms;
    assert!(
        gaps.len() > 20 && gaps.iter().all(|gap| *gap <= longest),
        "{gaps:?}"
    );
    assert!(gaps[gaps.len() - 1] >= longest / 2, "{gaps:?}");
    assert!(
        gaps[10..].windows(2).any(|w| w[0] != w[1]),
        "no jitter: {gaps:?}"
    );
    bench.network = true;
    bench.received.clear();
    bench.advance(seconds(120));
    assert!(
        !bench.actions().contains(&"BootNotification"),
        "a reconnect is no boot"
    );
}

#[test]
fn silence_ends_in_a_new_link() {
    let mut bench = Bench::charging();
    bench.mode = Mode::Silent;
    bench.connects.clear();
    bench.advance(seconds(600));
    assert!(!bench.connects.is_empty());
    assert!(bench.events.contains(&Event::Unanswered("MeterValues")));
}

#[test]
fn the_server_is_pinged_as_often_as_it_wants_and_given_up_when_it_stops_answering() {
    let mut bench = Bench::booted();
    bench.advance(seconds(1_000));
    assert_eq!(bench.pings, [0; 0], "nobody asked for it");
    let change = |value: &str| json!({ "key": "WebSocketPingInterval", "value": value });
    for (value, status) in [
        ("-1", "Rejected"),
        ("often", "Rejected"),
        ("54", "Accepted"),
    ] {
        let answer = bench.call("ChangeConfiguration", change(value));
        assert_eq!(answer, json!({ "status": status }), "{value}");
    }
    let begun = bench.now;
    bench.advance(seconds(200));
    let times = |bench: &Bench| -> Vec<u64> {
        let since = bench.pings.iter().map(|at| (at - begun) / 1_000);
        since.collect()
    };
    assert_eq!(times(&bench), [54, 108, 162]);
    // A shorter interval does not wait for the longer one.
    bench.call("ChangeConfiguration", change("10"));
    bench.advance(seconds(10));
    assert_eq!(times(&bench)[3..], [210]);

    // It falls silent, and the socket stays open: at the second ping that is known.
    bench.mode = Mode::Silent;
    bench.connects.clear();
    bench.advance(seconds(19));
    assert_eq!((times(&bench).len(), &bench.connects[..]), (5, &[][..]));
    bench.mode = Mode::Answers;
    bench.advance(seconds(5));
    assert_eq!(bench.connects.len(), 1);

    // 0 ends it, and a ping that was not answered then is nobody's death.
    bench.mode = Mode::Silent;
    bench.advance(seconds(10));
    bench.call("ChangeConfiguration", change("0"));
    let count = bench.pings.len();
    bench.mode = Mode::Answers;
    bench.advance(seconds(100));
    assert_eq!((bench.pings.len(), bench.connects.len()), (count, 1));
}

#[test]
fn nonsense_changes_nothing() {
    let mut bench = Bench::charging();
    for text in [
        "",
        "[]",
        "[3,\"nobody\",{}]",
        "[9,\"x\",{}]",
        "{\"a\":1}",
        "[3,\"\",null]",
    ] {
        bench.give(Input::Text(text));
    }
    bench.advance(seconds(61));
    assert_eq!(bench.actions(), ["MeterValues"]);
    assert_eq!(
        bench
            .events
            .iter()
            .filter(|e| matches!(e, Event::Unexpected(_)))
            .count(),
        6
    );
}
