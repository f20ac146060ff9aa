//! The tab Security of a station: how it proves who it is, what it was told to use from now on, its certificates, what was
//! refused, and what it says of its own security. Which certificates of others it trusts is in `trusted`.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::{
    Scoped, certificate_requests, client_certificates, credentials as pending, refusals,
    security_events,
};

use super::{Head, trusted};
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    auth::Viewer,
    credentials,
    live::Part,
    orders::{self, Order},
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
    view::Moment,
};

/// The last part of the tab's path.
pub(super) const SLUG: &str = "security";
/// Security events shown.
const EVENTS: i64 = 20;
/// A station that does not come by then is not asked for a certificate, and given none.
pub(super) const EXPIRES: TimeDelta = TimeDelta::hours(1);
/// A certificate that ends within a month is to be renewed.
const SOON: TimeDelta = TimeDelta::days(30);

#[derive(Template)]
#[template(path = "station_security.html", blocks = ["access", "trust", "doings"])]
struct Security {
    frame: Frame,
    head: Head,
    /// A password that was made just now; shown this once.
    made: Option<String>,
    /// A certificate to be installed.
    form: Form,
    uses: Vec<(String, String)>,
    trusted: Vec<trusted::Row>,
    ordered: Vec<Ordered>,
    certificates: Vec<Certificate>,
    requests: Vec<Line>,
    refusals: Vec<Refusal>,
    events: Vec<Line>,
}

/// What the station was told to use and was not yet seen with.
struct Ordered {
    what: String,
    status: String,
    command: String,
    since: Moment,
}

struct Certificate {
    name: String,
    issuer: String,
    serial: String,
    fingerprint: String,
    until: Moment,
    warning: Option<&'static str>,
    used: Moment,
}

/// An instant, what was, and more about it.
struct Line {
    at: Moment,
    what: String,
    detail: String,
}

struct Refusal {
    at: Moment,
    reason: String,
    detail: String,
    address: String,
    attempts: i64,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/security", Access::Read, page),
        Route::post(
            "/stations/{identity}/security/rotate",
            Access::Control,
            rotate,
        ),
        Route::post(
            "/stations/{identity}/security/certificate",
            Access::Control,
            ask_for_certificate,
        ),
        Route::post(
            "/stations/{identity}/security/trusted",
            Access::Control,
            install,
        ),
        Route::post(
            "/stations/{identity}/security/trusted/ask",
            Access::Control,
            trusted::ask,
        ),
        Route::post(
            "/stations/{identity}/security/trusted/delete",
            Access::Control,
            trusted::delete,
        ),
    ]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    html(&load(&mut db, frame, head, None, Form::default(), app.clock.now()).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    now: DateTime<Utc>,
) -> Result<Vec<Part>> {
    let page = load(db, frame, head, None, Form::default(), now).await?;
    Ok(vec![
        Part::render("access", &page.as_access())?,
        Part::render("trust", &page.as_trust())?,
        Part::render("doings", &page.as_doings())?,
    ])
}

/// `POST …/rotate`: the answer is the page itself, which shows the password and is kept nowhere.
async fn rotate(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let now = app.clock.now();
    let rotated = credentials::rotate(&mut db, &viewer, &head.station, None, now).await?;
    let page = load(&mut db, frame, head, rotated.made, Form::default(), now).await?;
    db.commit().await?;
    let mut answer = html(&page)?;
    let no_store = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(answer)
}

/// `POST …/certificate`: asks the station to ask for a certificate.
async fn ask_for_certificate(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    let payload = json!({ "requestedMessage": "SignChargePointCertificate" }).to_string();
    let order = Order {
        expires_in: EXPIRES,
        ..Order::new("ExtendedTriggerMessage", payload)
    };
    orders::queue(&mut db, &viewer, &head.station, &order, app.clock.now()).await?;
    db.commit().await?;
    let said = format!("{} is asked for a certificate request.", head.identity());
    Ok(Flash::new(said).to(&app, &head.below(SLUG)))
}

/// `POST …/trusted`: the station is given a certificate to trust.
async fn install(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    let now = app.clock.now();
    let Some(order) = trusted::read(&mut form, now) else {
        let page = load(&mut db, frame, head, None, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    orders::queue(&mut db, &viewer, &head.station, &order, now).await?;
    db.commit().await?;
    let said = format!("{} is given the certificate.", head.identity());
    Ok(Flash::new(said).to(&app, &head.below(SLUG)))
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    made: Option<String>,
    form: Form,
    now: DateTime<Utc>,
) -> Result<Security> {
    let station = head.station.id;
    let zone = head.zone().map(str::to_owned);
    let moment = |at: DateTime<Utc>| Moment::new(at, zone.as_deref());
    let ordered = pending::pending(db, station).await?;
    let certificates = client_certificates::of(db, station).await?;
    let requests = certificate_requests::of(db, station).await?;
    let refused = refusals::of(db, head.identity()).await?;
    let filter = security_events::Filter {
        station: Some(head.identity().to_owned()),
        ..security_events::Filter::default()
    };
    let events = security_events::list(db, &filter, None, EVENTS).await?;
    Ok(Security {
        trusted: trusted::rows(db, station, head.zone(), now).await?,
        uses: trusted::uses(),
        ordered: ordered
            .into_iter()
            .map(|order| Ordered {
                what: order.security_profile.map_or_else(
                    || "A new password".to_owned(),
                    |profile| format!("Security profile {profile}"),
                ),
                status: order.status.unwrap_or_else(|| "forgotten".to_owned()),
                command: order.command_id.to_string(),
                since: moment(order.created_at),
            })
            .collect(),
        certificates: certificates
            .into_iter()
            .map(|used| Certificate {
                warning: ends(used.not_after, now),
                until: moment(used.not_after),
                used: moment(used.last_used_at),
                name: used.common_name,
                issuer: used.issuer,
                serial: used.serial,
                fingerprint: used.fingerprint,
            })
            .collect(),
        requests: requests
            .into_iter()
            .map(|request| Line {
                at: moment(request.asked_at),
                what: in_words(&request.status).to_owned(),
                detail: request.detail,
            })
            .collect(),
        refusals: refused
            .into_iter()
            .map(|refused| Refusal {
                at: moment(refused.last_at),
                reason: refused.reason,
                detail: refused.detail,
                address: refused.address,
                attempts: refused.attempts,
            })
            .collect(),
        events: events
            .into_iter()
            .map(|event| Line {
                at: moment(event.received_at),
                what: event.kind,
                detail: event.tech_info.unwrap_or_default(),
            })
            .collect(),
        frame,
        head,
        made,
        form,
    })
}

/// What is to be said of a certificate's end.
pub(super) fn ends(not_after: DateTime<Utc>, now: DateTime<Utc>) -> Option<&'static str> {
    if not_after <= now {
        Some("has expired")
    } else if not_after - now <= SOON {
        Some("expires soon")
    } else {
        None
    }
}

/// What became of a certificate request.
fn in_words(status: &str) -> &'static str {
    match status {
        "refused" => "Refused",
        "signing" => "Being signed",
        "failed" => "Could not be signed",
        "queued" => "Signed, on its way to the station",
        "accepted" => "Signed, and taken by the station",
        _ => "Signed, and not taken by the station",
    }
}
