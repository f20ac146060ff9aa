//! The tools of the `evsim` binary: driven by a pipe and by HTTP, reading traces and saying them again.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::server::Server;

fn evsim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evsim"));
    command.args(arguments);
    command
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs `evsim repl` with these lines on its standard input.
fn repl(url: &str, lines: &str) -> Output {
    let mut child = evsim(&["repl", "--url", url, "--id", "CP001"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("evsim runs");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_pipe_drives_a_station_from_plug_to_stop() {
    let server = Server::start();
    let lines = "plug 1 leaf 40\nswipe 1 04A2B91C\nwait start\nwait status 1 Charging\nstatus\nsend [2,\"mine\",\"Heartbeat\",{}]\nunplug 1\nwait stop\n";
    let output = repl(&server.url(), lines);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.record.of("StopTransaction").len(), 1);
    let status: Value = said(&output)
        .lines()
        .find_map(|line| serde_json::from_str(line).ok().filter(Value::is_object))
        .expect("a status");
    assert_eq!(status["connected"], true);
    assert_eq!(status["transactions"][0]["connector"], 1);
    assert!(status["transactions"][0]["transactionId"].is_number());
}

#[test]
fn a_wrong_line_and_a_vain_wait_end_with_1_and_the_rest_is_done() {
    let server = Server::start();
    let output = repl(
        &server.url(),
        "dance\nwait start 50ms\nplug 1\nwait status 1 Preparing\n",
    );
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("expected one of plug"), "{text}");
    assert!(text.contains("did not come within 50ms"), "{text}");
    let done = text.lines().filter(|line| *line == "ok").count();
    assert_eq!(done, 2, "{text}");
}

struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(url: &str) -> Self {
        let mut child = evsim(&[
            "serve",
            "--url",
            url,
            "--id",
            "CP001",
            "--listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("evsim runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where");
        let address = line
            .trim()
            .trim_start_matches("serve: http://")
            .trim_end_matches("/v1/status")
            .parse()
            .expect("an address");
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("it listens");
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a limit");
        socket
    }

    /// Status and body of a request with this Host.
    fn ask_as(&self, host: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut socket = self.connect();
        let length = body.len();
        write!(socket, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        let status = answer
            .get(9..12)
            .and_then(|text| text.parse().ok())
            .expect("a status");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).expect("JSON"))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_as(&self.address.to_string(), method, path, body)
    }

    /// Asks until the station is let in.
    fn booted(self) -> Self {
        let let_in = |_| self.ask("GET", "/v1/status", "").1["boot"] == "Accepted";
        assert!((0..10_000).any(let_in), "it is not let in");
        self
    }

    fn do_it(&self, verb: &str, body: &Value) {
        let (status, answer) = self.ask("POST", &format!("/v1/{verb}"), &body.to_string());
        assert_eq!((status, answer), (202, json!({ "ok": true })), "{verb}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it can be ended");
        self.child.wait().expect("it ends");
    }
}

fn wait_for(events: &mut impl Iterator<Item = String>, words: &[&str]) {
    let holds = |line: &String| words.iter().all(|word| line.contains(word));
    let seen = events.find(|line| line.starts_with("data: ") && holds(line));
    assert!(seen.is_some(), "no {words:?}");
}

#[test]
fn http_drives_a_station_and_its_events_stream() {
    let server = Server::start();
    let served = Served::start(&server.url()).booted();
    let mut stream = served.connect();
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        served.address
    )
    .expect("it reads");
    let mut events = BufReader::new(stream)
        .lines()
        .map(|line| line.expect("a line"));
    events
        .find(|line| line.contains(": listening"))
        .expect("it listens");
    served.do_it(
        "plug",
        &json!({ "connector": 1, "vehicle": "leaf", "soc": 40 }),
    );
    served.do_it("swipe", &json!({ "connector": 1, "idTag": "04A2B91C" }));
    wait_for(
        &mut events,
        &["csms-to-cp", "\"action\":\"StartTransaction\""],
    );
    let (_, shown) = served.ask("GET", "/v1/status", "");
    assert_eq!(shown["transactions"][0]["connector"], 1, "{shown}");
    served.do_it("unplug", &json!({ "connector": 1 }));
    wait_for(&mut events, &["StopTransaction"]);
}

#[test]
fn strangers_and_nonsense_are_refused() {
    let server = Server::start();
    let served = Served::start(&server.url());
    let (status, answer) = served.ask_as("evil.example", "GET", "/v1/status", "");
    assert_eq!(status, 403, "{answer}");
    let (status, answer) = served.ask("POST", "/v1/plug", r#"{"connector":"x"}"#);
    assert_eq!(status, 422);
    assert!(
        answer["detail"]
            .as_str()
            .is_some_and(|text| text.contains("connector")),
        "{answer}"
    );
    assert_eq!(served.ask("POST", "/v1/dance", "{}").0, 404);
    assert_eq!(served.ask("POST", "/v1/plug", "{").0, 400);
    assert_eq!(
        served.ask("GET", "/v1/healthz", "").1,
        json!({ "ok": true })
    );
    let output = evsim(&["serve", "--id", "CP001", "--listen", "0.0.0.0:0"])
        .output()
        .expect("evsim runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("127.0.0.1:9700"));
}

#[test]
fn a_trace_is_analyzed_and_said_again() {
    let server = Server::start();
    let trace = std::env::temp_dir().join(format!("forecourt-replay-{}.jsonl", std::process::id()));
    let path = trace.to_str().expect("a plain path");
    let url = server.url();
    let run = [
        "run",
        "--url",
        &url,
        "--id",
        "CP001",
        "--sessions",
        "1",
        "--speed",
        "max",
        "--vehicle",
        "leaf",
        "--sample-interval",
        "10m",
        "--trace",
        path,
    ];
    let output = evsim(&run).output().expect("evsim runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    let output = evsim(&["analyze", path]).output().expect("evsim runs");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("| station | StartTransaction | 1 | 1 | 0 | 0 |"),
        "{text}"
    );
    let output = evsim(&[
        "analyze",
        path,
        "--format",
        "html",
        "--split-by",
        "connector",
    ])
    .output()
    .expect("evsim runs");
    assert!(
        said(&output).contains("<h2>Connector 1</h2>"),
        "{}",
        said(&output)
    );

    let before = server.record.all().len();
    let output = evsim(&["replay", path, "--url", &url, "--id", "CP002"])
        .output()
        .expect("evsim runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains(" 0 answered otherwise"),
        "{}",
        said(&output)
    );
    let again: Vec<_> = server.record.all().split_off(before);
    assert!(again.iter().all(|seen| seen.station == "CP002"));
    assert!(again.iter().any(|seen| seen.action == "StopTransaction"));
    std::fs::remove_file(&trace).expect("removed");
    let output = evsim(&["analyze", path]).output().expect("evsim runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}
