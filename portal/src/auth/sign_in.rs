//! Signing in by a one-time code that comes by mail, and signing out. Known and unknown addresses are treated alike
//! at every step; the limits are in [`super::policy`].

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::Cookie;
use chrono::TimeDelta;
use rand::RngExt;
use serde::Deserialize;
use serde_json::json;
use store::{
    audit::{self, Actor, Entry},
    ids, outbox, people, secrets,
    sign_in::{self, CodeMail, NewCode, NewLogin},
};

use super::{
    client::Client,
    cookies::{self, Purpose},
    policy::{self, Verdict},
    signed_in, with_next,
};
use crate::{App, AppState, Result};

/// `?next=`: where to go after signing in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Next {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "login_email.html")]
struct EmailPage<'a> {
    next: &'a str,
    email: &'a str,
    trouble: &'a str,
}

#[derive(Template)]
#[template(path = "login_code.html")]
struct CodePage<'a> {
    next: &'a str,
    email: &'a str,
    trouble: &'a str,
    demo: bool,
    mail_is_away: bool,
}

#[derive(Template)]
#[template(path = "login_cookies.html")]
struct CookiesPage<'a> {
    next: &'a str,
    public_url: &'a str,
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage {
    mails: Vec<sign_in::Mail>,
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = template.render().expect("writing to a string cannot fail");
    (status, Html(html)).into_response()
}

fn with_cookies<const N: usize>(cookies: [Cookie<'_>; N], response: impl IntoResponse) -> Response {
    let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie.to_string()));
    (AppendHeaders(cookies), response).into_response()
}

/// Step one: whose address?
pub(crate) async fn ask_email(
    State(app): State<AppState>,
    Query(query): Query<Next>,
    headers: HeaderMap,
) -> Result<Response> {
    let next = policy::local(query.next.as_deref());
    if signed_in(&app, &headers).await?.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let form = EmailPage {
        next,
        email: "",
        trouble: "",
    };
    Ok(page(StatusCode::OK, &form))
}

/// What step one sends. A field that is not there is an empty one: the page says what it should be.
#[derive(Debug, Deserialize)]
pub(crate) struct EmailForm {
    #[serde(default)]
    email: String,
    next: Option<String>,
}

/// Sends a code, if it is that of somebody we know, and goes on to step two in any case.
pub(crate) async fn send_code(
    State(app): State<AppState>,
    client: Client,
    Form(form): Form<EmailForm>,
) -> Result<Response> {
    let next = policy::local(form.next.as_deref());
    let again = |status, trouble: &str| {
        let form = EmailPage {
            next,
            email: &form.email,
            trouble,
        };
        Ok(page(status, &form))
    };
    let Some(email) = policy::email(&form.email) else {
        let trouble = "That is not an e-mail address; it should look like name@example.org.";
        return again(StatusCode::UNPROCESSABLE_ENTITY, trouble);
    };
    let browser = secrets::random_hex(32);
    match new_code(&app, &email, &browser, client).await? {
        Ok(()) => {
            let cookie = cookies::make(&app, Purpose::SignIn, browser, policy::LIFETIME);
            let code = Redirect::to(&with_next("/login/code", next));
            Ok(with_cookies([cookie], code))
        }
        Err(wait) => {
            let trouble = format!(
                "Too many codes were asked for. Use the last one, or ask again in {} minutes.",
                wait.num_minutes() + 1
            );
            again(StatusCode::TOO_MANY_REQUESTS, &trouble)
        }
    }
}

/// Keeps a new code and queues its mail; or says how long to wait.
async fn new_code(
    app: &App,
    email: &str,
    browser: &str,
    client: Client,
) -> Result<std::result::Result<(), TimeDelta>> {
    let now = app.clock.now();
    let address = client.counted();
    let mut db = app.connection().await?;
    let mut step = sign_in::step(&mut db).await?;
    let asked = sign_in::asked(&mut step, email, &address, now - policy::LOOK_BACK).await?;
    if let Err(free_at) = policy::may_mail(&asked, now) {
        return Ok(Err(free_at - now));
    }
    let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
    let id = ids::new_id(now);
    let new = NewCode {
        id,
        email,
        code_hash: policy::hash(id, browser, &code),
        browser_hash: secrets::sha256(browser.as_bytes()),
        address: &address,
        expires_at: now + policy::LIFETIME,
    };
    let text = format!(
        "Your code to sign in to Forecourt at {} is\n\n    {code}\n\nIt works for {} minutes, in the browser that asked \
         for it. If you did not ask for it, somebody typed in your address; without this code they get nowhere.\n",
        app.config.public_url,
        policy::LIFETIME.num_minutes()
    );
    let mail = CodeMail {
        subject: "Your code to sign in to Forecourt",
        text: &text,
    };
    let mailed = sign_in::keep_code(&mut step, &new, &mail, now).await?;
    step.commit().await.map_err(store::Error::from)?;
    if mailed && app.config.demo {
        tracing::info!("the code of {email} is {code}");
    }
    Ok(Ok(()))
}

/// Step two: which code?
pub(crate) async fn ask_code(
    State(app): State<AppState>,
    Query(query): Query<Next>,
    headers: HeaderMap,
) -> Result<Response> {
    let next = policy::local(query.next.as_deref());
    let Some(browser) = cookies::read(&app, Purpose::SignIn, &headers) else {
        return Ok(Redirect::to(&with_next("/login", next)).into_response());
    };
    let mut db = app.connection().await?;
    let browser_hash = secrets::sha256(browser.as_bytes());
    let Some(code) = sign_in::code_of(&mut db, &browser_hash).await? else {
        return Ok(Redirect::to(&with_next("/login", next)).into_response());
    };
    let form = CodePage {
        next,
        email: &code.email,
        trouble: "",
        demo: app.config.demo,
        mail_is_away: outbox::server_is_away(&mut db).await?,
    };
    Ok(page(StatusCode::OK, &form))
}

/// What step two sends.
#[derive(Debug, Deserialize)]
pub(crate) struct CodeForm {
    #[serde(default)]
    code: String,
    next: Option<String>,
}

/// Checks the code. The right one opens a login with a token of its own; whatever login the browser had is closed.
pub(crate) async fn check_code(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> Result<Response> {
    let next = policy::local(form.next.as_deref());
    let Some((email, verdict)) = try_code(&app, client, &headers, &form.code).await? else {
        return Ok(Redirect::to(&with_next("/login", next)).into_response());
    };
    let (status, trouble) = match verdict {
        Tried::SignedIn(token) => {
            let cookies = [
                cookies::make(&app, Purpose::Login, token, policy::LOGIN_LASTS),
                cookies::drop(&app, Purpose::SignIn),
            ];
            let done = Redirect::to(&with_next("/login/done", next));
            return Ok(with_cookies(cookies, done));
        }
        Tried::NoCode => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "A code has exactly six digits.",
        ),
        Tried::Wrong => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "That is not the code. Look at the last mail: a new code makes older ones useless.",
        ),
        Tried::Expired => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "That code works no longer: codes last ten minutes and work once. Ask for a new one.",
        ),
        Tried::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many tries. Ask for a new code; after many wrong ones wait an hour.",
        ),
    };
    let form = CodePage {
        next,
        email: &email,
        trouble,
        demo: app.config.demo,
        mail_is_away: false,
    };
    Ok(page(status, &form))
}

/// What came of a try.
enum Tried {
    /// The token of the new login.
    SignedIn(String),
    /// A slip of the finger, which is not a guess and is not counted.
    NoCode,
    Wrong,
    Expired,
    TooOften,
}

/// One try, counted before anything is answered. `None` if this browser asked for no code.
async fn try_code(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    typed: &str,
) -> Result<Option<(String, Tried)>> {
    let Some(browser) = cookies::read(app, Purpose::SignIn, headers) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let mut db = app.connection().await?;
    let mut step = sign_in::step(&mut db).await?;
    let browser_hash = secrets::sha256(browser.as_bytes());
    let Some(code) = sign_in::code_of(&mut step, &browser_hash).await? else {
        return Ok(None);
    };
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if typed.len() != 6 || !typed.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Some((code.email, Tried::NoCode)));
    }
    let since = now - policy::LOOK_BACK;
    let asked = sign_in::asked(&mut step, &code.email, &code.address, since).await?;
    let person = people::find(&mut step, &code.email).await?;
    let tried = match (policy::judge(&code, &browser, &typed, &asked, now), person) {
        (Verdict::Right, Some(person)) => {
            sign_in::tried(&mut step, code.id, true, now).await?;
            Tried::SignedIn(open_login(app, &mut step, &person, client, headers).await?)
        }
        // Whoever guesses the code of an address that we do not know has guessed nothing.
        (Verdict::Right | Verdict::Wrong, _) => {
            sign_in::tried(&mut step, code.id, false, now).await?;
            Tried::Wrong
        }
        (Verdict::Expired, _) => Tried::Expired,
        (Verdict::TooManyTries, _) => Tried::TooOften,
    };
    step.commit().await.map_err(store::Error::from)?;
    Ok(Some((code.email, tried)))
}

/// Opens a login and closes the one that the browser had.
async fn open_login(
    app: &App,
    step: &mut sign_in::Step<'_>,
    person: &people::User,
    client: Client,
    headers: &HeaderMap,
) -> Result<String> {
    let now = app.clock.now();
    if let Some(old) = cookies::read(app, Purpose::Login, headers) {
        sign_in::close(step, &old).await?;
    }
    let login = NewLogin {
        user_id: person.id,
        address: &client.0.to_string(),
        user_agent: &user_agent(headers),
        expires_at: now + policy::LOGIN_LASTS,
    };
    let entry = Entry {
        at: now,
        actor: Actor::User(person.id),
        action: "login.open".to_owned(),
        entity: format!("user/{}", person.id),
        detail: json!({"address": login.address, "user_agent": login.user_agent}),
    };
    audit::record(step, &entry).await?;
    Ok(sign_in::open(step, &login, now).await?)
}

/// After signing in: did the browser keep the cookie? (spec portal RP-3)
pub(crate) async fn done(
    State(app): State<AppState>,
    Query(query): Query<Next>,
    headers: HeaderMap,
) -> Result<Response> {
    let next = policy::local(query.next.as_deref());
    if signed_in(&app, &headers).await?.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let trouble = CookiesPage {
        next,
        public_url: &app.config.public_url,
    };
    Ok(page(StatusCode::UNAUTHORIZED, &trouble))
}

/// Ends the login here and in the browser.
pub(crate) async fn sign_out(State(app): State<AppState>, headers: HeaderMap) -> Result<Response> {
    if let Some(token) = cookies::read(&app, Purpose::Login, &headers) {
        sign_in::close(&mut *app.connection().await?, &token).await?;
    }
    let gone = cookies::drop(&app, Purpose::Login);
    Ok(with_cookies([gone], Redirect::to("/login")))
}

/// Every mail of a demo, sent or not.
pub(crate) async fn mailbox(State(app): State<AppState>) -> Result<Response> {
    let mails = sign_in::mailbox(&mut *app.connection().await?, 50).await?;
    Ok(page(StatusCode::OK, &MailboxPage { mails }))
}

/// What the browser says of itself, cut to what a list can show.
fn user_agent(headers: &HeaderMap) -> String {
    headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}
