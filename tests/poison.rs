//! T07: values that broke other servers, in every field of every message that a station sends. Each is answered, and
//! afterwards every page still opens and every file can be had.

use futures_util::{SinkExt, StreamExt, future::join_all};
use ocpp::Version;
use ocpp::schema::{self, Field, Kind, Sender};
use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::Value;
use service::clock::Clock;
use store::people::{self, Role};
use store::sign_in::{self, NewLogin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

mod support;
use support::Product;

/// As they stand in a frame.
const POISON: [&str; 60] = [
    r#""222222017-10-27T19:10:11Z""#,
    r#""-0001-01-01T00:00:00Z""#,
    r#""0000-01-01T00:00:00Z""#,
    r#""10000-01-01T00:00:00Z""#,
    r#""2026-00-10T00:00:00Z""#,
    r#""2026-13-01T00:00:00Z""#,
    r#""2026-02-30T00:00:00Z""#,
    r#""2026-06-30T23:59:60Z""#,
    r#""2026-01-01T24:00:00Z""#,
    r#""2026-01-01T00:00:00+23:59""#,
    r#""2026-01-01T00:00:00-23:59""#,
    r#""2026-01-01T00:00:00+99:99""#,
    r#""2026-01-01T00:00:00.999999999999999999Z""#,
    r#""9999-12-31T23:59:59Z""#,
    r#""1969-12-31T23:59:59Z""#,
    r#""1e400""#,
    r#""NaN""#,
    r#""Infinity""#,
    r#""-0""#,
    r#""""#,
    r#""   ""#,
    r#""\u0000""#,
    r#""a\u0000b""#,
    r#""\ud800""#,
    r#""\udfff\ud800""#,
    r#""\u202etxet\u202c""#,
    r#""\u200b\u200b\ufeff""#,
    r#""\u001b[31mred""#,
    r#""a\r\nSet-Cookie: x=1""#,
    r#""<script>alert(1)</script>""#,
    r#""'; drop table stations; --""#,
    r#""=cmd|'/c calc'!A0""#,
    r#""{{7*7}}""#,
    r#""../../../etc/passwd""#,
    r#""%00%0a%n%s%s%s""#,
    r#""é̀́̂̃̄̅̆̇̈""#,
    r#""👩‍👩‍👧‍👦🏴‍☠️""#,
    r#""ﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺ""#,
    "0",
    "-0",
    "-1",
    "-0.0",
    "0.1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "1e3",
    "1e400",
    "-1e400",
    "1e-400",
    "true",
    "null",
    "[]",
    "{}",
    r#"[{"a":[[[[]]]]}]"#,
];

/// Messages that must always be answered with a CALLRESULT, however wrong they are (1.6, 4.7 to 4.10).
const NEVER_REFUSED: &[&str] = &["StartTransaction", "StopTransaction", "MeterValues"];
/// Stations that say it, side by side.
const STATIONS: usize = 4;

/// A value of a kind as JSON text, with `poison` at the place that `at` counts down to; none once it stands somewhere.
fn value(kind: &Kind, at: &mut Option<usize>, poison: &str) -> String {
    match at {
        Some(0) => {
            *at = None;
            return poison.to_owned();
        }
        Some(left) => *left -= 1,
        None => {}
    }
    match kind {
        Kind::Integer => "1".to_owned(),
        Kind::Decimal { .. } => "1.5".to_owned(),
        Kind::Boolean => "true".to_owned(),
        Kind::Text { .. } => r#""7""#.to_owned(),
        Kind::Choice(names) => format!("\"{}\"", names[0]),
        Kind::DateTime => format!("\"{}\"", Clock::system().now().to_rfc3339()),
        Kind::Uri => r#""http://a/b""#.to_owned(),
        Kind::Object(fields) => object(fields, at, poison),
        Kind::List { of, .. } => format!("[{}]", value(of, at, poison)),
    }
}

fn object(fields: &[Field], at: &mut Option<usize>, poison: &str) -> String {
    let members = fields
        .iter()
        .map(|field| format!("\"{}\":{}", field.name, value(&field.kind, at, poison)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Every message with every value at every place: action and payload.
fn payloads() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let messages = schema::messages(Version::V16).iter();
    for message in messages.filter(|message| message.sender != Sender::Csms) {
        for poison in POISON {
            for place in 0.. {
                let mut at = Some(place);
                let payload = object(message.request, &mut at, poison);
                if at.is_some() {
                    break;
                }
                found.push((message.action, payload));
            }
        }
    }
    found
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(product: &Product, identity: &str) -> Socket {
    let url = format!("{}/{identity}", product.ocpp_url());
    let mut request = url.into_client_request().unwrap();
    let protocol = HeaderValue::from_static("ocpp1.6");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let stream = TcpStream::connect(product.ocpp).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

/// Says one message; yields the answer.
async fn ask(socket: &mut Socket, id: &str, action: &str, payload: &str) -> Value {
    let frame = format!(r#"[2,"{id}","{action}",{payload}]"#);
    socket.send(Message::text(frame)).await.unwrap();
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(_)) => {}
            other => panic!("{action} {payload}: {other:?}"),
        }
    }
}

const BOOT: &str = r#"{"chargePointVendor":"Acme","chargePointModel":"One"}"#;

/// Says all of it on one connection; yields what was answered otherwise than it must be.
async fn says(product: &Product, identity: &str, payloads: Vec<(&str, String)>) -> Vec<String> {
    let mut socket = connect(product, identity).await;
    let mut wrong = Vec::new();
    let all = std::iter::once(("BootNotification", BOOT.to_owned())).chain(payloads);
    for (number, (action, payload)) in all.enumerate() {
        let answer = ask(&mut socket, &format!("m{number}"), action, &payload).await;
        let refused = answer[0] != 3 && NEVER_REFUSED.contains(&action);
        if answer[1] != format!("m{number}") || refused || answer[2] == "InternalError" {
            wrong.push(format!("{action} {payload}: {answer}"));
        }
    }
    wrong
}

/// A cookie of somebody who sees everything.
async fn owner(product: &Product) -> String {
    let now = Clock::system().now();
    let mut db = product.db.pool.acquire().await.unwrap();
    let user_id = people::add(&mut db, "owner@example.com", "", Role::Admin, now)
        .await
        .unwrap();
    let login = NewLogin {
        user_id,
        address: "",
        user_agent: "",
        expires_at: now + chrono::TimeDelta::days(1),
    };
    let token = sign_in::open(&mut db, &login, now).await.unwrap();
    format!("forecourt={token}")
}

/// Pages and files by the route table, and the pages of what was poisoned.
async fn paths(product: &Product, key: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let routes = portal::pages::routes().into_iter();
    for route in routes.filter(|route| route.method == Method::GET) {
        if route.path == "/events" {
            paths.push("/events?topics=overview".to_owned());
        } else if !route.path.contains('{') {
            paths.push(route.path.to_owned());
        } else if let Some(tab) = route.path.strip_prefix("/stations/{identity}") {
            let plain = !tab.contains('{');
            paths.extend(
                (0..STATIONS)
                    .filter(|_| plain)
                    .map(|n| format!("/stations/T07-{n}{tab}")),
            );
        }
    }
    for list in [
        "sessions",
        "messages",
        "transactions",
        "stations",
        "commands",
    ] {
        paths.push(format!("/api/v1/{list}?limit=500"));
    }
    let sessions = product.get(key, "/api/v1/sessions?limit=40").await;
    for session in sessions["items"].as_array().unwrap() {
        let id = session["id"].as_str().unwrap();
        paths.push(format!("/sessions/{id}"));
    }
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t07_poison_in_every_field_is_answered_and_no_page_or_file_breaks() {
    let product = Product::start(csms::Options::default()).await;
    let key = product.api_key(&["read", "control"]).await;
    let all = payloads();
    assert!(all.len() > 3000, "only {} payloads", all.len());
    let mut shares: Vec<Vec<(&str, String)>> = vec![Vec::new(); STATIONS];
    for (number, payload) in all.into_iter().enumerate() {
        shares[number % STATIONS].push(payload);
    }
    let mut talks = Vec::new();
    for (number, share) in shares.into_iter().enumerate() {
        let identity = format!("T07-{number}");
        let path = format!("/api/v1/stations/{identity}");
        product.send(Method::PUT, &key, &path, "{}", &[201]).await;
        let product = &product;
        talks.push(async move { says(product, &identity, share).await });
    }
    let wrong: Vec<String> = join_all(talks).await.concat();
    assert!(
        wrong.is_empty(),
        "{} answers:\n{}",
        wrong.len(),
        wrong.join("\n")
    );

    let cookie = owner(&product).await;
    let browser = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let mut broken = Vec::new();
    for path in paths(&product, &key).await {
        let request = browser.get(format!("http://{}{path}", product.portal));
        let request = if path.starts_with("/api/") {
            request.bearer_auth(&key)
        } else {
            request.header("Cookie", &cookie)
        };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let stream = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream");
        let whole = stream || answer.bytes().await.is_ok();
        if !(status == StatusCode::OK || status.is_redirection()) || !whole {
            broken.push(format!("{path}: {status}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A text frame of a client, as it stands on the wire; masked with zeros.
fn text_frame(text: &str) -> Vec<u8> {
    let length = (text.len() as u64).to_be_bytes();
    [&[0x81, 0xff], &length[..], &[0; 4], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t07_a_text_of_ten_megabytes_closes_its_own_socket_and_stores_nothing() {
    const SIZE: usize = 10_000_000;
    /// A Close frame that says "message too big" (1009), of a server.
    const TOO_BIG: [u8; 2] = 1009_u16.to_be_bytes();
    let product = Product::start(csms::Options::default()).await;
    let key = product.api_key(&["read", "control"]).await;
    for identity in ["BIG", "OTHER"] {
        let path = format!("/api/v1/stations/{identity}");
        product.send(Method::PUT, &key, &path, "{}", &[201]).await;
    }
    let mut other = connect(&product, "OTHER").await;
    ask(&mut other, "boot", "BootNotification", BOOT).await;
    let text = "x".repeat(SIZE);
    let values = format!(
        r#"[{{"timestamp":"2026-11-20T10:00:00Z","sampledValue":[{{"value":"{text}"}}]}}]"#
    );
    for (action, payload) in [
        ("Authorize", format!(r#"{{"idTag":"{text}"}}"#)),
        (
            "StartTransaction",
            format!(
                r#"{{"connectorId":1,"idTag":"{text}","meterStart":1,"timestamp":"2026-11-20T10:00:00Z"}}"#
            ),
        ),
        (
            "MeterValues",
            format!(r#"{{"connectorId":1,"meterValue":{values}}}"#),
        ),
    ] {
        // It may come back each time.
        let mut big = connect(&product, "BIG").await;
        let accepted = ask(&mut big, "boot", "BootNotification", BOOT).await;
        assert_eq!(accepted[2]["status"], "Accepted");
        let frame = text_frame(&format!(r#"[2,"big","{action}",{payload}]"#));
        let (mut from, mut to) = big.get_mut().split();
        let mut heard = Vec::new();
        // Whoever writes so much to a socket that is being closed is cut off somewhere.
        let (_, _) = tokio::join!(to.write_all(&frame), from.read_to_end(&mut heard));
        let close = [0x88, u8::try_from(heard.len().saturating_sub(2)).unwrap()];
        assert!(
            heard.starts_with(&close) && heard[2..].starts_with(&TOO_BIG),
            "{action}: {heard:?}"
        );
    }
    let beat = ask(&mut other, "beat", "Heartbeat", "{}").await;
    assert_eq!(beat[0], 3, "on the same socket as before: {beat}");
    let log = product.get(&key, "/api/v1/messages?station=BIG").await;
    let actions = log["items"].as_array().unwrap().iter();
    let actions: Vec<&str> = actions.filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, ["BootNotification"; 3]);
    let sessions = product.get(&key, "/api/v1/sessions").await;
    assert_eq!(sessions["items"], serde_json::json!([]));
}
