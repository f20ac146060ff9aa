//! Files over real HTTP on the chargers' port: logs in, firmware out, and what an attacker tries (T13).

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use csms::Options;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::files::{self, CHUNK, File, Whole};
use store::station_jobs::{self, Kind};
use store::{Room, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::jobs::{Wanted, make};
use crate::support::{Server, eventually, noon};

/// An answer as it came.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn has(&self, line: &str) -> bool {
        self.head
            .lines()
            .any(|header| header.eq_ignore_ascii_case(line))
    }
}

/// Sends `request` to the letter, and reads until the server closes.
async fn http(address: SocketAddr, request: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // A server that has seen enough may close before all of it is written.
    drop(socket.write_all(request).await);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer));
    drop(read.await.expect("an answer in time"));
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: answer[end + 4..].to_vec(),
    }
}

fn put(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn get(method: &str, path: &str, more: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n").into_bytes()
}

/// A job of `CP1` with a token.
async fn job(
    server: &Server,
    kind: Kind,
    action: &str,
    file_id: Option<Uuid>,
    lasts: TimeDelta,
) -> (Uuid, String) {
    let token = files::new_token();
    let wanted = Wanted {
        kind,
        action,
        payload: json!({}),
        file_id,
        token: Some((&token, lasts)),
    };
    let (job, _) = make(server, wanted).await;
    (job, token)
}

async fn log_job(server: &Server) -> (Uuid, String) {
    job(
        server,
        Kind::Log,
        "GetDiagnostics",
        None,
        TimeDelta::hours(1),
    )
    .await
}

/// The log that a job got, with its bytes.
async fn log_of(server: &Server, job: Uuid) -> Option<(File, Vec<u8>)> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let id = station_jobs::get(&mut db, job)
        .await
        .unwrap()
        .unwrap()
        .file_id?;
    let file = files::log(&mut db, "cp1", id).await.unwrap().unwrap();
    let mut bytes = Vec::new();
    for n in 0.. {
        match files::chunk(&mut db, id, n).await.unwrap() {
            Some(piece) => bytes.extend(piece),
            None => break,
        }
    }
    Some((file, bytes))
}

/// More than two pieces, and no two alike.
fn content() -> Vec<u8> {
    (0..u32::try_from(CHUNK * 2 / 4 + 1000).unwrap())
        .flat_map(u32::to_le_bytes)
        .collect()
}

#[tokio::test]
async fn a_log_is_taken_once_and_whole_whatever_name_it_is_given() {
    let server = Server::start().await;
    let (job, token) = log_job(&server).await;
    let body = content();
    let path = format!("/files/{token}/..%2f..%2fetc%2fpasswd");
    let answer = http(server.address, &put(&path, &body)).await;
    assert_eq!(answer.status, 201, "{}", answer.head);
    let (file, bytes) = log_of(&server, job).await.unwrap();
    assert!(bytes == body, "to the letter");
    assert_eq!(file.sha256, hex::encode(Sha256::digest(&body)));
    assert!(file.name.starts_with("diagnostics-") && !file.name.contains(['/', '%']));
    // The token is used up, for sending and for looking.
    assert_eq!(
        http(server.address, &put(&path, b"again")).await.status,
        404
    );
    let look = get("GET", &format!("/files/{token}"), "");
    assert_eq!(http(server.address, &look).await.status, 404);
    assert_eq!(log_of(&server, job).await.unwrap().1.len(), body.len());
    // Only its hash was kept.
    assert!(server.db.tables_with(&token).await.is_empty());
}

#[tokio::test]
async fn an_upload_that_is_not_as_it_should_be_leaves_nothing() {
    let server = Server::with(Options {
        largest_upload: 1000,
        file_patience: Duration::from_millis(300),
        ..Options::default()
    })
    .await;
    let (job, token) = log_job(&server).await;
    let path = format!("/files/{token}");
    let large = http(server.address, &put(&path, &[7; 1001])).await;
    assert_eq!(large.status, 413);
    // Who does not say how much it is, is stopped all the same.
    let mut chunked =
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..20 {
        chunked += &format!("64\r\n{}\r\n", "x".repeat(100));
    }
    chunked += "0\r\n\r\n";
    let large = http(server.address, chunked.as_bytes()).await;
    assert_eq!(large.status, 413);
    // Half of it, and then nothing more.
    let slow = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(http(server.address, slow.as_bytes()).await.status, 408);
    let part = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\n\r\nhalf"
    );
    assert_eq!(http(server.address, part.as_bytes()).await.status, 400);
    for method in ["POST", "DELETE", "PATCH", "OPTIONS"] {
        let answer = http(server.address, &get(method, &path, "Content-Length: 0\r\n")).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.has("allow: GET, HEAD, PUT"));
    }
    assert!(log_of(&server, job).await.is_none());
    eventually("the rest cleared away", async || {
        server.db.is_empty("file_chunks").await.then_some(())
    })
    .await;
    // The token is good until a whole file came.
    assert_eq!(
        http(server.address, &put(&path, b"whole")).await.status,
        201
    );
    assert_eq!(log_of(&server, job).await.unwrap().1, b"whole");
}

#[tokio::test]
async fn an_empty_log_is_refused_and_its_token_waits_for_one() {
    let server = Server::start().await;
    let (job, token) = log_job(&server).await;
    let path = format!("/files/{token}");
    let chunked =
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    for request in [put(&path, b""), chunked.into_bytes(), get("PUT", &path, "")] {
        let answer = http(server.address, &request).await;
        assert_eq!(answer.status, 400, "{}", answer.head);
        assert_eq!(answer.body, b"The file is empty.\n");
    }
    assert!(log_of(&server, job).await.is_none());
    let full = http(server.address, &put(&path, b"a line")).await;
    assert_eq!(full.status, 201, "{}", full.head);
    assert_eq!(log_of(&server, job).await.unwrap().1, b"a line");
}

#[tokio::test]
async fn a_log_that_comes_after_its_station_gave_up_is_refused() {
    let server = Server::start().await;
    let (job, token) = log_job(&server).await;
    let path = format!("/files/{token}");
    let mut station = server.station().await;
    let call = station.receive().await;
    let answer = json!([3, call[1], { "fileName": "a.log" }]);
    station.send(&answer.to_string()).await;
    let pool = server.db.pool(Room::Portal);
    let state = async || {
        let mut db = Scope::All.begin(&pool).await.unwrap();
        station_jobs::get(&mut db, job)
            .await
            .unwrap()
            .unwrap()
            .state
    };
    eventually("the answer", async || {
        (state().await == "Accepted").then_some(())
    })
    .await;
    for (status, taken) in [("UploadFailed", 404), ("Uploading", 201)] {
        let about = json!({ "status": status });
        station.call("DiagnosticsStatusNotification", about).await;
        assert_eq!(state().await, status);
        let answer = http(server.address, &put(&path, b"late")).await;
        assert_eq!(answer.status, taken, "{status}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_token_opens_only_what_it_is_for_and_only_in_time() {
    let server = Server::start().await;
    let past = TimeDelta::hours(-1);
    let (_, late) = job(&server, Kind::Log, "GetLog", None, past).await;
    let (_, fetch) = job(&server, Kind::Firmware, "UpdateFirmware", None, -past).await;
    let wrong = files::new_token();
    let mut paths = vec![
        "/files/".to_owned(),
        "/files/x".to_owned(),
        "/files/../ocpp/CP1".to_owned(),
    ];
    paths.extend([&late, &fetch, &wrong].map(|token| format!("/files/{token}")));
    for path in paths {
        let answer = http(server.address, &put(&path, b"x")).await;
        assert_eq!(answer.status, 404, "PUT {path}");
        let answer = http(server.address, &get("GET", &path, "")).await;
        assert_eq!(answer.status, 404, "GET {path}");
    }
    assert!(server.db.is_empty("files").await);
}

async fn image(server: &Server, bytes: &[u8]) -> Uuid {
    let mut db = server.db.pool.acquire().await.unwrap();
    let id = files::begin_image(&mut db, "fw.bin", "2.0", noon())
        .await
        .unwrap();
    for (n, piece) in bytes.chunks(CHUNK).enumerate() {
        files::add_chunk(&mut db, id, i32::try_from(n).unwrap(), piece)
            .await
            .unwrap();
    }
    let whole = Whole {
        size: i64::try_from(bytes.len()).unwrap(),
        sha256: Sha256::digest(bytes).into(),
    };
    files::complete(&mut db, id, &whole, noon()).await.unwrap();
    id
}

#[tokio::test]
async fn firmware_is_fetched_whole_or_from_where_it_broke_off() {
    let server = Server::start().await;
    let bytes = content();
    let image = image(&server, &bytes).await;
    let hour = TimeDelta::hours(1);
    let (_, token) = job(&server, Kind::Firmware, "UpdateFirmware", Some(image), hour).await;
    let path = format!("/files/{token}");
    let all = http(server.address, &get("GET", &path, "")).await;
    assert_eq!(all.status, 200);
    assert!(all.body == bytes && all.has("accept-ranges: bytes"));
    assert!(
        all.has("x-content-type-options: nosniff") && all.has("content-disposition: attachment")
    );
    let etag = format!("\"{}\"", hex::encode(Sha256::digest(&bytes)));
    assert!(all.has(&format!("etag: {etag}")));

    let head = http(server.address, &get("HEAD", &path, "")).await;
    assert!(head.status == 200 && head.body.is_empty());
    assert!(head.has(&format!("content-length: {}", bytes.len())));

    // Across two pieces, by If-Range, the last bytes, and none.
    let (size, first) = (bytes.len(), CHUNK - 10);
    let range = format!("Range: bytes={first}-{}\r\n", CHUNK + 9);
    let part = http(server.address, &get("GET", &path, &range)).await;
    assert_eq!(part.status, 206);
    assert!(part.body == bytes[first..CHUNK + 10]);
    assert!(part.has(&format!(
        "content-range: bytes {first}-{}/{size}",
        CHUNK + 9
    )));
    let resumed = format!("Range: bytes={first}-\r\nIf-Range: {etag}\r\n");
    let part = http(server.address, &get("GET", &path, &resumed)).await;
    assert!(part.status == 206 && part.body == bytes[first..]);
    let other = format!("Range: bytes={first}-\r\nIf-Range: \"other\"\r\n");
    let all = http(server.address, &get("GET", &path, &other)).await;
    assert!(all.status == 200 && all.body == bytes);
    let beyond = format!("Range: bytes={size}-\r\n");
    let none = http(server.address, &get("GET", &path, &beyond)).await;
    assert_eq!(none.status, 416);
    assert!(none.has(&format!("content-range: bytes */{size}")));
    assert_eq!(http(server.address, &put(&path, b"x")).await.status, 404);
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut_off() {
    let server = Server::with(Options {
        file_patience: Duration::from_millis(300),
        ..Options::default()
    })
    .await;
    // More than the buffers between us take.
    let bytes = vec![7; 64 * CHUNK];
    let image = image(&server, &bytes).await;
    let hour = TimeDelta::hours(1);
    let (_, token) = job(&server, Kind::Firmware, "UpdateFirmware", Some(image), hour).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let request = get("GET", &format!("/files/{token}"), "");
    socket.write_all(&request).await.unwrap();
    // The server drops the socket while this side reads nothing; writing to it then fails.
    let cut = tokio::time::timeout(Duration::from_secs(20), async {
        while socket.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    cut.await.expect("cut off");
}
