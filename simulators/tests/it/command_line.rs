//! The `evsim` binary: exit codes and what it says.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Output},
};

use crate::server::Server;

fn evsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evsim"))
        .args(arguments)
        .output()
        .expect("evsim runs")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_run_charges_traces_and_ends_with_0() {
    let server = Server::start();
    let trace = std::env::temp_dir().join(format!("forecourt-trace-{}.jsonl", std::process::id()));
    let path = trace.to_str().expect("a plain path");
    let output = evsim(&[
        "run",
        "--url",
        &server.url(),
        "--id",
        "CP001",
        "--sessions",
        "2",
        "--speed",
        "max",
        "--vehicle",
        "leaf",
        "--sample-interval",
        "10m",
        "--trace",
        path,
        "--log",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.record.of("StopTransaction").len(), 2);
    let lines = std::fs::read_to_string(&trace).expect("a trace");
    std::fs::remove_file(&trace).expect("removed");
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for field in [
            "schemaVersion",
            "timestamp",
            "direction",
            "messageType",
            "messageId",
            "action",
            "payload",
            "raw",
        ] {
            assert!(line.get(field).is_some(), "{field} in {line}");
        }
    }
    assert!(
        said(&output)
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
}

#[test]
fn refusals_are_explained_with_2_and_wrong_arguments_with_3() {
    // One that answers every handshake with 401 and a reason.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/ocpp", listener.local_addr().expect("bound"));
    let refuser = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 2048];
        let read = stream.read(&mut request).expect("a request");
        assert!(read > 0);
        stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 14\r\n\r\nwrong password")
            .expect("answered");
    });
    let output = evsim(&["run", "--url", &url, "--id", "CP001", "--password", "x"]);
    refuser.join().expect("no panic");
    assert_eq!(output.status.code(), Some(2));
    let words = said(&output);
    assert!(
        words.contains("401") && words.contains("--password") && words.contains("wrong password"),
        "{words}"
    );
    for (arguments, word) in [
        (vec!["run"], "--id"),
        (vec!["run", "--id", "A", "--speed", "fast"], "max"),
        (vec!["run", "--id", "A", "--vehicle", "trabant"], "leaf"),
        (vec!["run", "--id", "A", "--connectors", "0"], "1..=16"),
        (
            vec!["swarm", "--count", "5", "--workload", "dance"],
            "heartbeat",
        ),
        (
            vec![
                "swarm",
                "--count",
                "5",
                "--workload",
                "idle",
                "--ramp",
                "none",
            ],
            "500/s",
        ),
    ] {
        let output = evsim(&arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(
            said(&output).contains(word),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    let output = evsim(&["run", "--id", "A", "--url", "wss://127.0.0.1/ocpp"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--ca"));
}

#[test]
fn help_teaches_by_example() {
    let output = evsim(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001"));
}

#[test]
fn scenarios_are_checked_and_played_with_the_exit_codes_that_scripts_expect() {
    let folder = std::env::temp_dir().join(format!("forecourt-cases-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a plain path").to_owned()
    };
    let good = file(
        "good.toml",
        "schema = 1\nname = \"Good\"\nsteps = [{ connect = {} }, { boot = \"Accepted\" }]\n",
    );
    let bad = file(
        "bad.toml",
        "schema = 1\nname = \"Bad\"\nsteps = [\n  { boots = \"Accepted\" },\n]\n",
    );
    let output = evsim(&["check", &good]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = evsim(&["check", &good, &bad]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("bad.toml:4: "), "{}", said(&output));
    let output = evsim(&["test", &bad, "--key", "x"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));

    // Nobody listens there: it could not be tried.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let api = format!("http://{}", free.local_addr().expect("bound"));
    drop(free);
    let junit = folder.join("out.xml");
    let junit = junit.to_str().expect("a plain path");
    let output = evsim(&["test", &good, "--api", &api, "--key", "x", "--junit", junit]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let report = std::fs::read_to_string(junit).expect("a report");
    assert!(
        report.contains("errors=\"1\"") && report.contains("good.toml"),
        "{report}"
    );
    let schema = evsim(&["schema"]);
    assert!(said(&schema).contains("\"expect_call\""));
    std::fs::remove_dir_all(&folder).expect("removed");
}
