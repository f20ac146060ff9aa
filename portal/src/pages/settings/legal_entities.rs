//! `/settings/legal-entities`: who sells the energy, and how its invoices are reckoned and printed.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use store::{
    Rounding,
    legal_entities::{self, Fields, Issuing, LegalEntity, TaxPer},
};
use uuid::Uuid;

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html},
};

/// Where the list is.
const PATH: &str = "/settings/legal-entities";
/// The largest logo, in bytes.
const LARGEST: usize = 200 * 1024;
/// How every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[derive(Template)]
#[template(path = "legal_entities.html")]
struct List {
    frame: Frame,
    rows: Vec<LegalEntity>,
}

#[derive(Template)]
#[template(path = "legal_entity.html")]
struct Page {
    frame: Frame,
    form: Form,
    /// None for one that is to be made.
    id: Option<Uuid>,
    /// As it is kept, whatever is typed.
    name: String,
    has_logo: bool,
    roundings: [(String, &'static str); 2],
    taxes: [(String, &'static str); 2],
}

impl Page {
    fn new(frame: Frame, form: Form, entity: Option<&LegalEntity>) -> Self {
        let rounding = |rounding: Rounding, name| (rounding.as_str().to_owned(), name);
        let tax = |per: TaxPer, name| (per.as_str().to_owned(), name);
        Page {
            frame,
            form,
            id: entity.map(|entity| entity.id),
            name: entity.map_or_else(String::new, |entity| entity.fields.name.clone()),
            has_logo: entity.is_some_and(|entity| entity.has_logo),
            roundings: [
                rounding(Rounding::HalfUp, "Half up (0.125 becomes 0.13)"),
                rounding(Rounding::HalfEven, "Half to even (0.125 becomes 0.12)"),
            ],
            taxes: [
                tax(TaxPer::Line, "Each line"),
                tax(TaxPer::Rate, "The sum of each tax rate"),
            ],
        }
    }
}

/// `GET /settings/legal-entities`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let rows = legal_entities::list(&mut *app.connection().await?).await?;
    html(&List { frame, rows })
}

/// `GET /settings/legal-entities/new`.
pub async fn new(frame: Frame) -> Result<Response> {
    let form = Form::filled([
        ("currency", "EUR".to_owned()),
        ("payment_days", "14".to_owned()),
        ("time_zone", "UTC".to_owned()),
        ("monthly", "yes".to_owned()),
    ]);
    html(&Page::new(frame, form, None))
}

/// `GET /settings/legal-entities/{id}`.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    let mut db = app.connection().await?;
    let entity = legal_entities::get(&mut db, id)
        .await?
        .ok_or_else(no_such_entity)?;
    let issuing = legal_entities::issuing(&mut db, id)
        .await?
        .ok_or_else(no_such_entity)?;
    let form = with_issuing(filled(&entity.fields), &issuing);
    html(&Page::new(frame, form, Some(&entity)))
}

/// `GET /settings/legal-entities/{id}/logo`.
pub async fn logo(State(app): State<AppState>, Id(id): Id) -> Result<Response> {
    let logo = legal_entities::logo(&mut *app.connection().await?, id)
        .await?
        .ok_or_else(no_such_entity)?;
    Ok(([(header::CONTENT_TYPE, "image/png")], logo).into_response())
}

/// `POST /settings/legal-entities`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let fields = read(&mut form);
    let issuing = read_issuing(&mut form);
    let logo = read_logo(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    if let (true, Some(fields)) = (form.is_clean(), fields) {
        let made = match legal_entities::create(&mut db, &fields, now).await {
            Ok(id) => issue_as(&mut db, id, &issuing).await.map(|_| id),
            Err(error) => Err(error),
        };
        match made {
            Ok(id) => {
                if let Some(png) = logo {
                    legal_entities::set_logo(&mut db, id, Some(&png)).await?;
                }
                let entity = format!("legal_entity/{id}");
                let detail = json!({"name": fields.name, "currency": fields.currency.code()});
                let entry = viewer.did(now, "legal_entity.create", entity, detail);
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let made = Flash::new(format!("“{}” was added.", fields.name));
                return Ok(made.to(&app, PATH));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    let page = Page::new(frame, form, None);
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /settings/legal-entities/{id}`.
pub async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let fields = read(&mut form);
    let issuing = read_issuing(&mut form);
    let logo = read_logo(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let entity = legal_entities::get(&mut db, id)
        .await?
        .ok_or_else(no_such_entity)?;
    let issued = legal_entities::issuing(&mut db, id)
        .await?
        .ok_or_else(no_such_entity)?;
    let before = with_issuing(filled(&entity.fields), &issued);
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if let (true, Some(fields)) = (form.is_clean(), fields) {
        let changed = match legal_entities::update(&mut db, id, &fields).await {
            Ok(_) => issue_as(&mut db, id, &issuing).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(None) => form.complain(
                "prefix",
                "cannot change any more: documents were issued under the old one",
            ),
            Ok(Some(issuing)) => {
                let mut detail = with_issuing(filled(&fields), &issuing).changes(&before);
                if logo.is_some() || form.checked("no_logo") {
                    legal_entities::set_logo(&mut db, id, logo.as_deref()).await?;
                    detail["logo"] = if logo.is_some() { "set" } else { "removed" }.into();
                }
                let entity = format!("legal_entity/{id}");
                let entry = viewer.did(now, "legal_entity.change", entity, detail);
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let saved = Flash::new(format!("“{}” was saved.", fields.name));
                return Ok(saved.to(&app, PATH));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    let page = Page::new(frame, form, Some(&entity));
    again(status, &page)
}

/// What people can set, as the form has it.
fn filled(fields: &Fields) -> Form {
    Form::filled([
        ("name", fields.name.clone()),
        ("address", fields.address.clone()),
        ("country", fields.country.clone()),
        ("tax_id", fields.tax_id.clone()),
        ("email", fields.email.clone()),
        ("currency", fields.currency.code().to_owned()),
        ("rounding", fields.rounding.as_str().to_owned()),
        ("tax_per", fields.tax_per.as_str().to_owned()),
        ("payment_days", fields.payment_days.to_string()),
        ("payment_details", fields.payment_details.clone()),
    ])
}

fn with_issuing(mut form: Form, issuing: &Issuing) -> Form {
    form.set("prefix", issuing.prefix.clone());
    form.set("time_zone", issuing.time_zone.name());
    form.set("monthly", if issuing.monthly { "yes" } else { "" });
    form
}

/// How it is to issue, as far as that was typed.
struct Wanted {
    prefix: Option<String>,
    time_zone: Option<chrono_tz::Tz>,
    monthly: bool,
}

fn read_issuing(form: &mut Form) -> Wanted {
    let prefix = form.optional("prefix", "one to eight letters and digits", |text| {
        let fits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| text.to_ascii_uppercase())
    });
    Wanted {
        prefix,
        time_zone: form.optional("time_zone", "a time zone such as Europe/Berlin", |text| {
            text.parse().ok()
        }),
        monthly: form.checked("monthly"),
    }
}

/// Sets how it issues; what was not typed stays as it is. `None` if the prefix cannot change any more.
async fn issue_as(
    db: &mut store::Connection,
    id: Uuid,
    wanted: &Wanted,
) -> store::Result<Option<Issuing>> {
    let Some(before) = legal_entities::issuing(db, id).await? else {
        return Ok(None);
    };
    let issuing = Issuing {
        prefix: wanted.prefix.clone().unwrap_or(before.prefix),
        time_zone: wanted.time_zone.unwrap_or(before.time_zone),
        monthly: wanted.monthly,
    };
    let done = legal_entities::set_issuing(db, id, &issuing).await?;
    Ok(done.then_some(issuing))
}

/// What was typed; complaints are in the form.
fn read(form: &mut Form) -> Option<Fields> {
    let name = form.line("name", 1..=200);
    let address = form.lines("address", 0..=500);
    let country = form.country("country");
    if form.value("country").is_empty() {
        form.expected("country", "two letters of ISO 3166 such as NL");
    }
    let tax_id = form.line("tax_id", 0..=40);
    let email = form.email("email");
    let currency = form.currency("currency");
    let rounding = form.choice(
        "rounding",
        &[Rounding::HalfUp, Rounding::HalfEven].map(|rounding| (rounding.as_str(), rounding)),
    );
    let tax_per = form.choice(
        "tax_per",
        &[TaxPer::Line, TaxPer::Rate].map(|per| (per.as_str(), per)),
    );
    let days = form.read("payment_days", "a whole number from 0 to 365", |text| {
        text.parse().ok().filter(|days| (0..=365).contains(days))
    });
    let payment_details = form.lines("payment_details", 0..=500);
    Some(Fields {
        name,
        address,
        country: country?,
        tax_id,
        email,
        currency: currency?,
        rounding: rounding?,
        tax_per: tax_per?,
        payment_days: days?,
        payment_details,
    })
}

/// The logo that was chosen, if any.
fn read_logo(form: &mut Form) -> Option<Vec<u8>> {
    let logo = form.file("logo")?.to_vec();
    if !logo.starts_with(PNG) || logo.len() > LARGEST {
        let kilobytes = logo.len().div_ceil(1024);
        let detail = format!(
            "of {kilobytes} KiB is not a PNG of at most {} KiB",
            LARGEST / 1024
        );
        form.complain("logo", detail);
        return None;
    }
    Some(logo)
}

/// What the database refused by name is something to be corrected.
fn complain(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("legal_entities_name_key") {
        form.complain(
            "name",
            "is the name of another legal entity; expected one of its own",
        );
        return Ok(());
    }
    if error.is_conflict("legal_entities_number_prefix_key") {
        form.complain(
            "prefix",
            "is how another legal entity's numbers begin; expected one of its own",
        );
        return Ok(());
    }
    Err(error.into())
}

fn no_such_entity() -> Error {
    Error::NotFound("there is no such legal entity".to_owned())
}
