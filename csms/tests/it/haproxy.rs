//! A real HAProxy in front: it takes TLS off for chargers that know only the suites of the whitepaper that rustls does not
//! have, and says by PROXY protocol who they are.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command as Run, Stdio};

use csms::Options;
use serde_json::json;
use store::stations::StationChange;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::door::with_password;
use crate::pki::Pki;
use crate::support::{Server, Station, eventually};

/// The two suites of the whitepaper without forward secrecy, as OpenSSL calls them.
const STATIC_RSA: [&str; 2] = ["AES128-GCM-SHA256", "AES256-GCM-SHA384"];

struct Front {
    address: SocketAddr,
    _folder: TempDir,
    _process: Child,
}

impl Front {
    /// HAProxy before the server, with an RSA certificate of its own.
    async fn before(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Run::new("openssl")
            .args([
                "req",
                "-x509",
                "-nodes",
                "-days",
                "10",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-newkey", "rsa:2048", "-keyout"])
            .arg(at("key.pem"))
            .arg("-out")
            .arg(at("cert.pem"))
            .output()
            .expect("openssl is missing: apt-get install openssl");
        assert!(made.status.success(), "{made:?}");
        let read = |name| std::fs::read_to_string(at(name)).unwrap();
        let pair = read("cert.pem") + &read("key.pem");
        std::fs::write(at("pair.pem"), pair).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let settings = format!(
            "global\n  maxconn 100\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             frontend chargers\n  bind {address} ssl crt {} ciphers {} ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2\n  default_backend csms\n\
             backend csms\n  server csms {} send-proxy-v2-ssl\n",
            at("pair.pem").display(),
            STATIC_RSA.join(":"),
            server.address
        );
        std::fs::write(at("haproxy.cfg"), settings).unwrap();
        let program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];
        let program = program.into_iter().find(|path| Path::new(path).exists());
        let process = Command::new(program.unwrap_or("haproxy"))
            .args(["-db", "-f"])
            .arg(at("haproxy.cfg"))
            .kill_on_drop(true)
            .spawn()
            .expect("haproxy is missing: apt-get install haproxy");
        eventually("the proxy", async || TcpStream::connect(address).await.ok()).await;
        Front {
            address,
            _folder: folder,
            _process: process,
        }
    }
}

/// Speaks TLS by OpenSSL with one suite alone, from another address than the proxy's.
async fn by_openssl(
    address: SocketAddr,
    suite: &str,
    request: tokio_tungstenite::tungstenite::http::Request<()>,
) -> (Child, Result<Station, u16>) {
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-tls1_2",
            "-bind",
            "127.0.0.2:0",
            "-cipher",
            suite,
        ])
        .args(["-connect", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("openssl is missing: apt-get install openssl");
    let (from, to) = (client.stdout.take().unwrap(), client.stdin.take().unwrap());
    let station = Station::over(Box::new(tokio::io::join(from, to)), request).await;
    (client, station)
}

#[tokio::test]
async fn quirk_56_a_charger_of_the_old_suites_comes_by_haproxy_and_not_directly() {
    let server = Server::with(Options {
        proxies: vec!["127.0.0.1".parse().unwrap()],
        ..Options::default()
    })
    .await;
    let hash = store::secrets::hash_password(b"right");
    let change = StationChange {
        security_profile: Some(2),
        password_hash: Some(&hash),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &change)
        .await
        .unwrap();
    let request = |password: &[u8]| {
        let request = server.request("CP1", "ocpp1.6");
        with_password(request, "CP1", password)
    };
    let front = Front::before(&server).await;
    for suite in STATIC_RSA {
        let (_client, station) = by_openssl(front.address, suite, request(b"right")).await;
        let mut station = station.expect("let in");
        let answer = station.call("Heartbeat", json!({})).await;
        assert!(answer["currentTime"].is_string(), "{suite}");
    }
    let (_client, refused) = by_openssl(front.address, STATIC_RSA[0], request(b"wrong")).await;
    assert_eq!(refused.err(), Some(401));
    // Who it was is who the proxy says.
    let listed = eventually("the refusal", async || {
        let listed = store::refusals::of(&mut db, "CP1").await.unwrap();
        listed.into_iter().next()
    })
    .await;
    assert_eq!(listed.address, "127.0.0.2");
    eventually("presence", async || {
        let found = store::lookup::stations(&mut db, &["CP1".to_owned()])
            .await
            .unwrap();
        let address = found[0].as_ref()?.access.address.clone()?;
        (address == "127.0.0.2").then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_a_proxy_that_is_trusted_is_believed_and_it_must_say_who_comes() {
    let pki = Pki::new();
    let trusted = Server::with(Options {
        proxies: vec!["127.0.0.1".parse().unwrap()],
        ..pki.options()
    })
    .await;
    let says = async |server: &Server, bytes: &[u8]| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = vec![0; 12];
        let read = stream.read_exact(&mut answer).await;
        read.map(|_| answer).ok()
    };
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x30\x39\x23\x28";
    let both = [&header[..], request].concat();
    assert_eq!(
        says(&trusted, &both).await.as_deref(),
        Some(&b"HTTP/1.1 426"[..])
    );
    assert_eq!(
        says(&trusted, request).await,
        None,
        "it must begin with a header"
    );
    let stranger = Server::with(pki.options()).await;
    let answer = says(&stranger, &both).await;
    assert_ne!(
        answer.as_deref(),
        Some(&b"HTTP/1.1 426"[..]),
        "anybody could say so"
    );
    let plain = says(&stranger, request).await;
    assert_eq!(plain.as_deref(), Some(&b"HTTP/1.1 426"[..]));
}
