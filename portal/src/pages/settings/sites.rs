//! `/settings/sites`: the places, their time zones, who sells there, and which holidays tariffs know there.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono_tz::Tz;
use serde_json::json;
use store::{
    Scoped, holidays, legal_entities,
    sites::{self, Terms},
};
use uuid::Uuid;

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html},
};

/// Where the list is.
const PATH: &str = "/settings/sites";

#[derive(Template)]
#[template(path = "sites.html")]
struct List {
    frame: Frame,
    rows: Vec<Terms>,
}

#[derive(Template)]
#[template(path = "site.html")]
struct Page {
    frame: Frame,
    form: Form,
    /// None for one that is to be made.
    id: Option<Uuid>,
    /// As it is kept, whatever is typed.
    name: String,
    /// Who can sell.
    sellers: Vec<(String, String)>,
    calendars: Vec<(String, String)>,
    zones: Vec<&'static str>,
}

impl Page {
    async fn new(
        db: &mut Scoped<'_>,
        frame: Frame,
        form: Form,
        site: Option<&Terms>,
    ) -> Result<Self> {
        let mut sellers = vec![(String::new(), "Nobody: nothing is invoiced".to_owned())];
        sellers.extend(
            legal_entities::list(db)
                .await?
                .into_iter()
                .map(|entity| (entity.id.to_string(), entity.fields.name)),
        );
        let mut calendars = vec![(String::new(), "None".to_owned())];
        let kept = holidays::calendars(db).await?;
        calendars.extend(kept.into_iter().map(|name| (name.clone(), name)));
        Ok(Page {
            frame,
            form,
            id: site.map(|terms| terms.site.id),
            name: site.map_or_else(String::new, |terms| terms.site.name.clone()),
            sellers,
            calendars,
            zones: chrono_tz::TZ_VARIANTS
                .iter()
                .map(|zone| zone.name())
                .collect(),
        })
    }
}

/// `GET /settings/sites`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let rows = sites::terms(&mut db, None).await?;
    html(&List { frame, rows })
}

/// `GET /settings/sites/new`.
pub async fn new(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    html(&Page::new(&mut db, frame, Form::default(), None).await?)
}

/// `GET /settings/sites/{id}`.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let site = find(&mut db, id).await?;
    html(&Page::new(&mut db, frame, filled(&site), Some(&site)).await?)
}

/// `POST /settings/sites`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let said = read(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    check_calendar(&mut db, &mut form).await?;
    if let (true, Some(said)) = (form.is_clean(), said) {
        match sites::add(&mut db, &said.name, said.zone, now).await {
            Ok(id) => {
                if agree(&mut db, &mut form, id, &said).await? {
                    let detail = json!({"name": said.name, "time_zone": said.zone.name()});
                    let entry = viewer.did(now, "site.create", format!("site/{id}"), detail);
                    store::audit::record(&mut db, &entry).await?;
                    db.commit().await?;
                    let made = Flash::new(format!("Site “{}” was added.", said.name));
                    return Ok(made.to(&app, PATH));
                }
            }
            Err(error) => complain(&mut form, error)?,
        }
        // What a refused statement left of the transaction can answer nothing more.
        drop(db);
        db = viewer.scope.begin(&app.pool).await?;
    }
    let page = Page::new(&mut db, frame, form, None).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /settings/sites/{id}`.
pub async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let said = read(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let site = find(&mut db, id).await?;
    let before = filled(&site);
    check_calendar(&mut db, &mut form).await?;
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if let (true, Some(said)) = (form.is_clean(), said) {
        match sites::change(&mut db, id, &said.name, said.zone).await {
            Ok(_) => {
                if agree(&mut db, &mut form, id, &said).await? {
                    let entity = format!("site/{id}");
                    let entry = viewer.did(now, "site.change", entity, form.changes(&before));
                    store::audit::record(&mut db, &entry).await?;
                    db.commit().await?;
                    let saved = Flash::new(format!("Site “{}” was saved.", said.name));
                    return Ok(saved.to(&app, PATH));
                }
            }
            Err(error) => complain(&mut form, error)?,
        }
        drop(db);
        db = viewer.scope.begin(&app.pool).await?;
    }
    let page = Page::new(&mut db, frame, form, Some(&site)).await?;
    again(status, &page)
}

/// What was typed of a site.
struct Said {
    name: String,
    zone: Tz,
    seller: Option<Uuid>,
    calendar: Option<String>,
}

async fn find(db: &mut Scoped<'_>, id: Uuid) -> Result<Terms> {
    sites::terms(db, Some(id))
        .await?
        .pop()
        .ok_or_else(|| Error::NotFound("there is no such site".to_owned()))
}

/// What people can set, as the form has it.
fn filled(terms: &Terms) -> Form {
    let seller = terms.seller.as_ref().map(|seller| seller.0.to_string());
    Form::filled([
        ("name", terms.site.name.clone()),
        ("time_zone", terms.site.time_zone.name().to_owned()),
        ("seller", seller.unwrap_or_default()),
        ("calendar", terms.calendar.clone().unwrap_or_default()),
    ])
}

fn read(form: &mut Form) -> Option<Said> {
    let name = form.line("name", 1..=100);
    let zone = form.read(
        "time_zone",
        "a time zone such as Europe/Amsterdam",
        |text| text.parse().ok(),
    );
    let seller = form.optional("seller", "one of the legal entities", |text| {
        text.parse().ok()
    });
    let calendar = form.line("calendar", 0..=100);
    Some(Said {
        name,
        zone: zone?,
        seller,
        calendar: Some(calendar).filter(|name| !name.is_empty()),
    })
}

async fn check_calendar(db: &mut Scoped<'_>, form: &mut Form) -> Result<()> {
    let calendar = form.value("calendar").to_owned();
    if !calendar.is_empty() && !holidays::calendars(db).await?.contains(&calendar) {
        form.expected("calendar", "one of the calendars");
    }
    Ok(())
}

/// Keeps who sells and which calendar holds; false if there is no such seller.
async fn agree(db: &mut Scoped<'_>, form: &mut Form, id: Uuid, said: &Said) -> Result<bool> {
    if let Err(error) = legal_entities::sell_at(db, id, said.seller).await {
        if !error.is_conflict("sites_legal_entity_id_fkey") {
            return Err(error.into());
        }
        form.expected("seller", "one of the legal entities");
        return Ok(false);
    }
    holidays::keep_at(db, id, said.calendar.as_deref()).await?;
    Ok(true)
}

/// What the database refused by name is something to be corrected.
fn complain(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("sites_name_key") {
        form.complain(
            "name",
            "is the name of another site; expected one of its own",
        );
        return Ok(());
    }
    Err(error.into())
}
