//! T04: whoever tries names learns which exist neither from the time that an answer takes nor, after some hundred of
//! them, from the answer itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::door::with_password;
use crate::support::{Server, eventually};

fn source(last: usize) -> IpAddr {
    IpAddr::from([127, 0, 1, u8::try_from(last).unwrap()])
}

fn basic(name: &str, password: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// The status that a request with these headers has, and how long it took to come.
async fn knock(server: &Server, from: IpAddr, name: &str, headers: &str) -> (u16, Duration) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut socket = socket.connect(server.address).await.unwrap();
    let request = format!(
        "GET /ocpp/{name} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: ocpp1.6\r\n{headers}\r\n"
    );
    let begun = Instant::now();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let took = begun.elapsed();
    let answer = String::from_utf8(answer).unwrap();
    (answer[9..12].parse().unwrap(), took)
}

#[tokio::test]
async fn t04_a_name_that_exists_takes_no_longer_than_one_that_does_not() {
    const NAMES: usize = 100;
    let server = Server::start().await;
    for number in 0..NAMES {
        server
            .add_station(&format!("KNOWN{number}"), Some("right"))
            .await;
    }
    // (how many, whether a password is guessed): a guess costs a hash either way.
    for (count, guesses) in [(1000, false), (NAMES, true)] {
        let mut later = Vec::new();
        for number in 0..count {
            // So few from each address that none is told to stop.
            let from = source(1 + number / 100 + if guesses { 100 } else { 0 });
            let ask = async |kind: &str, status: u16| {
                let name = format!("{kind}{}", number % NAMES);
                let headers = match guesses {
                    true => basic(&name, "guess"),
                    false => String::new(),
                };
                let (said, took) = knock(&server, from, &name, &headers).await;
                assert_eq!(said, status, "{name} {number}");
                took.as_secs_f64()
            };
            // Taken in pairs: a machine that is busy for a while is so for both.
            later.push(ask("KNOWN", 401).await - ask("OTHER", 404).await);
        }
        later.sort_unstable_by(f64::total_cmp);
        let median = later[count / 2];
        assert!(median.abs() < 0.005, "{median} s later, guesses: {guesses}");
    }
}

#[tokio::test]
async fn t04_who_is_refused_again_and_again_learns_no_more_names_and_locks_nobody_out() {
    let server = Server::start().await;
    server.add_station("SAFE", Some("right")).await;
    let honest = || with_password(server.request("SAFE", "ocpp1.6"), "SAFE", b"right");
    drop(server.connect(honest()).await.unwrap());

    // The honest one's own address (127.0.0.1) among those that try names.
    for from in [source(1), IpAddr::from([127, 0, 0, 1])] {
        let mut told = 0;
        for number in 0..400 {
            let (status, _) = knock(&server, from, &format!("N{number}"), "").await;
            told += usize::from(status == 404);
        }
        assert!((300..400).contains(&told), "{told} names tried from {from}");
        for (name, headers) in [
            ("SAFE", String::new()),
            ("SAFE", basic("SAFE", "guess")),
            ("OTHER", basic("OTHER", "guess")),
        ] {
            eventually("no answer but to come back later", async || {
                // What time gives back is spent first.
                while knock(&server, from, "N400", "").await.0 == 404 {}
                (knock(&server, from, name, &headers).await.0 == 429).then_some(())
            })
            .await;
        }
        assert!(server.connect(honest()).await.is_ok());
    }
    // The operator is told what they were refused for all the same.
    eventually("the last name in the list", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::of(&mut db, "N399").await.unwrap();
        listed
            .iter()
            .find(|row| row.reason == "unknown_station")
            .map(drop)
    })
    .await;
}
