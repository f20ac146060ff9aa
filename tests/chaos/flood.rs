//! Those who would stop the server by what they send, or by sending nothing: T22, R14, R15. An honest station comes and
//! goes meanwhile and must not notice.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use simulators::swarm::{self, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::canary::{Canary, Song};
use crate::pki::Pki;
use crate::raw::{Attack, connect, frame, request};
use crate::rig::{CANARY, Rig, Server};

/// Nobody who means harm is put up with for longer.
const LONGEST: Duration = Duration::from_secs(10);
/// On top of it, for a machine that is busy with other things.
const GRACE: Duration = Duration::from_secs(2);
/// A socket that has no place is closed before this; one that has is patiently listened to for much longer.
const AT_ONCE: Duration = Duration::from_secs(4);
/// Attackers of each kind at once, each a station of its own that may come in.
const ATTACKERS: usize = 10;

fn address(last: usize) -> IpAddr {
    IpAddr::from([127, 0, 0, u8::try_from(last).expect("a byte")])
}

fn identity(number: usize) -> String {
    swarm::Options::new("", 0, Workload::Idle).ids.name(number)
}

/// What T22 names, by the station of this name.
fn attacks(id: &str) -> Vec<Attack> {
    let open = || request(id, "");
    let deflate = request(id, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    // FIN off, then pieces without end: of one byte, and of none.
    let begun = [open(), frame(0x01, b"[")].concat();
    let heartbeat = br#"[2,"1","Heartbeat",{}]"#;
    // A thousand zeros for every byte, if anybody unpacked them; RSV1 says that they are packed.
    let bomb = frame(
        0xc1,
        &[
            0xed, 0xc1, 0x01, 0x01, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee,
        ],
    );
    let many_headers = [
        b"GET /ocpp/X HTTP/1.1\r\n".to_vec(),
        b"X-A: 1\r\n".repeat(10_000),
        b"\r\n".to_vec(),
    ];
    let long_header = [
        b"GET /ocpp/X HTTP/1.1\r\nX-A: ".to_vec(),
        vec![b'a'; 1 << 20],
    ];
    vec![
        Attack::flood("a header of 1 MB", long_header.concat(), Vec::new()),
        Attack::flood("10,000 headers", many_headers.concat(), Vec::new()),
        Attack::flood(
            "no end of headers",
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"X-A: 1\r\n".repeat(100),
        ),
        Attack::flood(
            "pieces of a byte",
            begun.clone(),
            frame(0x00, b"1").repeat(100),
        ),
        Attack::flood("pieces of nothing", begun, frame(0x00, b"").repeat(100)),
        Attack::flood("pings", open(), frame(0x89, b"x").repeat(100)),
        Attack::flood("pongs", open(), frame(0x8a, b"").repeat(100)),
        Attack::flood("frames of a byte", open(), frame(0x81, b"[").repeat(100)),
        Attack::flood("an unmasked frame", open(), b"\x81\x02[]".to_vec()),
        Attack::flood(
            "a frame of 2^62 bytes",
            open(),
            b"\x81\xff\x40\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        ),
        Attack::flood("a packed bomb", deflate, bomb),
        Attack {
            reads: false,
            ..Attack::flood(
                "a client that never reads",
                open(),
                frame(0x81, heartbeat).repeat(50),
            )
        },
    ]
}

/// T22: whatever comes, it ends within ten seconds, costs less than 50 MB, and an honest station does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_floods_of_frames_and_headers_are_closed_and_cost_nobody_else_anything() {
    let rig = Rig::start("flood", ATTACKERS, &[]).await;
    let server = Server::start(&rig).await;
    let canary = Canary::sing(rig.target(), CANARY, None);
    let before = server.resident();
    let mut most = before;
    let kinds = attacks("").len();
    for kind in 0..kinds {
        let attackers = (0..ATTACKERS).map(async |number| {
            let attack = attacks(&identity(number)).swap_remove(kind);
            let open = attack.play(rig.ocpp, address(2 + number)).await;
            (
                attack.name,
                open.unwrap_or_else(|error| panic!("{}: {error}", attack.name)),
            )
        });
        for (name, open) in join_all(attackers).await {
            assert!(open <= LONGEST + GRACE, "{name}: open for {open:?}");
            println!("{name}: open for {open:?}");
        }
        most = most.max(server.resident());
    }
    let song = canary.end().await;
    println!("{before} bytes in memory, {most} at most");
    assert!(most - before < 50 << 20, "{before} bytes became {most}");
    undisturbed(&song, Duration::from_millis(500));
    server.end().await;
    rig.end().await;
}

/// T02: 10,000 passwords of an honest station are guessed from 1 address and from 200. Few are looked at, and the station
/// itself comes and goes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t02_guesses_cost_little_and_lock_nobody_out() {
    const GUESSES: usize = 5_000;
    /// A minute and station; the station's own is one of them.
    const LOOKED_AT: u64 = 10;
    let rig = Rig::start("guesses", 1, &[]).await;
    let server = Server::start(&rig).await;
    rig.protect(&[CANARY.to_owned()], "right", 1).await;
    let canary = Canary::sing(rig.target(), CANARY, Some("right"));
    let begun = Instant::now();
    for sources in [1, 200] {
        let guessers = (0..200).map(async |guesser| {
            for number in 0..GUESSES / 200 {
                let pair = STANDARD.encode(format!("{CANARY}:{sources}-{guesser}-{number}"));
                let basic = format!("Authorization: Basic {pair}\r\n");
                let guess = Attack {
                    name: "a guess",
                    opening: request(CANARY, &basic),
                    refrain: Vec::new(),
                    pause: Duration::ZERO,
                    reads: true,
                };
                let from = address(2 + guesser % sources);
                guess.play(rig.ocpp, from).await.expect("an answer");
            }
        });
        join_all(guessers).await;
    }
    let minutes = begun.elapsed().as_secs() / 60 + 1;
    let looked_at = rig.metric("forecourt_password_checks_total").await;
    println!("{looked_at} hashes in {minutes} minutes");
    assert!(
        (1..=LOOKED_AT * minutes).contains(&looked_at),
        "{looked_at}"
    );
    undisturbed(&canary.end().await, Duration::from_secs(2));
    server.end().await;
    rig.end().await;
}

/// R14: 4,000 sockets of four addresses that send nothing, or little by little, or read nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_slow_peers_are_closed_and_honest_ones_come_in() {
    need_descriptors(4_500);
    let rig = Rig::start("slow", 1, &[]).await;
    let server = Server::start(&rig).await;
    let canary = Canary::sing(rig.target(), CANARY, None);
    let second = Duration::from_secs(1);
    let slowly = |name, opening: &[u8], refrain: &[u8], reads| Attack {
        name,
        opening: opening.to_vec(),
        refrain: refrain.to_vec(),
        pause: second,
        reads,
    };
    let body = b"PUT /files/none HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    let asked = b"GET /ocpp HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let kinds = [
        slowly("silent", b"", b"", true),
        slowly(
            "a header little by little",
            b"GET /ocpp/X HTTP/1.1\r\nX-A: ",
            b"a",
            true,
        ),
        slowly("a body little by little", body, b"a", true),
        slowly("reads nothing", &asked, &asked, false),
    ];
    let sockets = (0..4_000).map(async |number| {
        let attack = &kinds[number / 4 % kinds.len()];
        let open = attack.play(rig.ocpp, address(2 + number % 4)).await;
        (
            attack.name,
            open.unwrap_or_else(|error| panic!("{}: {error}", attack.name)),
        )
    });
    for (name, open) in join_all(sockets).await {
        assert!(open <= LONGEST + GRACE, "{name}: open for {open:?}");
    }
    undisturbed(&canary.end().await, Duration::from_secs(2));
    server.end().await;
    rig.end().await;
}

/// R15: 15,000 sockets that say nothing, or half a TLS greeting, from five addresses of which each may have 2,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_flood_of_sockets_leaves_room_for_honest_ones() {
    const SOCKETS: usize = 15_000;
    need_descriptors(SOCKETS + 500);
    let rig = Rig::start("sockets", 1, &[]).await;
    let pki = Pki::new();
    let mut settings = Server::over_tls(&pki);
    settings.push(("OCPP_MAX_PER_ADDRESS", "2000".to_owned()));
    let server = Server::with(&rig, &settings).await;
    let canary = Canary::sing(rig.target(), CANARY, None);
    // A handshake record of 512 bytes, of which six come.
    let half = b"\x16\x03\x01\x02\x00\x01";
    let mut sockets = Vec::new();
    for number in 0..SOCKETS {
        let mut socket = connect(rig.ocpp, address(2 + number % 5))
            .await
            .expect("a socket");
        if number % 2 == 0 {
            // One over the limit is closed already.
            drop(socket.write_all(half).await);
        }
        sockets.push(tokio::spawn(closed(socket)));
    }
    let closed = join_all(sockets).await;
    let at_once = closed
        .iter()
        .filter(|closed| *closed.as_ref().expect("closed"))
        .count();
    assert!(at_once >= SOCKETS - 10_000, "only {at_once} were too many");
    undisturbed(&canary.end().await, Duration::from_secs(2));
    server.end().await;
    rig.end().await;
}

/// Waits until the server closes it; answers whether it was closed at once, without having a place.
async fn closed(mut socket: TcpStream) -> bool {
    let begun = Instant::now();
    let mut heard = [0; 64];
    let ended = timeout(LONGEST + GRACE, async {
        while socket.read(&mut heard).await.is_ok_and(|read| read > 0) {}
    });
    ended.await.expect("closed in time");
    begun.elapsed() < AT_ONCE
}

fn undisturbed(song: &Song, longest: Duration) {
    println!("{song:?}");
    assert!(
        song.handshake_p99 < longest && song.answer_p99 < longest,
        "{song:?}"
    );
}

/// Sockets of this process and as many of the server's.
fn need_descriptors(count: usize) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit on open files");
    assert!(
        hard >= count as u64,
        "this test needs {count} open files, but a process may have {hard}: ulimit -Hn {count}"
    );
    if soft < count as u64 {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raise the limit on open files");
    }
}
