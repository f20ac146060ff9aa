//! What a station does beside OCPP: fetches firmware, sends logs, keeps keys and certificates. Everything that waits
//! runs as a task of its own and comes back as a [`Finished`].

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use evse_core::{
    Utc, Work,
    ocpp::{firmware::LogKind, security::CertificateHash},
};
use service::http::{self, Patience};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
};

use super::keys::{self, KeyStore};
use crate::wire::Tls;

/// Lines that a log keeps.
const LOG_LINES: usize = 4_000;
/// The largest firmware, bytes.
const LARGEST: usize = 64 << 20;
/// How often a broken download goes on where it was, within one attempt.
const RESUMES: usize = 3;
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(120),
};

/// What came of work.
#[derive(Debug)]
pub(super) enum Outcome {
    Yes,
    No,
    Failed,
    Text(String),
    Certificates(Vec<CertificateHash>),
}

impl Outcome {
    fn of(good: bool) -> Self {
        if good { Self::Yes } else { Self::No }
    }
}

/// A result, and why if it is a bad one.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) number: u32,
    pub(super) outcome: Outcome,
    pub(super) problem: Option<String>,
}

#[derive(Debug, Default)]
struct Fetched {
    location: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Host {
    keys: KeyStore,
    fetched: Arc<Mutex<Fetched>>,
    logs: HashMap<LogKind, VecDeque<(Utc, String)>>,
    running: HashMap<u32, AbortHandle>,
    results: UnboundedSender<Finished>,
    finished: UnboundedReceiver<Finished>,
}

impl Drop for Host {
    fn drop(&mut self) {
        for task in self.running.values() {
            task.abort();
        }
    }
}

impl Host {
    /// One of a station of this serial number.
    pub(super) fn new(serial: &str) -> Self {
        let (results, finished) = unbounded_channel();
        Self {
            keys: KeyStore::new(serial),
            fetched: Arc::default(),
            logs: HashMap::new(),
            running: HashMap::new(),
            results,
            finished,
        }
    }

    /// Notes a line for diagnostics or the security log.
    pub(super) fn log(&mut self, log: LogKind, at: Utc, line: String) {
        let lines = self.logs.entry(log).or_default();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back((at, line));
    }

    /// The next piece of work that is done.
    pub(super) async fn finished(&mut self) -> Finished {
        match self.finished.recv().await {
            Some(finished) => {
                self.running.remove(&finished.number);
                finished
            }
            // Never: this value holds a sender.
            None => std::future::pending().await,
        }
    }

    /// Whether something is under way that virtual time must wait for.
    pub(super) fn busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// The work is not needed any more.
    pub(super) fn call_off(&mut self, number: u32) {
        if let Some(task) = self.running.remove(&number) {
            task.abort();
        }
    }

    /// A reboot: whatever runs is lost; what was fetched and stored is not.
    pub(super) fn reboot(&mut self) {
        for (_, task) in self.running.drain() {
            task.abort();
        }
        while self.finished.try_recv().is_ok() {}
    }

    /// Begins a piece of work. Files go by the TLS of the station's socket: whom it believes there, it believes here.
    pub(super) fn begin(&mut self, number: u32, work: Work, now: Utc, tls: Option<&Tls>) {
        let client = || match tls {
            Some(tls) => http::client_with(PATIENCE, tls.config()),
            None => http::client(PATIENCE),
        };
        match work {
            Work::Download { location } => {
                let (client, fetched) = (client(), self.fetched.clone());
                self.spawn(number, async move {
                    let client = client.map_err(|problem| problem.to_string())?;
                    download(&client, &location, &fetched)
                        .await
                        .map(|()| Outcome::Yes)
                });
            }
            Work::Upload {
                location,
                file_name,
                log,
                from,
                to,
            } => {
                let (client, mut text) = (client(), self.excerpt(log, from, to));
                if text.is_empty() {
                    // A server takes no empty file.
                    text.push_str("nothing was logged in this time\n");
                }
                self.spawn(number, async move {
                    let client = client.map_err(|problem| problem.to_string())?;
                    upload(&client, &location, &file_name, text)
                        .await
                        .map(|()| Outcome::Yes)
                });
            }
            work => {
                let result = self.at_once(work, now);
                self.report(number, result);
            }
        }
    }

    fn report(&self, number: u32, result: Result<Outcome, String>) {
        report(&self.results, number, result);
    }

    fn spawn(
        &mut self,
        number: u32,
        work: impl Future<Output = Result<Outcome, String>> + Send + 'static,
    ) {
        let results = self.results.clone();
        let task = tokio::spawn(async move { report(&results, number, work.await) });
        self.running.insert(number, task.abort_handle());
    }

    /// Work that needs no waiting.
    fn at_once(&mut self, work: Work, now: Utc) -> Result<Outcome, String> {
        match work {
            Work::VerifyFirmware {
                signature,
                certificate,
            } => keys::verify(&lock(&self.fetched).bytes, &signature, &certificate)
                .map(|()| Outcome::Yes),
            Work::InstallFirmware => installed(&lock(&self.fetched).bytes).map(Outcome::Text),
            Work::CheckSigner(certificate) => self
                .keys
                .check_signer(&certificate, now)
                .map(|()| Outcome::Yes),
            Work::InstallCertificate { kind, certificate } => {
                let room = self.keys.install(kind, &certificate, now)?;
                Ok(if room { Outcome::Yes } else { Outcome::Failed })
            }
            Work::ListCertificates(kind) => Ok(Outcome::Certificates(self.keys.list(kind))),
            Work::DeleteCertificate(hash) => Ok(Outcome::of(self.keys.delete(&hash))),
            Work::MakeRequest { organisation } => {
                self.keys.request(&organisation).map(Outcome::Text)
            }
            Work::StoreChain(chain) => self.keys.store_chain(&chain).map(|()| Outcome::Yes),
            Work::Download { .. } | Work::Upload { .. } => Ok(Outcome::Failed),
        }
    }

    fn excerpt(&self, log: LogKind, from: Option<Utc>, to: Option<Utc>) -> String {
        let lines = self.logs.get(&log).into_iter().flatten();
        let wanted = lines
            .filter(|(at, _)| from.is_none_or(|from| from <= *at) && to.is_none_or(|to| *at <= to));
        wanted.map(|(at, line)| format!("{at} {line}\n")).collect()
    }

    /// The certificate chain that the server has just signed, and its key, both PEM.
    pub(super) fn new_identity(&mut self) -> Option<(String, String)> {
        self.keys.new_identity()
    }
}

fn report(results: &UnboundedSender<Finished>, number: u32, result: Result<Outcome, String>) {
    let (outcome, problem) = match result {
        Ok(outcome) => (outcome, None),
        Err(problem) => (Outcome::No, Some(problem)),
    };
    // A station that was switched off needs no results.
    let _ = results.send(Finished {
        number,
        outcome,
        problem,
    });
}

fn lock(fetched: &Mutex<Fetched>) -> MutexGuard<'_, Fetched> {
    fetched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fetches a file; what is there of it already is asked for no more.
async fn download(
    client: &reqwest::Client,
    location: &str,
    fetched: &Mutex<Fetched>,
) -> Result<(), String> {
    {
        let mut fetched = lock(fetched);
        if fetched.location != location {
            *fetched = Fetched {
                location: location.to_owned(),
                bytes: Vec::new(),
            };
        }
    }
    let mut problem = String::new();
    for _ in 0..=RESUMES {
        match part(client, location, fetched).await {
            Ok(()) => return Ok(()),
            Err(Broken::ForGood(why)) => return Err(why),
            Err(Broken::Midway(why)) => problem = why,
        }
    }
    Err(problem)
}

/// Why a download did not come to its end.
enum Broken {
    /// Trying again is of no use.
    ForGood(String),
    /// What came so far is kept.
    Midway(String),
}

async fn part(
    client: &reqwest::Client,
    location: &str,
    fetched: &Mutex<Fetched>,
) -> Result<(), Broken> {
    let midway = |problem: reqwest::Error| Broken::Midway(problem.without_url().to_string());
    let have = lock(fetched).bytes.len();
    let mut request = client.get(location);
    if have > 0 {
        request = request.header("range", format!("bytes={have}-"));
    }
    let mut response = request.send().await.map_err(midway)?;
    match response.status().as_u16() {
        // The server does not do ranges: from the beginning.
        200 => lock(fetched).bytes.clear(),
        206 => {}
        // Nothing is left to fetch.
        416 if have > 0 => return Ok(()),
        status => {
            return Err(Broken::ForGood(format!(
                "the server answered HTTP {status}"
            )));
        }
    }
    while let Some(bytes) = response.chunk().await.map_err(midway)? {
        let mut fetched = lock(fetched);
        if fetched.bytes.len() + bytes.len() > LARGEST {
            return Err(Broken::ForGood("the file is too large".to_owned()));
        }
        fetched.bytes.extend_from_slice(&bytes);
    }
    Ok(())
}

/// Sends a log. A location that ends in a slash is a folder.
async fn upload(
    client: &reqwest::Client,
    location: &str,
    file_name: &str,
    text: String,
) -> Result<(), String> {
    let url = if location.ends_with('/') {
        format!("{location}{file_name}")
    } else {
        location.to_owned()
    };
    let request = client
        .put(url)
        .header("content-type", "text/plain; charset=utf-8")
        .body(text);
    let response = request
        .send()
        .await
        .map_err(|problem| problem.without_url().to_string())?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the server answered HTTP {}", status.as_u16())),
    }
}

/// The version that a file installs: what its first line says after `evsim-firmware/`, else the start of its hash.
/// A file that begins with `evsim-broken` cannot be installed.
fn installed(bytes: &[u8]) -> Result<String, String> {
    use sha2::Digest as _;
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    if bytes.is_empty() || first.starts_with("evsim-broken") {
        return Err("the file is no firmware for this station".to_owned());
    }
    Ok(match first.strip_prefix("evsim-firmware/") {
        Some(version) => version.trim().chars().take(50).collect(),
        None => hex::encode(&sha2::Sha256::digest(bytes)[..6]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A server that gives one answer to each connection, and tells what it was asked.
    async fn server(answers: Vec<String>) -> (String, UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/files/t", listener.local_addr().expect("bound"));
        let (tell, asked) = unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.expect("a client");
                let mut said = Vec::new();
                while !said.windows(4).any(|four| four == b"\r\n\r\n") {
                    let mut part = [0; 1024];
                    match socket.read(&mut part).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => said.extend_from_slice(&part[..count]),
                    }
                }
                // Whoever has seen enough does not listen any more.
                let _ = tell.send(String::from_utf8_lossy(&said).into_owned());
                socket
                    .write_all(answer.as_bytes())
                    .await
                    .expect("a listener");
            }
        });
        (url, asked)
    }

    async fn work(host: &mut Host, work: Work) -> Finished {
        host.begin(1, work, Utc(0), None);
        tokio::time::timeout(Duration::from_secs(20), host.finished())
            .await
            .expect("an end")
    }

    #[tokio::test]
    async fn a_download_that_breaks_goes_on_where_it_was() {
        let (url, mut asked) = server(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\nevsim-firmware/".to_owned(),
            "HTTP/1.1 206 Partial Content\r\ncontent-length: 10\r\ncontent-range: bytes 15-24/25\r\n\r\n2.1.0\nabcd".to_owned(),
        ])
        .await;
        let mut host = Host::new("S1");
        let done = work(&mut host, Work::Download { location: url }).await;
        assert!(matches!(done.outcome, Outcome::Yes), "{done:?}");
        assert!(!asked.recv().await.expect("asked").contains("range"));
        assert!(
            asked
                .recv()
                .await
                .expect("asked")
                .contains("range: bytes=15-")
        );
        let done = work(&mut host, Work::InstallFirmware).await;
        assert!(matches!(done.outcome, Outcome::Text(version) if version == "2.1.0"));
    }

    #[tokio::test]
    async fn a_refused_download_says_why() {
        let (url, _asked) = server(vec![
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ])
        .await;
        let done = work(&mut Host::new("S1"), Work::Download { location: url }).await;
        assert!(matches!(done.outcome, Outcome::No));
        assert_eq!(
            done.problem.as_deref(),
            Some("the server answered HTTP 404")
        );
    }

    #[tokio::test]
    async fn an_upload_carries_the_lines_of_its_time() {
        let (url, mut asked) = server(vec![
            "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ])
        .await;
        let mut host = Host::new("S1");
        for second in 0..3 {
            host.log(
                LogKind::Security,
                Utc(second * 1000),
                format!("event {second}"),
            );
        }
        let upload = Work::Upload {
            location: format!("{url}/"),
            file_name: "s.log".to_owned(),
            log: LogKind::Security,
            from: Some(Utc(1000)),
            to: Some(Utc(1000)),
        };
        let done = work(&mut host, upload).await;
        assert!(matches!(done.outcome, Outcome::Yes), "{done:?}");
        let said = asked.recv().await.expect("asked");
        assert!(said.starts_with("PUT /files/t/s.log "), "{said}");
        assert_eq!(
            host.excerpt(LogKind::Security, Some(Utc(1000)), None)
                .lines()
                .count(),
            2
        );
    }

    #[test]
    fn a_file_names_its_version() {
        assert_eq!(installed(b"evsim-firmware/3.0\nrest").as_deref(), Ok("3.0"));
        assert_eq!(installed(b"anything").map(|version| version.len()), Ok(12));
        assert!(installed(b"evsim-broken\n").is_err());
        assert!(installed(b"").is_err());
    }
}
