//! `/settings/legal-holds`: what keeps vouchers longer than the law asks for: a dispute, an audit. Set and lifted with a
//! reason; invoices show those that keep them.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Days, NaiveDate, Utc};
use store::{
    Scoped, customers, legal_entities,
    vouchers::{self, Hold, NewHold},
};
use uuid::Uuid;

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html},
    view::Moment,
};

const PATH: &str = "/settings/legal-holds";
/// A reason is a line.
const REASON: std::ops::RangeInclusive<usize> = 3..=200;

#[derive(Template)]
#[template(path = "legal_holds.html")]
struct List {
    frame: Frame,
    form: Form,
    sellers: Vec<(String, String)>,
    rows: Vec<Row>,
}

/// A hold in words.
pub(crate) struct Row {
    pub id: Uuid,
    pub whose: String,
    pub reason: String,
    pub from: Moment,
    pub until: Option<Moment>,
    pub is_open: bool,
}

impl Row {
    /// A hold as pages show it.
    pub(crate) fn new(hold: Hold, now: DateTime<Utc>) -> Self {
        let is_open = hold.is_open(now);
        let seller = hold.seller.map(|(_, name)| name);
        let customer = hold.customer.map(|(_, name)| name);
        Row {
            id: hold.id,
            whose: match (seller, customer) {
                (None, None) => "every seller".to_owned(),
                (Some(seller), None) => seller,
                (None, Some(customer)) => format!("{customer}, of every seller"),
                (Some(seller), Some(customer)) => format!("{customer}, of {seller}"),
            },
            reason: hold.reason,
            from: Moment::new(hold.from, None),
            until: hold.until.map(|until| Moment::new(until, None)),
            is_open,
        }
    }
}

/// `GET /settings/legal-holds`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    html(&load(&mut db, frame, Form::default(), app.clock.now()).await?)
}

async fn load(db: &mut Scoped<'_>, frame: Frame, form: Form, now: DateTime<Utc>) -> Result<List> {
    let every = (String::new(), "Every seller".to_owned());
    let sellers = legal_entities::list(db).await?;
    let sellers = sellers
        .into_iter()
        .map(|seller| (seller.id.to_string(), seller.fields.name));
    let rows = vouchers::holds(db, None).await?;
    Ok(List {
        frame,
        form,
        sellers: std::iter::once(every).chain(sellers).collect(),
        rows: rows.into_iter().map(|hold| Row::new(hold, now)).collect(),
    })
}

/// `POST /settings/legal-holds`.
pub async fn set(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let seller = form.optional("seller", "one of the legal entities", |text| {
        text.parse::<Uuid>().ok()
    });
    if let Some(seller) = seller
        && legal_entities::get(&mut db, seller).await?.is_none()
    {
        form.expected("seller", "one of the legal entities");
    }
    let named = form.line("customer", 0..=200);
    let customer = match named.as_str() {
        "" => None,
        named => customers::find(&mut db, named).await?.map(|found| found.id),
    };
    if customer.is_none() && !named.is_empty() {
        form.expected("customer", "the name or id of one customer");
    }
    let until = form.optional("until", "a day to come such as 2027-01-31", |text| {
        let day: NaiveDate = text.parse().ok()?;
        let ends = day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?;
        Some(ends.and_utc()).filter(|ends| *ends > now)
    });
    let reason = form.line("reason", REASON);
    if !form.is_clean() {
        let page = load(&mut db, frame, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let new = NewHold {
        seller,
        customer,
        reason: &reason,
        until,
    };
    vouchers::hold(&mut db, &new, viewer.actor, now).await?;
    db.commit().await?;
    Ok(Flash::new("Nothing that it covers is forgotten until it is lifted.").to(&app, PATH))
}

/// `POST /settings/legal-holds/{id}/lift`.
pub async fn lift(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let reason = form.line("lift_reason", REASON);
    if !form.is_clean() {
        let page = load(&mut db, frame, form, now).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    if !vouchers::lift(&mut db, id, &reason, viewer.actor, now).await? {
        return Err(Error::NotFound(
            "there is no such hold that is open".to_owned(),
        ));
    }
    db.commit().await?;
    let said = "The hold is lifted; the time of the law counts again.";
    Ok(Flash::new(said).to(&app, PATH))
}
