//! Signing in by a code that comes by mail, its limits, its cookies, and out again.

use std::time::Duration;

use axum::http::StatusCode;
use portal::Config;
use store::{
    audit, outbox,
    people::{self, Role},
    sign_in,
};

use crate::harness::{Answer, Portal, config};

/// A browser that keeps its cookies, as people have them.
struct Person<'a> {
    portal: &'a Portal,
    cookies: Vec<(String, String)>,
    address: String,
}

impl<'a> Person<'a> {
    fn new(portal: &'a Portal) -> Self {
        Person {
            portal,
            cookies: Vec::new(),
            address: "192.0.2.1".to_owned(),
        }
    }

    /// From another network. The router is called from 127.0.0.1, which these portals trust as a proxy.
    fn from(portal: &'a Portal, address: &str) -> Self {
        Person {
            address: address.to_owned(),
            ..Person::new(portal)
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let answer = self.browser().get(path).await;
        self.keep(&answer);
        answer
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.browser().post(path, form).await;
        self.keep(&answer);
        answer
    }

    fn browser(&self) -> crate::harness::Browser<'a> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.portal.as_who(vec![
            ("cookie", cookies.join("; ")),
            ("x-forwarded-for", self.address.clone()),
        ])
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    async fn ask(&mut self, email: &str) -> Answer {
        self.post("/login", &format!("email={email}&next=/sessions"))
            .await
    }

    async fn try_code(&mut self, code: &str) -> Answer {
        self.post("/login/code", &format!("code={code}&next=/sessions"))
            .await
    }
}

/// A portal behind a proxy, and somebody it knows.
async fn portal() -> Portal {
    let portal = Portal::with(behind_proxy()).await;
    portal.person("op@example.org", Role::Admin, &[]).await;
    portal
}

fn behind_proxy() -> Config {
    Config {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..config()
    }
}

/// The code of the last mail.
async fn mailed(portal: &Portal) -> String {
    let mails = mails(portal).await;
    let text = &mails.first().expect("a mail").body_text;
    text.split_whitespace()
        .find(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()))
        .expect("a code in the mail")
        .to_owned()
}

async fn mails(portal: &Portal) -> Vec<sign_in::Mail> {
    let mut db = portal.db.pool.acquire().await.unwrap();
    sign_in::mailbox(&mut db, 100).await.unwrap()
}

/// Another code than this one.
fn other(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[tokio::test]
async fn a_code_opens_a_login_and_leads_back() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    let away = person
        .get("/login?next=/sessions?site=x%26state=active")
        .await;
    assert!(
        away.body.contains("/sessions?site=x&#38;state=active"),
        "{}",
        away.body
    );

    let asked = person.ask("Op@Example.org").await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (StatusCode::SEE_OTHER, "/login/code?next=/sessions")
    );
    assert!(
        person
            .get("/login/code")
            .await
            .body
            .contains("op@example.org")
    );
    let mail = &mails(&portal).await[0];
    assert_eq!(mail.recipient, "op@example.org");

    let code = mailed(&portal).await;
    let opened = person.try_code(&code).await;
    assert_eq!(opened.header("location"), "/login/done?next=/sessions");
    let cookie = opened.headers.get_all("set-cookie").iter().next().unwrap();
    let cookie = cookie.to_str().unwrap();
    assert!(cookie.starts_with("forecourt="), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1209600"] {
        assert!(cookie.contains(flag), "{flag} in {cookie}");
    }
    assert!(!cookie.contains("Secure"), "over http it would be dropped");
    assert_eq!(
        person
            .get("/login/done?next=/sessions")
            .await
            .header("location"),
        "/sessions"
    );
    assert_eq!(person.get("/login").await.header("location"), "/");

    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = people::find(&mut db, "op@example.org")
        .await
        .unwrap()
        .unwrap();
    let audited = audit::of(&mut db, &format!("user/{}", user.id), 10)
        .await
        .unwrap();
    assert_eq!(
        (audited.len(), audited[0].action.as_str()),
        (1, "login.open")
    );
    assert_eq!(audited[0].detail["address"], "192.0.2.1");

    let old = person.browser();
    let out = person.post("/logout", "").await;
    assert_eq!(out.header("location"), "/login");
    assert_eq!(
        old.get("/login").await.status,
        StatusCode::OK,
        "the token of a closed login is worth nothing"
    );
}

#[tokio::test]
async fn behind_https_cookies_are_secure_and_bound_to_the_host() {
    let portal = Portal::with(Config {
        public_url: "https://portal.test".to_owned(),
        ..behind_proxy()
    })
    .await;
    portal.person("op@example.org", Role::Admin, &[]).await;
    let mut person = Person::new(&portal);
    person.ask("op@example.org").await;
    let opened = person.try_code(&mailed(&portal).await).await;
    let cookie = opened.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-forecourt=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(
        opened.header("strict-transport-security"),
        "max-age=31536000"
    );
}

#[tokio::test]
async fn a_lost_cookie_is_told() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    let done = person.get("/login/done").await;
    assert_eq!(done.status, StatusCode::UNAUTHORIZED);
    assert!(done.body.contains("did not keep the cookie"));
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_known_one_and_gets_no_mail() {
    let portal = portal().await;
    let (mut known, mut unknown) = (Person::new(&portal), Person::from(&portal, "192.0.2.2"));
    let one = known.ask("op@example.org").await;
    let other_one = unknown.ask("no@example.org").await;
    assert_eq!(
        (one.status, one.header("location")),
        (other_one.status, other_one.header("location"))
    );
    assert_eq!(
        (&one.body, one.headers.len()),
        (&other_one.body, other_one.headers.len())
    );
    let pages = [
        known.get("/login/code").await,
        unknown.get("/login/code").await,
    ];
    assert_eq!(
        pages[0].body,
        pages[1].body.replace("no@example.org", "op@example.org")
    );
    assert_eq!(mails(&portal).await.len(), 1);

    let wrong = other(&mailed(&portal).await);
    let (one, other_one) = (known.try_code(&wrong).await, unknown.try_code(&wrong).await);
    assert_eq!(one.status, other_one.status);
    assert_eq!(
        one.body,
        other_one.body.replace("no@example.org", "op@example.org")
    );
}

#[tokio::test]
async fn a_code_works_once_in_the_browser_that_asked_and_only_the_newest() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    person.ask("op@example.org").await;
    let first = mailed(&portal).await;

    let mut thief = Person::from(&portal, "192.0.2.66");
    assert_eq!(
        thief.try_code(&first).await.header("location"),
        "/login?next=/sessions",
        "no code asked for"
    );
    thief.ask("no@example.org").await;
    assert_eq!(
        thief.try_code(&first).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    portal.clock.advance(Duration::from_secs(1));
    let mut elsewhere = Person::from(&portal, "192.0.2.3");
    elsewhere.ask("op@example.org").await;
    let second = mailed(&portal).await;
    assert!(
        person
            .try_code(&first)
            .await
            .body
            .contains("works no longer")
    );
    assert_eq!(
        elsewhere.try_code(&second).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(
        elsewhere
            .cookies
            .iter()
            .all(|(name, _)| name != "forecourt-sign-in")
    );
}

#[tokio::test]
async fn a_code_is_old_after_ten_minutes() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    person.ask("op@example.org").await;
    let code = mailed(&portal).await;
    portal.clock.advance(Duration::from_secs(600));
    assert!(
        person
            .try_code(&code)
            .await
            .body
            .contains("works no longer")
    );
}

#[tokio::test]
async fn five_wrong_codes_spend_a_code_and_ten_an_hour() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    for round in 0..2 {
        person.ask("op@example.org").await;
        let code = mailed(&portal).await;
        person.try_code("12345").await;
        for _ in 0..5 {
            assert_eq!(
                person.try_code(&other(&code)).await.status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
        assert_eq!(
            person.try_code(&code).await.status,
            StatusCode::TOO_MANY_REQUESTS,
            "round {round}"
        );
        portal.clock.advance(Duration::from_secs(60));
    }
    person.ask("op@example.org").await;
    let code = mailed(&portal).await;
    assert_eq!(
        person.try_code(&code).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    portal.clock.advance(Duration::from_secs(3600));
    person.ask("op@example.org").await;
    assert_eq!(
        person.try_code(&mailed(&portal).await).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn nobody_is_buried_in_mail() {
    let portal = portal().await;
    for asked in 0..3 {
        let address = format!("192.0.2.{asked}");
        let status = Person::from(&portal, &address)
            .ask("op@example.org")
            .await
            .status;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }
    let refused = Person::from(&portal, "192.0.2.9")
        .ask("op@example.org")
        .await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.body.contains("ask again in 15 minutes")
            || refused.body.contains("ask again in 16 minutes")
    );
    assert_eq!(mails(&portal).await.len(), 3);

    for asked in 0..3 {
        let email = format!("no{asked}@example.org");
        let status = Person::from(&portal, "192.0.2.50").ask(&email).await.status;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }
    let refused = Person::from(&portal, "192.0.2.50")
        .ask("no9@example.org")
        .await;
    assert_eq!(
        refused.status,
        StatusCode::TOO_MANY_REQUESTS,
        "per network address too"
    );
}

#[tokio::test]
async fn limits_hold_when_requests_come_together() {
    let portal = portal().await;
    let asks = (0..8).map(async |asked| {
        let mut person = Person::from(&portal, &format!("192.0.2.{asked}"));
        person.ask("op@example.org").await.status
    });
    let statuses = futures_util::future::join_all(asks).await;
    let sent = statuses
        .iter()
        .filter(|status| **status == StatusCode::SEE_OTHER)
        .count();
    assert_eq!((sent, mails(&portal).await.len()), (3, 3));
}

#[tokio::test]
async fn a_bad_address_is_told_and_kept_in_the_form() {
    let portal = portal().await;
    for form in ["email=op%0D%0Aexample", "email=", "mail=op@example.org", ""] {
        let answer = Person::new(&portal).post("/login", form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(answer.body.contains("not an e-mail address"), "{form}");
    }
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let portal = portal().await;
    for (header, value, expected) in [
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::SEE_OTHER),
        ("origin", "http://portal.test", StatusCode::SEE_OTHER),
    ] {
        let browser = portal.as_who(vec![(header, value.to_owned())]);
        let answer = browser.post("/logout", "").await;
        assert_eq!(answer.status, expected, "{header}: {value}");
    }
}

#[tokio::test]
async fn the_mailbox_is_there_in_a_demo_alone() {
    let portal = portal().await;
    let closed = portal.nobody().get("/dev/mailbox").await;
    assert_eq!(closed.status, StatusCode::NOT_FOUND);

    let demo = Portal::with(Config {
        demo: true,
        ..behind_proxy()
    })
    .await;
    demo.person("op@example.org", Role::Admin, &[]).await;
    let mut person = Person::new(&demo);
    person.ask("op@example.org").await;
    let open = person.get("/dev/mailbox").await;
    assert!(open.status == StatusCode::OK && open.body.contains(&mailed(&demo).await));
}

#[tokio::test]
async fn who_is_no_longer_active_is_out_at_once() {
    let portal = portal().await;
    let mut person = Person::new(&portal);
    person.ask("op@example.org").await;
    person.try_code(&mailed(&portal).await).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = people::find(&mut db, "op@example.org")
        .await
        .unwrap()
        .unwrap();
    people::set_active(&mut db, user.id, false).await.unwrap();
    assert_eq!(person.get("/login").await.status, StatusCode::OK);
}

/// R19: whoever waits for a code is told that no mail goes out, whether the address is known or not.
#[tokio::test]
async fn a_mail_server_that_is_away_is_told_to_everybody_alike() {
    let portal = portal().await;
    let mut known = Person::new(&portal);
    known.ask("op@example.org").await;
    let mut stranger = Person::from(&portal, "192.0.2.9");
    stranger.ask("nobody@example.org").await;
    let told = "The mail server cannot be reached right now";
    assert!(!known.get("/login/code").await.body.contains(told));
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let until = now + chrono::TimeDelta::seconds(5);
    let why = "the mail server is away: connection refused";
    assert_eq!(outbox::put_off(&mut db, until, why, now).await.unwrap(), 1);
    for person in [&mut known, &mut stranger] {
        let page = person.get("/login/code").await;
        assert!(page.body.contains(told), "{}", page.body);
    }
    let mail = outbox::claim(&mut db, 1, chrono::TimeDelta::minutes(2), until)
        .await
        .unwrap();
    outbox::sent(&mut db, mail[0].id, until).await.unwrap();
    assert!(!known.get("/login/code").await.body.contains(told));
}
