//! Making tariffs and versions of them: as a form with a painted week, or as JSON. A version is never changed; editing
//! makes the next one.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use billing::tariff::{Kind, Tariff};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use store::{Currency, Scoped, audit, legal_entities, price_feeds, tariffs};
use uuid::Uuid;

use super::{
    PATH, complain_of_name,
    draft::{self, Rule, Sort},
    entity, in_force, no_such_tariff, said,
    simulate::{self, Receipt},
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{
        again,
        asked::{Id, Parameters},
        flash::Flash,
        form::Form,
        frame::Frame,
        html,
    },
    view::{time::parse_utc, week::Week},
};

/// What a tariff looks like as JSON, for who begins there.
const EXAMPLE: &str = r#"{
  "currency": "EUR",
  "prices_include_tax": true,
  "tax_rate": "19",
  "elements": [
    {
      "components": [{ "kind": "energy", "price": "0.25" }],
      "restrictions": { "time_from": "22:00", "time_to": "06:00" }
    },
    {
      "components": [
        { "kind": "start", "price": "1.00" },
        { "kind": "energy", "price": "0.45" },
        { "kind": "idle", "price": "6.00", "grace_minutes": 10 }
      ]
    }
  ]
}"#;

#[derive(Template)]
#[template(path = "tariff_edit.html")]
struct Editor {
    frame: Frame,
    form: Form,
    /// The tariff that gets another version; none if it is a new one.
    of: Option<tariffs::Tariff>,
    title: String,
    /// Why the form is not the one that was asked for.
    note: &'static str,
    is_json: bool,
    /// Whether the form can say what there is.
    can_form: bool,
    here: String,
    action: String,
    cancel: String,
    save: &'static str,
    week: Option<Week>,
    windows: Vec<Rule>,
    specials: Vec<Rule>,
    feeds: Vec<(String, String)>,
    sessions: Vec<(String, String)>,
    receipt: Option<Receipt>,
    /// A row as scripts add it.
    blank: Form,
    blank_rule: Rule,
}

/// The choices of a rule about holidays.
pub fn holidays() -> [(String, &'static str); 3] {
    [
        (String::new(), "Any day"),
        ("only".to_owned(), "Only on them"),
        ("never".to_owned(), "Never on them"),
    ]
}

/// The choices of a rule about where energy comes from.
pub fn sources() -> [(String, &'static str); 3] {
    [
        (String::new(), "Anywhere"),
        ("solar".to_owned(), "Solar"),
        ("grid".to_owned(), "The grid"),
    ]
}

impl Editor {
    async fn new(
        db: &mut Scoped<'_>,
        frame: Frame,
        form: Form,
        of: Option<tariffs::Tariff>,
        is_json: bool,
    ) -> Result<Self> {
        let (here, action, cancel) = match &of {
            Some(tariff) => (
                format!("{PATH}/{}/versions/new", tariff.id),
                format!("{PATH}/{}/versions", tariff.id),
                format!("{PATH}/{}", tariff.id),
            ),
            None => (format!("{PATH}/new"), PATH.to_owned(), PATH.to_owned()),
        };
        let mut feeds = vec![(String::new(), "No feed".to_owned())];
        let known = price_feeds::list(db).await?;
        feeds.extend(
            known
                .into_iter()
                .map(|feed| (feed.said.name.clone(), feed.said.name)),
        );
        if feeds.len() == 1 {
            feeds.clear();
        }
        let currency = currency(&form, of.as_ref());
        // A draft that cannot be read yet is drawn when it can.
        let drawn = currency.and_then(|currency| draft::read(&mut form.clone(), currency));
        let named = |sort| draft::rules(&form, sort).into_iter().map(Rule).collect();
        let blank_rule = Rule("w__".to_owned());
        let days = billing::tariff::Weekday::ALL.map(draft::key);
        Ok(Editor {
            title: of.as_ref().map_or_else(
                || "New tariff".to_owned(),
                |tariff| format!("New version of {}", tariff.name),
            ),
            note: "",
            can_form: true,
            save: if of.is_some() {
                "Make this version"
            } else {
                "Make this tariff"
            },
            week: drawn.and_then(|tariff| Week::of(&tariff, Kind::Energy)),
            windows: named(Sort::Window),
            specials: named(Sort::Special),
            sessions: simulate::recent(db).await?,
            receipt: None,
            blank: Form::filled(days.map(|day| (blank_rule.field("days"), day))),
            blank_rule,
            here,
            action,
            cancel,
            feeds,
            is_json,
            of,
            form,
            frame,
        })
    }
}

/// `GET /tariffs/new`.
pub async fn new(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let is_json = parameters.first("as") == Some("json");
    let mut db = frame.scope.begin(&app.pool).await?;
    let form = if is_json {
        Form::filled([("content", EXAMPLE.to_owned())])
    } else {
        let entities = legal_entities::list(&mut db).await?;
        let currency = entities
            .first()
            .map_or("EUR", |entity| entity.fields.currency.code());
        Form::filled([("currency", currency.to_owned())])
    };
    html(&Editor::new(&mut db, frame, form, None, is_json).await?)
}

/// `GET /tariffs/{id}/versions/new`: begins with what holds now, or else with the newest version.
pub async fn new_version(
    State(app): State<AppState>,
    frame: Frame,
    Id(id): Id,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let tariff = editable(&mut db, id).await?;
    let now = app.clock.now();
    let versions = tariffs::versions(&mut db, id).await?;
    let begin = in_force(&versions, now).or(versions.first());
    let content = begin.map(said).transpose()?;
    let filled = match &content {
        Some(content) => draft::fill(content),
        None => Some(Form::default()),
    };
    let can_form = filled.is_some();
    let asks_json = parameters.first("as") == Some("json");
    let form = match filled {
        Some(form) if !asks_json => form,
        _ => Form::filled([(
            "content",
            content
                .as_ref()
                .map_or_else(|| Ok(EXAMPLE.to_owned()), pretty)?,
        )]),
    };
    let is_json = asks_json || !can_form;
    let mut page = Editor::new(&mut db, frame, form, Some(tariff), is_json).await?;
    page.can_form = can_form;
    if !can_form && !asks_json {
        page.note = "This tariff says more than the form can show, so it is edited as JSON.";
    }
    html(&page)
}

/// `POST /tariffs`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if rearrange(&mut form) {
        return html(&Editor::new(&mut db, frame, form, None, false).await?);
    }
    let is_json = form.value("as") == "json";
    let is_trial = form.value("do") == "simulate";
    let name = if is_trial {
        String::new()
    } else {
        form.line("name", 1..=100)
    };
    let content = content(&mut form, None);
    let valid_from = begins(&mut form).unwrap_or(now);
    if let (true, Some(content)) = (form.is_clean(), &content) {
        if is_trial {
            return tried(&mut db, frame, form, None, content, now).await;
        }
        match tariffs::create(&mut db, &name, content.currency.code(), now).await {
            Ok(id) => {
                let detail = json!({"name": name, "currency": content.currency.code()});
                let entry = viewer.did(now, "tariff.create", entity(id), detail);
                audit::record(&mut db, &entry).await?;
                add_version(&mut db, &viewer, id, valid_from, content, now).await?;
                db.commit().await?;
                let said = format!("“{name}” was made. Say where it holds, or simulate it first.");
                return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain_of_name(&mut form, error)?,
        }
    }
    drop(db);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let page = Editor::new(&mut db, frame, form, None, is_json).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /tariffs/{id}/versions`.
pub async fn create_version(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tariff = editable(&mut db, id).await?;
    if rearrange(&mut form) {
        return html(&Editor::new(&mut db, frame, form, Some(tariff), false).await?);
    }
    let is_json = form.value("as") == "json";
    let is_trial = form.value("do") == "simulate";
    let mut content = content(&mut form, Some(&tariff));
    let valid_from = begins(&mut form).unwrap_or(now);
    // To the minute, as the form has it.
    if !is_trial && valid_from < now - chrono::TimeDelta::minutes(1) {
        let detail = "is in the past; expected now or later: what was charged has its prices";
        form.complain("valid_from", detail);
    }
    if let (true, Some(content)) = (form.is_clean(), content.as_mut()) {
        if !is_json {
            keep_extra(&mut db, id, content).await?;
        }
        if is_trial {
            return tried(&mut db, frame, form, Some(tariff), content, now).await;
        }
        let valid_from = valid_from.max(now);
        tariffs::lock(&mut db, id).await?;
        let newest = tariffs::versions(&mut db, id).await?.into_iter().next();
        if let Some(newest) = newest
            && newest.valid_from <= valid_from
            && said(&newest)? == *content
        {
            let number = newest.version;
            let said = format!("Version {number} of “{}” says this already.", tariff.name);
            return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}/versions/{number}")));
        }
        let number = add_version(&mut db, &viewer, id, valid_from, content, now).await?;
        db.commit().await?;
        let said = format!("Version {number} of “{}” was made.", tariff.name);
        return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}/versions/{number}")));
    }
    let page = Editor::new(&mut db, frame, form, Some(tariff), is_json).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The form again, and below it what the chosen session would cost.
async fn tried(
    db: &mut Scoped<'_>,
    frame: Frame,
    form: Form,
    of: Option<tariffs::Tariff>,
    content: &Tariff,
    now: DateTime<Utc>,
) -> Result<Response> {
    let is_json = form.value("as") == "json";
    let session = form.value("session").parse().ok();
    let receipt = match session {
        Some(session) => simulate::receipt(db, session, content, now).await?,
        None => None,
    };
    let mut page = Editor::new(db, frame, form, of, is_json).await?;
    page.receipt = receipt;
    html(&page)
}

/// The tariff, if it can have another version.
async fn editable(db: &mut Scoped<'_>, id: Uuid) -> Result<tariffs::Tariff> {
    let tariff = tariffs::get(db, id).await?.ok_or_else(no_such_tariff)?;
    if tariff.archived_at.is_some() {
        let detail = format!("“{}” is archived: restore it first", tariff.name);
        return Err(Error::Conflict(detail));
    }
    Ok(tariff)
}

/// Does what a button asks that only changes the form; false if it is to be kept or tried.
fn rearrange(form: &mut Form) -> bool {
    let asked = form.value("do").to_owned();
    match asked.as_str() {
        "add-window" | "add-special" => {
            let sort = if asked == "add-window" {
                Sort::Window
            } else {
                Sort::Special
            };
            if draft::add(form, sort)
                && let Some(rule) = draft::rules(form, sort).pop()
            {
                for day in billing::tariff::Weekday::ALL {
                    form.push(&format!("{rule}-days"), draft::key(day));
                }
            }
        }
        "redraw" => {}
        other => match other.strip_prefix("remove-") {
            Some(rule) => draft::remove(form, rule),
            None => return false,
        },
    }
    true
}

/// In which currency the form's prices are.
fn currency(form: &Form, of: Option<&tariffs::Tariff>) -> Option<Currency> {
    let code = of.map_or(form.value("currency"), |tariff| tariff.currency.as_str());
    code.to_ascii_uppercase().parse().ok()
}

/// What the form says; what is wrong with it is complained of.
fn content(form: &mut Form, of: Option<&tariffs::Tariff>) -> Option<Tariff> {
    if form.value("as") == "json" {
        let content = match Tariff::parse(form.value("content")) {
            Ok(content) => content,
            Err(problems) => {
                for problem in problems {
                    form.complain("content", problem.to_string());
                }
                return None;
            }
        };
        if let Some(of) = of.filter(|of| of.currency != content.currency.code()) {
            let detail = format!(
                "/currency: {} stands there; expected is {}, which every version of this tariff has",
                content.currency, of.currency
            );
            form.complain("content", detail);
            return None;
        }
        return Some(content);
    }
    let currency = match of {
        Some(of) => of.currency.parse().ok(),
        None => form.currency("currency"),
    };
    draft::read(form, currency?)
}

/// From when on it holds, if the form says so.
fn begins(form: &mut Form) -> Option<DateTime<Utc>> {
    let expected = "a minute in UTC such as 2026-11-20T14:00";
    form.optional("valid_from", expected, |text| parse_utc(text, false))
}

/// What came with an OCPI tariff and no form shows stays with it.
async fn keep_extra(db: &mut Scoped<'_>, id: Uuid, content: &mut Tariff) -> Result<()> {
    if let Some(version) = tariffs::versions(db, id).await?.first() {
        content.extra = said(version)?.extra;
    }
    Ok(())
}

/// Keeps a version; answers its number.
pub async fn add_version(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    id: Uuid,
    valid_from: DateTime<Utc>,
    content: &Tariff,
    now: DateTime<Utc>,
) -> Result<i32> {
    let content = serde_json::to_value(content)
        .map_err(|error| Error::Broken(format!("a tariff as JSON: {error}")))?;
    let version = tariffs::add_version(db, id, valid_from, &content, now)
        .await?
        .ok_or_else(no_such_tariff)?;
    let made = tariffs::versions_of(db, &[version]).await?.pop();
    let number = made.map_or(0, |made| made.version);
    let from = valid_from.to_rfc3339_opts(SecondsFormat::Secs, true);
    let detail = json!({"version": number, "valid_from": from, "content": content});
    let entry = viewer.did(now, "tariff.version", entity(id), detail);
    audit::record(db, &entry).await?;
    Ok(number)
}

/// JSON for people.
pub fn pretty(tariff: &Tariff) -> Result<String> {
    serde_json::to_string_pretty(tariff)
        .map_err(|error| Error::Broken(format!("a tariff as JSON: {error}")))
}
