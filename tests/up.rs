//! The binary as an operator meets it: it starts, survives its own murder, ends in order, and says what is wrong.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const FREE: &str = "127.0.0.1:0";

/// A data folder below /tmp, which every user can reach. Gone when the test is over.
struct Installation(PathBuf);

impl Installation {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("forecourt-up-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The binary with nothing of this machine's settings in it.
    fn forecourt(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
        for name in [
            "DATABASE_URL",
            "SMTP_URL",
            "PUBLIC_URL",
            "OCPP_PUBLIC_URL",
            "FORECOURT_DEMO",
            "LOG",
        ] {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("FORECOURT_DATA", self.0.join("data"))
            .env("OCPP_LISTEN", FREE)
            .env("PORTAL_LISTEN", FREE)
            .env("HEALTH_LISTEN", FREE);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.forecourt(arguments).output().unwrap()
    }

    /// Starts it and waits until it is ready.
    fn up(&self, arguments: &[&str]) -> Up {
        let mut child = self
            .forecourt(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut portal, mut health) = (String::new(), None);
        for line in told.by_ref() {
            let line = line.unwrap();
            let Some((what, url)) = line.split_once(":  ") else {
                continue;
            };
            let address = url
                .trim()
                .trim_start_matches("http://")
                .split('/')
                .next()
                .unwrap()
                .to_owned();
            match what {
                "Portal" => portal = address,
                "Health" => health = Some(address),
                _ => continue,
            }
            if health.is_some() {
                break;
            }
        }
        let health = health.expect("it ended before it was up");
        let up = Up {
            child,
            portal,
            health,
        };
        until("readiness", || {
            up.get("/readyz").starts_with("HTTP/1.1 200")
        });
        up
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Up {
    child: Child,
    /// Empty where there is none.
    portal: String,
    health: String,
}

impl Up {
    fn get(&self, path: &str) -> String {
        get(&self.health, path, "")
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Asks it to end; how long that took.
    fn end(mut self) -> Duration {
        let begun = Instant::now();
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
        begun.elapsed()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.child.kill());
        }
    }
}

/// A whole HTTP answer, as text.
fn get(address: &str, path: &str, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited a minute for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    assert!(
        !output.status.success(),
        "it should have failed: {}",
        said(output)
    );
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn it_starts_serves_survives_a_kill_and_ends_in_order() {
    let here = Installation::new("life");
    let mut up = here.up(&[]);
    assert!(up.get("/healthz").ends_with("ok\n"));
    assert!(up.get("/readyz").contains("forecourt_csms: ok"));
    assert!(up.get("/metrics").starts_with("HTTP/1.1 200"));
    assert!(said(&here.run(&["site", "add", "North", "--tz", "Europe/Berlin"])).contains("North"));
    let added = here.run(&[
        "station",
        "add",
        "CP 1",
        "--site",
        "north",
        "--password",
        "secret",
    ]);
    assert!(
        said(&added).contains("/ocpp/CP 1"),
        "{}",
        complained(&added)
    );

    up.signal(Signal::SIGKILL);
    up.child.wait().unwrap();

    let up = here.up(&["up"]);
    let again = complained(&here.run(&["station", "add", "cp 1"]));
    assert!(again.contains("already"), "{again}");
    let second = complained(&here.run(&["up"]));
    assert!(second.contains("in use by another forecourt"), "{second}");
    let took = up.end();
    assert!(took < Duration::from_secs(10), "{took:?}");

    let after = complained(&here.run(&["station", "add", "CP2"]));
    assert!(
        after.contains("no Forecourt is running") && after.contains("forecourt up"),
        "{after}"
    );
}

#[test]
fn rooms_run_alone_beside_each_other() {
    let here = Installation::new("rooms");
    let whole = here.up(&["up"]);
    for room in ["csms", "portal", "billing"] {
        let alone = here.up(&[room]);
        let ready = alone.get("/readyz");
        assert!(ready.contains(&format!("forecourt_{room}: ok")), "{ready}");
        assert_eq!(ready.matches("forecourt_").count(), 1, "{ready}");
        alone.end();
    }
    assert!(here.run(&["migrate"]).status.success());
    whole.end();
}

#[test]
fn a_demo_is_made_up_once_and_charges_each_time() {
    let here = Installation::new("demo");
    let charges = |up: &Up| {
        let key = here.run(&["api-key", "create", "--name", "test", "--scopes", "read"]);
        let key = said(&key).trim_end().to_owned();
        assert!(key.starts_with("fc_") && !key.contains('\n'), "{key}");
        until("a charge", || {
            get(&up.portal, "/api/v1/sessions?limit=1", &key).contains("\"state\":\"active\"")
        });
    };
    let first = here.up(&["demo"]);
    charges(&first);
    first.end();
    let second = here.up(&["demo"]);
    charges(&second);
    second.end();
}

#[test]
fn a_port_in_use_is_named_with_its_setting_before_anything_is_made() {
    let here = Installation::new("port");
    let taken = TcpListener::bind(FREE).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = here.forecourt(&["up"]);
    let error = complained(&command.env("OCPP_LISTEN", &address).output().unwrap());
    assert!(
        error.contains(&address) && error.contains("OCPP_LISTEN") && error.contains("ss -ltnp"),
        "{error}"
    );
    assert!(!here.0.join("data").exists());
}

#[test]
fn wrong_input_is_named_and_changes_nothing() {
    let here = Installation::new("input");
    let up = here.up(&[]);
    for (arguments, expected) in [
        (&["station", "add", "a/b"][..], "without / \\ :"),
        (&["station", "add", ""], "expected 1 to 255 bytes"),
        (
            &["station", "add", "CP1", "--password", ""],
            "1 to 128 printable characters",
        ),
        (
            &["station", "add", "CP1", "--site", "nowhere"],
            "forecourt site add",
        ),
        (
            &["station", "add", "CP1", "--security-profile", "1"],
            "needs --password",
        ),
        (
            &["station", "add", "CP1", "--security-profile", "4"],
            "0..=3",
        ),
        (
            &["tag", "add", "123456789012345678901"],
            "1 to 20 characters",
        ),
        (
            &["tag", "add", "T", "--status", "maybe"],
            "accepted, blocked, expired, invalid",
        ),
        (&["site", "add", "X", "--tz", "Berlin"], "Europe/Berlin"),
        (
            &["user", "create", "--email", "ann", "--role", "admin"],
            "you@example.org",
        ),
        (
            &["user", "create", "--email", "a@b.org", "--role", "boss"],
            "admin, operator",
        ),
        (
            &[
                "user", "create", "--email", "a@b.org", "--role", "operator", "--site", "x",
            ],
            "no site",
        ),
        (
            &["api-key", "create", "--name", "", "--scopes", "read"],
            "1 to 200 characters",
        ),
        (
            &["api-key", "create", "--name", "x", "--scopes", "write"],
            "read, control",
        ),
        (
            &["billing", "issue", "--month", "October"],
            "expected a month such as 2026-10",
        ),
        (
            &[
                "billing", "issue", "--month", "2026-10", "--entity", "Nobody",
            ],
            "name or id of a legal entity",
        ),
        (
            &[
                "billing",
                "export",
                "--entity",
                "Nobody",
                "--from",
                "2026-10-01",
                "--to",
                "2026-10-31",
            ],
            "name or id of a legal entity",
        ),
        (
            &[
                "billing",
                "price",
                "--from",
                "2026-11-02",
                "--to",
                "2026-11-01",
            ],
            "expected a time after --from",
        ),
        (
            &["billing", "sync", "--replay", "99"],
            "expected the number of a run",
        ),
    ] {
        let error = complained(&here.run(arguments));
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let books = said(&here.run(&["billing", "verify"]));
    assert!(books.contains("there are no books"), "{books}");
    // The person of the refused command above was not half made.
    assert!(
        here.run(&["user", "create", "--email", "a@b.org", "--role", "admin"])
            .status
            .success()
    );
    up.end();
}

#[test]
fn settings_that_cannot_be_used_and_databases_out_of_reach_are_told_without_passwords() {
    let here = Installation::new("settings");
    let mut command = here.forecourt(&["up"]);
    command
        .env("HEALTH_LISTEN", "nine")
        .env("UNKNOWN_STATIONS", "maybe");
    let error = complained(&command.output().unwrap());
    assert!(
        error.contains("HEALTH_LISTEN=nine") && error.contains("UNKNOWN_STATIONS=maybe"),
        "{error}"
    );

    let mut command = here.forecourt(&["tag", "add", "T"]);
    command.env(
        "DATABASE_URL",
        "postgres://me:hunter2@127.0.0.1:1/forecourt",
    );
    let error = complained(&command.output().unwrap());
    assert!(
        error.contains("DATABASE_URL") && !error.contains("hunter2"),
        "{error}"
    );

    let mut command = here.forecourt(&["up"]);
    command.env("FORECOURT_PG_BIN", &here.0);
    let error = complained(&command.output().unwrap());
    assert!(error.contains("FORECOURT_PG_BIN"), "{error}");
}

#[test]
fn help_teaches() {
    let here = Installation::new("help");
    let help = said(&here.run(&["--help"]));
    for word in [
        "station add",
        "user create",
        ".env.example",
        "http://127.0.0.1:8080",
    ] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
}
