//! The embedded Postgres, run for real with the machine's server programs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use service::postgres::{Cluster, ClusterOptions, Error, attach};

/// A folder that is gone when the test is over. Below /tmp, which every user can reach.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("forecourt-test-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn ask(url: &str, question: &str) -> String {
    let output = Command::new("psql")
        .args(["-XAtc", question, url])
        .output()
        .expect("psql: apt-get install postgresql");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited 30 s for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A zombie that nobody has fetched yet is not alive.
fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        !after_name.trim_start().starts_with(['Z', 'X'])
    })
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

#[tokio::test]
async fn a_durable_cluster_starts_answers_and_keeps_its_rows() {
    let folder = Folder::new("durable");
    let options = ClusterOptions::new(&folder.0).set("shared_buffers", "32MB");
    let cluster = Cluster::start(&options).await.unwrap();
    let url = cluster.url("postgres", None);
    assert_eq!(ask(&url, "show fsync"), "on");
    assert_eq!(ask(&url, "show data_checksums"), "on");
    assert_eq!(ask(&url, "show listen_addresses"), "");
    assert_eq!(ask(&url, "show shared_buffers"), "32MB");
    assert_eq!(attach(&folder.0).unwrap(), *cluster.address());
    ask(&url, "create table kept as select 42 as answer");

    let second = Cluster::start(&options).await.unwrap_err();
    assert!(matches!(second, Error::InUse { .. }), "{second}");
    assert!(
        second
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{second}"
    );

    let pid = cluster.pid().unwrap();
    cluster.stop().await;
    assert!(!alive(pid));
    assert!(matches!(attach(&folder.0), Err(Error::NotRunning(_))));

    let again = Cluster::start(&options).await.unwrap();
    assert_eq!(
        ask(&again.url("postgres", None), "select answer from kept"),
        "42"
    );
    again.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_comes_back() {
    let folder = Folder::new("killed");
    let cluster = Cluster::start(&ClusterOptions::throwaway(&folder.0))
        .await
        .unwrap();
    let first = cluster.pid().unwrap();
    signal(first, Signal::SIGKILL);
    until("a new server", || {
        cluster.pid().is_some_and(|pid| pid != first)
    })
    .await;
    assert_eq!(ask(&cluster.url("postgres", None), "select 1"), "1");
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_whose_launcher_was_killed_is_adopted_and_stopped() {
    let folder = Folder::new("orphan");
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_with-postgres"))
        .arg("--data")
        .arg(&folder.0)
        .args(["--", "sh", "-c", "echo $DATABASE_URL && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(launcher.stdout.take().unwrap()),
        &mut url,
    )
    .unwrap();
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    assert_eq!(ask(url.trim(), "show fsync"), "on");
    let orphan = server_of(&folder.0);

    let cluster = Cluster::start(&ClusterOptions::new(&folder.0))
        .await
        .unwrap();
    assert_eq!(cluster.pid(), Some(orphan));
    assert_eq!(ask(&cluster.url("postgres", None), "select 1"), "1");
    cluster.stop().await;
    until("the end of the adopted server", || !alive(orphan)).await;
}

#[tokio::test]
async fn a_stale_process_id_does_not_stand_in_the_way() {
    let folder = Folder::new("stale");
    let options = ClusterOptions::throwaway(&folder.0);
    let cluster = Cluster::start(&options).await.unwrap();
    let card = cluster.base().join("pgdata/postmaster.pid");
    let old = std::fs::read_to_string(&card).unwrap();
    cluster.stop().await;
    // The number now belongs to a process that is alive and no Postgres: this one.
    let (_, rest) = old.split_once('\n').unwrap();
    std::fs::write(&card, format!("{}\n{rest}", std::process::id())).unwrap();
    assert!(matches!(attach(&folder.0), Err(Error::NotRunning(_))));

    let cluster = Cluster::start(&options).await.unwrap();
    assert_eq!(ask(&cluster.url("postgres", None), "select 1"), "1");
    cluster.stop().await;
}

#[tokio::test]
async fn a_setting_that_postgres_refuses_is_shown() {
    let folder = Folder::new("refused");
    let options = ClusterOptions::throwaway(&folder.0).set("shared_buffers", "plenty");
    let error = Cluster::start(&options).await.unwrap_err().to_string();
    assert!(error.contains("plenty"), "{error}");
}

#[tokio::test]
async fn attaching_makes_nothing() {
    let folder = Folder::new("nothing");
    let missing = folder.0.join("data");
    let error = attach(&missing).unwrap_err().to_string();
    assert!(
        error.contains("forecourt up") && error.contains("FORECOURT_DATA"),
        "{error}"
    );
    assert!(!missing.exists());
}

fn server_of(data: &Path) -> u32 {
    let card = std::fs::read_to_string(data.join("postgres/pgdata/postmaster.pid")).unwrap();
    card.lines().next().unwrap().parse().unwrap()
}
