//! What a person decides of a session that no machine may bill by itself: to release it as it stands, or to say what it
//! charged. The forms stand on the session's page; `/held` lists the sessions that wait.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use store::{
    Cursor, Scoped,
    holds::{self, Held},
    sessions::{self, Session, State as SessionState},
};
use uuid::Uuid;

use super::{
    again,
    asked::{Id, Parameters, query},
    flash::Flash,
    form::{Form, decimal},
    frame::Frame,
    html, session,
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    view::{Moment, number, state::plain},
};

/// Sessions on one page.
const PAGE: i64 = 100;
/// A reason is a line.
const REASON: std::ops::RangeInclusive<usize> = 3..=200;

/// The forms on a session's page.
pub(super) struct Review {
    pub form: Form,
    /// Whether there is anything to release.
    pub waits: bool,
    /// Whether it can be said what it charged: not while it goes on.
    pub is_over: bool,
}

impl Review {
    /// The forms for who may use them.
    pub(super) async fn load(
        db: &mut Scoped<'_>,
        viewer: &Viewer,
        session: &Session,
        form: Form,
    ) -> Result<Option<Self>> {
        if !viewer.may_control(session.site_id) {
            return Ok(None);
        }
        let waits = !holds::reasons(db, session.id).await?.is_empty();
        let is_over = session.state != SessionState::Active;
        Ok((waits || is_over).then_some(Review {
            form,
            waits,
            is_over,
        }))
    }
}

#[derive(Template)]
#[template(path = "held.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    is_first: bool,
    next_link: Option<String>,
}

struct Row {
    held: Held,
    started: Moment,
    since: Moment,
    token: String,
    energy_kwh: String,
    total: String,
    reasons: Vec<String>,
}

/// `GET /held`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let after: Option<Cursor> =
        parameters.read("after", "a place in the list", |text| text.parse().ok())?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut found = holds::list(&mut db, parameters.id("site")?, after, PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let next = found.last().filter(|_| more).map(Cursor::from);
    html(&List {
        rows: found.into_iter().map(|held| row(held, &frame)).collect(),
        is_first: after.is_none(),
        next_link: next.map(|next| format!("/held{}", query(&[("after", next.to_string())]))),
        frame,
    })
}

fn row(held: Held, frame: &Frame) -> Row {
    let zone = held.time_zone.as_deref();
    Row {
        started: Moment::new(held.started_at, zone),
        since: Moment::new(held.since, zone),
        token: frame.token(&held.id_token),
        energy_kwh: number::kilo_or_blank(held.energy_wh),
        total: held
            .total
            .zip(held.currency.as_deref())
            .map_or_else(String::new, |(total, currency)| {
                number::money(total, currency)
            }),
        reasons: held
            .reasons
            .iter()
            .map(|why| plain(why).replace('-', " "))
            .collect(),
        held,
    }
}

/// `POST /sessions/{id}/release`: it is billed as it stands.
pub async fn release(
    State(app): State<AppState>,
    viewer: Viewer,
    frame: Frame,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let session = controlled(&mut db, &viewer, id).await?;
    let reason = form.line("release_reason", REASON);
    if form.is_clean() && !holds::release(&mut db, id, viewer.actor, &reason, now).await? {
        form.complain("", "nothing of this session waits any more");
    }
    if !form.is_clean() {
        return shown_again(&app, &mut db, frame, &viewer, &session, form).await;
    }
    db.commit().await?;
    let said = "The session is released: it is billed as it stands.";
    Ok(Flash::new(said).to(&app, &format!("/sessions/{id}")))
}

/// `POST /sessions/{id}/correct`: a person says what it charged.
pub async fn correct(
    State(app): State<AppState>,
    viewer: Viewer,
    frame: Frame,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let session = controlled(&mut db, &viewer, id).await?;
    let energy_wh = form.read("energy", "kWh from 0 to 1000000 such as 12.345", watt_hours);
    let reason = form.line("correct_reason", REASON);
    if session.state == SessionState::Active {
        form.complain("", "it still goes on; wait until it has ended");
    }
    let (Some(energy_wh), true) = (energy_wh, form.is_clean()) else {
        return shown_again(&app, &mut db, frame, &viewer, &session, form).await;
    };
    holds::correct(&mut db, &session, energy_wh, viewer.actor, &reason, now).await?;
    db.commit().await?;
    store::events::ring(&mut *app.connection().await?).await?;
    let said = "What it charged is corrected; its price follows within seconds.";
    Ok(Flash::new(said).to(&app, &format!("/sessions/{id}")))
}

/// kWh to the Wh.
fn watt_hours(text: &str) -> Option<i64> {
    let wh = decimal(text)?.checked_mul(Decimal::ONE_THOUSAND)?;
    wh.fract()
        .is_zero()
        .then(|| wh.to_i64())?
        .filter(|wh| (0..=holds::MOST_WH).contains(wh))
}

async fn controlled(db: &mut Scoped<'_>, viewer: &Viewer, id: Uuid) -> Result<Session> {
    let session = sessions::get(db, id)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such session".to_owned()))?;
    viewer.must_control(session.site_id)?;
    Ok(session)
}

async fn shown_again(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    viewer: &Viewer,
    session: &Session,
    form: Form,
) -> Result<Response> {
    let review = Review::load(db, viewer, session, form).await?;
    let page = session::reviewed(db, frame, session.id, review, app.clock.now()).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_whole_watt_hours() {
        for (text, expected) in [
            ("12.345", Some(12_345)),
            ("12,5", Some(12_500)),
            ("0", Some(0)),
            ("1000000", Some(1_000_000_000)),
            ("1000000.001", None),
            ("0.0001", None),
            ("-1", None),
            ("79228162514264337593543", None),
            ("1e3", None),
        ] {
            assert_eq!(watt_hours(text), expected, "{text}");
        }
    }
}
