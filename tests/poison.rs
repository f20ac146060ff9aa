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
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
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

/// Says all of it on one connection; yields what was answered otherwise than it must be.
async fn says(product: &Product, identity: &str, payloads: Vec<(&str, String)>) -> Vec<String> {
    let url = format!("{}/{identity}", product.ocpp_url());
    let mut request = url.into_client_request().unwrap();
    let protocol = HeaderValue::from_static("ocpp1.6");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let stream = TcpStream::connect(product.ocpp).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let mut wrong = Vec::new();
    let boot = r#"{"chargePointVendor":"Acme","chargePointModel":"One"}"#.to_owned();
    let all = std::iter::once(("BootNotification", boot)).chain(payloads);
    for (number, (action, payload)) in all.enumerate() {
        let frame = format!(r#"[2,"m{number}","{action}",{payload}]"#);
        socket.send(Message::text(frame)).await.unwrap();
        let answer = loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => break text,
                Some(Ok(_)) => {}
                other => panic!("{action} {payload}: {other:?}"),
            }
        };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        // A number beyond every float is no JSON to the reader: the one thing that is refused.
        let unreadable = payload.contains("1e400") && answer[2] == "FormationViolation";
        let refused = answer[0] != 3 && !unreadable && NEVER_REFUSED.contains(&action);
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
    // The tests' databases have partitions of the last two months.
    let options = csms::Options {
        meter_retention_days: 60,
        ..csms::Options::default()
    };
    let product = Product::start(options).await;
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
