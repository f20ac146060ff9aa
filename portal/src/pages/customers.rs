//! `/customers`: who pays. A list by name, and a form for each.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use store::customers::{self, Customer, Fields};
use uuid::Uuid;

use super::{
    again,
    asked::{Id, Parameters, query},
    flash::Flash,
    form::Form,
    frame::Frame,
    html,
};
use crate::{AppState, Error, Result, auth::Viewer};

/// Customers on one page.
const PAGE: i64 = 100;
/// A search text longer than any name.
const LONGEST: usize = 200;

#[derive(Template)]
#[template(path = "customers.html")]
struct List {
    frame: Frame,
    text: String,
    rows: Vec<Customer>,
    is_first: bool,
    next_link: Option<String>,
}

#[derive(Template)]
#[template(path = "customer.html")]
struct Page {
    frame: Frame,
    form: Form,
    /// None for one that is to be made.
    id: Option<Uuid>,
    /// As it is kept, whatever is typed.
    name: String,
}

/// `GET /customers`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let text = parameters.read(
        "q",
        &format!("a text of at most {LONGEST} characters"),
        |text| (text.chars().count() <= LONGEST).then(|| text.to_owned()),
    )?;
    let after = parameters.id("after")?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let place = match after {
        Some(id) => customers::get(&mut db, id).await?,
        None => None,
    };
    let place = place
        .as_ref()
        .map(|last| (last.fields.name.as_str(), last.id));
    let mut rows = customers::list(&mut db, text.as_deref(), place, PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let text = text.unwrap_or_default();
    let next_link = rows.last().filter(|_| more).map(|last| {
        let pairs = [("q", text.clone()), ("after", last.id.to_string())];
        format!("/customers{}", query(&pairs))
    });
    html(&List {
        frame,
        text,
        rows,
        is_first: after.is_none(),
        next_link,
    })
}

/// `GET /customers/new`.
pub async fn new(frame: Frame) -> Result<Response> {
    let form = Form::filled([("active", "yes".to_owned())]);
    html(&Page {
        frame,
        form,
        id: None,
        name: String::new(),
    })
}

/// `GET /customers/{id}`.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let customer = customers::get(&mut db, id)
        .await?
        .ok_or_else(no_such_customer)?;
    html(&Page {
        frame,
        form: filled(&customer.fields),
        id: Some(id),
        name: customer.fields.name,
    })
}

/// `POST /customers`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let fields = read(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    if form.is_clean() {
        match customers::create(&mut db, &fields, now).await {
            Ok(id) => {
                let entity = format!("customer/{id}");
                let entry =
                    viewer.did(now, "customer.create", entity, json!({"name": fields.name}));
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let made = Flash::new(format!("Customer “{}” was added.", fields.name));
                return Ok(made.to(&app, &format!("/customers/{id}")));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    let page = Page {
        frame,
        form,
        id: None,
        name: String::new(),
    };
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /customers/{id}`.
pub async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let fields = read(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = customers::get(&mut db, id)
        .await?
        .ok_or_else(no_such_customer)?;
    let name = before.fields.name.clone();
    let before = filled(&before.fields);
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if form.is_clean() {
        match customers::update(&mut db, id, &fields).await {
            Ok(_) => {
                let detail = filled(&fields).changes(&before);
                let entry = viewer.did(now, "customer.change", format!("customer/{id}"), detail);
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let saved = Flash::new(format!("Customer “{}” was saved.", fields.name));
                return Ok(saved.to(&app, &format!("/customers/{id}")));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    let page = Page {
        frame,
        form,
        id: Some(id),
        name,
    };
    again(status, &page)
}

/// What people can set, as the form has it.
fn filled(fields: &Fields) -> Form {
    let active = if fields.active { "yes" } else { "" };
    Form::filled([
        ("name", fields.name.clone()),
        ("email", fields.email.clone()),
        ("address", fields.address.clone()),
        ("country", fields.country.clone()),
        ("tax_id", fields.tax_id.clone()),
        (
            "lago_id",
            fields.lago_external_id.clone().unwrap_or_default(),
        ),
        ("active", active.to_owned()),
    ])
}

fn read(form: &mut Form) -> Fields {
    Fields {
        name: form.line("name", 1..=200),
        email: form.email("email"),
        address: form.lines("address", 0..=500),
        country: form.country("country").unwrap_or_default(),
        tax_id: form.line("tax_id", 0..=40),
        lago_external_id: Some(form.line("lago_id", 0..=100)).filter(|id| !id.is_empty()),
        active: form.checked("active"),
    }
}

/// What the database refused by name is something to be corrected.
fn complain(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("customers_lago_external_id_key") {
        form.complain(
            "lago_id",
            "is the id of another customer; expected one of its own",
        );
        return Ok(());
    }
    Err(error.into())
}

fn no_such_customer() -> Error {
    Error::NotFound("there is no such customer".to_owned())
}
