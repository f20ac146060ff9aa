//! `/mappings`: on whose account each token charges. What there is to choose from in Lago is asked for when a form is
//! shown; a Lago that does not answer leaves our own customers.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{Html, Response},
};
use billing::lago::wire::Subscription;
use serde_json::json;
use store::{
    Scoped,
    customers::{self, Customer},
    holds, past_accounts,
    tag_mappings::{self, Changed, Mapping, NewMapping},
};
use uuid::Uuid;

use super::{
    again,
    asked::{Id, Parameters},
    flash::Flash,
    form::Form,
    frame::Frame,
    html,
};
use crate::{
    App, AppState, Error, Result,
    auth::Viewer,
    lago::{customer_of, subscription_label},
};

/// Tokens and customers to choose from.
const CHOICES: i64 = 500;
/// Before the id of a customer of Lago's that is not ours yet.
const IN_LAGO: &str = "lago:";

#[derive(Template)]
#[template(path = "mappings.html")]
struct List {
    frame: Frame,
    rows: Vec<Mapping>,
    local: bool,
    held: i64,
}

#[derive(Template)]
#[template(path = "mapping.html")]
struct Page {
    frame: Frame,
    form: Form,
    /// None for one that is to be made.
    mapping: Option<Mapping>,
    tokens: Vec<(String, String)>,
    customers: Vec<(String, String)>,
    subscriptions: Vec<(String, String)>,
    /// Why Lago's lists are missing.
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "mapping_subscriptions.html")]
struct Options {
    subscriptions: Vec<(String, String)>,
}

/// What a form chooses from.
#[derive(Default)]
struct Choices {
    tokens: Vec<String>,
    ours: Vec<Customer>,
    theirs: Vec<(String, String)>,
    subscriptions: Vec<Subscription>,
    trouble: Option<String>,
}

impl Choices {
    async fn load(app: &App, db: &mut Scoped<'_>) -> Result<Self> {
        let mut choices = Choices {
            tokens: tag_mappings::unmapped(db, CHOICES).await?,
            ours: customers::list(db, None, None, CHOICES).await?,
            ..Choices::default()
        };
        let Some(client) = &app.lago.client else {
            choices.trouble =
                Some("Lago is not set up here; usage is kept until it is.".to_owned());
            return Ok(choices);
        };
        let (customers, subscriptions) =
            tokio::join!(client.customers(), client.subscriptions(None));
        match (customers, subscriptions) {
            (Ok(customers), Ok(subscriptions)) => {
                choices.theirs = customers
                    .into_iter()
                    .map(|found| {
                        let name = found.name.filter(|name| !name.is_empty());
                        (found.external_id.clone(), name.unwrap_or(found.external_id))
                    })
                    .collect();
                choices.subscriptions = subscriptions;
            }
            (Err(error), _) | (_, Err(error)) => {
                choices.trouble = Some(format!("Lago's lists are missing: {error}."));
            }
        }
        Ok(choices)
    }

    /// Ours first, then those of Lago's that are not ours yet.
    fn customers(&self) -> Vec<(String, String)> {
        let known = |id: &str| {
            self.ours
                .iter()
                .any(|ours| ours.fields.lago_external_id.as_deref() == Some(id))
        };
        let ours = self.ours.iter().map(|ours| {
            let label = match &ours.fields.lago_external_id {
                Some(id) => format!("{} ({id})", ours.fields.name),
                None => format!("{} (not in Lago)", ours.fields.name),
            };
            (ours.id.to_string(), label)
        });
        let theirs = self
            .theirs
            .iter()
            .filter(|(id, _)| !known(id))
            .map(|(id, name)| (format!("{IN_LAGO}{id}"), format!("{name} ({id}, new here)")));
        let first = (String::new(), "Choose a customer".to_owned());
        std::iter::once(first).chain(ours).chain(theirs).collect()
    }

    /// What Lago calls a customer of the form.
    fn in_lago<'c>(&'c self, customer: &'c str) -> Option<&'c str> {
        customer.strip_prefix(IN_LAGO).or_else(|| {
            self.ours
                .iter()
                .find(|ours| ours.id.to_string() == customer)
                .and_then(|ours| ours.fields.lago_external_id.as_deref())
        })
    }

    /// The active subscriptions of a customer of the form; of all while none is chosen.
    fn subscriptions(&self, customer: &str, chosen: &str) -> Vec<(String, String)> {
        let id = self.in_lago(customer);
        let mut options = vec![(String::new(), "The customer’s first active one".to_owned())];
        for found in &self.subscriptions {
            let fits = customer.is_empty() || id == Some(found.external_customer_id.as_str());
            if fits {
                options.push((found.external_id.clone(), subscription_label(found)));
            }
        }
        // What is kept stays to be chosen, also while Lago does not answer.
        if !options.iter().any(|(id, _)| id == chosen) {
            options.push((chosen.to_owned(), format!("{chosen} (not active in Lago)")));
        }
        options
    }
}

impl Page {
    fn new(frame: Frame, form: Form, mapping: Option<Mapping>, choices: &Choices) -> Self {
        let first = (String::new(), "Choose a token".to_owned());
        let tokens = choices.tokens.iter().map(|t| (t.clone(), t.clone()));
        Page {
            tokens: std::iter::once(first).chain(tokens).collect(),
            customers: choices.customers(),
            subscriptions: choices
                .subscriptions(form.value("customer"), form.value("subscription")),
            trouble: choices.trouble.clone(),
            frame,
            form,
            mapping,
        }
    }
}

/// `GET /mappings`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let rows = tag_mappings::list(&mut db).await?;
    let held = holds::count(&mut db).await?;
    html(&List {
        frame,
        rows,
        held,
        local: app.lago.client.is_none(),
    })
}

/// `GET /mappings/new`.
pub async fn new(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let choices = Choices::load(&app, &mut db).await?;
    let token = parameters.first("token").unwrap_or_default().to_owned();
    let form = Form::filled([("id_token", token), ("active", "yes".to_owned())]);
    html(&Page::new(frame, form, None, &choices))
}

/// `GET /mappings/subscriptions`: the options that fit the customer just chosen.
pub async fn subscriptions(
    State(app): State<AppState>,
    viewer: Viewer,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let choices = Choices::load(&app, &mut db).await?;
    let customer = parameters.first("customer").unwrap_or_default();
    let options = Options {
        subscriptions: choices.subscriptions(customer, ""),
    };
    let text = options
        .render()
        .map_err(|error| Error::Broken(format!("a template: {error}")))?;
    Ok(axum::response::IntoResponse::into_response(Html(text)))
}

/// `GET /mappings/{id}`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mapping = found(&mut db, id).await?;
    let choices = Choices::load(&app, &mut db).await?;
    let form = filled(&mapping);
    html(&Page::new(frame, form, Some(mapping), &choices))
}

/// `POST /mappings`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let choices = Choices::load(&app, &mut db).await?;
    let id_token = form.line("id_token", 1..=36);
    let new = read(&mut form, &mut db, &app, &choices, id_token).await?;
    if form.is_clean() {
        match tag_mappings::create(&mut db, &new, now).await {
            Ok(made) => {
                let detail = json!({"id_token": new.id_token, "children": made.children.len()});
                let entity = format!("mapping/{}", made.id);
                let entry = viewer.did(now, "mapping.create", entity, detail);
                store::audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let text = format!("{} is mapped{}.", new.id_token, and_children(&made));
                return Ok(Flash::new(text).to(&app, "/mappings"));
            }
            Err(error) if error.is_conflict("tag_mappings_id_token_key") => {
                // The transaction is spoilt; the page needs nothing more of it.
                form.complain("id_token", "has a mapping already; expected one without");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let page = Page::new(frame, form, None, &choices);
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /mappings/{id}`.
pub async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mapping = found(&mut db, id).await?;
    let choices = Choices::load(&app, &mut db).await?;
    let before = filled(&mapping);
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    let new = read(&mut form, &mut db, &app, &choices, mapping.id_token.clone()).await?;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if form.is_clean() {
        let changed = tag_mappings::update(&mut db, id, &new, now)
            .await?
            .ok_or_else(no_such_mapping)?;
        if form.checked("also_before") {
            past_accounts::forget(&mut db, &mapping.id_token).await?;
        }
        let detail = form.changes(&before);
        let entry = viewer.did(now, "mapping.change", format!("mapping/{id}"), detail);
        store::audit::record(&mut db, &entry).await?;
        db.commit().await?;
        let text = format!(
            "The mapping of {} was saved{}; it holds from the next event on.",
            mapping.id_token,
            and_children(&changed)
        );
        return Ok(Flash::new(text).to(&app, "/mappings"));
    }
    again(status, &Page::new(frame, form, Some(mapping), &choices))
}

/// `POST /mappings/{id}/toggle`: on or off.
pub async fn toggle(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mapping = found(&mut db, id).await?;
    let new = NewMapping {
        id_token: mapping.id_token.clone(),
        customer_id: mapping.customer_id,
        subscription: mapping.subscription.clone(),
        display_name: mapping.display_name.clone(),
        notes: mapping.notes.clone(),
        active: !mapping.active,
    };
    let changed = tag_mappings::update(&mut db, id, &new, now)
        .await?
        .ok_or_else(no_such_mapping)?;
    let detail = json!({"active": {"before": mapping.active, "after": new.active}});
    let entry = viewer.did(now, "mapping.change", format!("mapping/{id}"), detail);
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let word = if new.active { "on" } else { "off" };
    let text = format!(
        "The mapping of {} is {word}{}.",
        mapping.id_token,
        and_children(&changed)
    );
    let undo = format!("/mappings/{id}/toggle");
    Ok(Flash::new(text).with_undo(undo).to(&app, "/mappings"))
}

/// `POST /mappings/{id}/delete`.
pub async fn delete(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let mapping = found(&mut db, id).await?;
    let deleted = tag_mappings::delete(&mut db, id, now)
        .await?
        .ok_or_else(no_such_mapping)?;
    let detail = json!({"id_token": mapping.id_token, "children": deleted.children.len()});
    let entry = viewer.did(now, "mapping.delete", format!("mapping/{id}"), detail);
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let text = format!(
        "The mapping of {} was deleted{}.",
        mapping.id_token,
        and_children(&deleted)
    );
    Ok(Flash::new(text).to(&app, "/mappings"))
}

fn and_children(changed: &Changed) -> String {
    match changed.children.len() {
        0 => String::new(),
        1 => ", with 1 child".to_owned(),
        n => format!(", with {n} children"),
    }
}

async fn found(db: &mut Scoped<'_>, id: Uuid) -> Result<Mapping> {
    tag_mappings::find(db, id)
        .await?
        .ok_or_else(no_such_mapping)
}

fn no_such_mapping() -> Error {
    Error::NotFound("there is no such mapping".to_owned())
}

/// What people can set, as the form has it.
fn filled(mapping: &Mapping) -> Form {
    let active = if mapping.active { "yes" } else { "" };
    Form::filled([
        ("customer", mapping.customer_id.to_string()),
        (
            "subscription",
            mapping.subscription.clone().unwrap_or_default(),
        ),
        ("display_name", mapping.display_name.clone()),
        ("notes", mapping.notes.clone()),
        ("active", active.to_owned()),
    ])
}

async fn read(
    form: &mut Form,
    db: &mut Scoped<'_>,
    app: &App,
    choices: &Choices,
    id_token: String,
) -> Result<NewMapping> {
    let customer = form.value("customer").to_owned();
    let subscription = form.line("subscription", 0..=200);
    let in_lago = choices.in_lago(&customer).map(str::to_owned);
    let theirs = choices
        .subscriptions
        .iter()
        .find(|s| s.external_id == subscription);
    if theirs.is_some_and(|s| Some(&s.external_customer_id) != in_lago.as_ref()) {
        form.complain(
            "subscription",
            "belongs to another customer; expected one of the customer chosen above",
        );
    }
    let display_name = form.line("display_name", 0..=200);
    let notes = form.lines("notes", 0..=2000);
    let customer_id = match customer.strip_prefix(IN_LAGO) {
        Some(id) => {
            let known = choices.theirs.iter().find(|(known, _)| known == id);
            match known.filter(|_| form.is_clean()) {
                Some((id, name)) => Some(customer_of(db, app, id, Some(name)).await?),
                None => None,
            }
        }
        None => {
            let id = customer.parse().ok();
            id.filter(|id| choices.ours.iter().any(|ours| ours.id == *id))
        }
    };
    if customer_id.is_none() && form.is_clean() {
        form.expected("customer", "a customer of the list");
    }
    Ok(NewMapping {
        id_token,
        customer_id: customer_id.unwrap_or_default(),
        subscription: Some(subscription).filter(|id| !id.is_empty()),
        display_name,
        notes,
        active: form.checked("active"),
    })
}
