//! `/settings/holidays`: public holidays in calendars that sites share. Days are pasted, a line each.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::NaiveDate;
use serde_json::json;
use store::{
    Scoped,
    holidays::{self, Holiday},
    sites,
};

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, asked::query, flash::Flash, form::Form, frame::Frame, html},
};

/// Where the list is.
const PATH: &str = "/settings/holidays";
/// The days that a calendar can have.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a day");
const LAST: NaiveDate = NaiveDate::from_ymd_opt(2999, 12, 31).expect("a day");
/// Days that can be pasted at a time.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "holidays.html")]
struct List {
    frame: Frame,
    form: Form,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    link: String,
    days: usize,
    next: Option<String>,
    sites: Vec<String>,
}

#[derive(Template)]
#[template(path = "calendar.html")]
struct Page {
    frame: Frame,
    form: Form,
    name: String,
    action: String,
    years: Vec<(String, Vec<Holiday>)>,
    sites: Vec<String>,
}

/// `GET /settings/holidays`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let rows = rows(&mut db, app.clock.now().date_naive()).await?;
    html(&List {
        frame,
        form: Form::default(),
        rows,
    })
}

/// `GET /settings/holidays/{name}`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    Path(name): Path<String>,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    html(&load(&mut db, frame, name, Form::default()).await?)
}

/// `POST /settings/holidays`: a new calendar with its first days, or more days for one.
pub async fn import(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let name = form.line("calendar", 1..=100);
    if name.contains('/') {
        form.expected("calendar", "a name without a slash");
    }
    let days = read_days(&mut form);
    let mut db = viewer.scope.begin(&app.pool).await?;
    if form.is_clean() {
        let new = holidays::import(&mut db, &name, &days).await?;
        let entity = format!("holidays/{name}");
        let detail = json!({"days": days.len(), "new": new});
        let entry = viewer.did(now, "holidays.import", entity, detail);
        store::audit::record(&mut db, &entry).await?;
        db.commit().await?;
        let said = format!(
            "Calendar “{name}”: {} days read, {new} of them new.",
            days.len()
        );
        return Ok(Flash::new(said).to(&app, &path(&name)));
    }
    if form.checked("here") {
        let page = load(&mut db, frame, name, form).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let rows = rows(&mut db, now.date_naive()).await?;
    again(
        StatusCode::UNPROCESSABLE_ENTITY,
        &List { frame, form, rows },
    )
}

/// `POST /settings/holidays/{name}/remove`: takes a day out.
pub async fn remove(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let day = form.value("day").parse::<NaiveDate>().ok();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let removed = match day {
        Some(day) => holidays::remove(&mut db, &name, day).await?,
        None => false,
    };
    let Some(day) = day.filter(|_| removed) else {
        return Err(no_such_day());
    };
    let entity = format!("holidays/{name}");
    let entry = viewer.did(now, "holidays.remove", entity, json!({"day": day}));
    store::audit::record(&mut db, &entry).await?;
    let left = holidays::calendars(&mut db).await?.contains(&name);
    db.commit().await?;
    let said = Flash::new(format!("{day} was taken out of “{name}”."));
    // A calendar is there as long as it has a day.
    let next = if left { path(&name) } else { PATH.to_owned() };
    Ok(said.to(&app, &next))
}

async fn load(db: &mut Scoped<'_>, frame: Frame, name: String, form: Form) -> Result<Page> {
    let days = holidays::list(db, &name, FIRST, LAST).await;
    let days = days?;
    if days.is_empty() {
        return Err(Error::NotFound("there is no such calendar".to_owned()));
    }
    let years = days
        .chunk_by(|one, other| year(one) == year(other))
        .rev()
        .map(|days| (year(&days[0]), days.to_vec()))
        .collect();
    let sites = sites::terms(db, None)
        .await?
        .into_iter()
        .filter(|terms| terms.calendar.as_ref() == Some(&name))
        .map(|terms| terms.site.name)
        .collect();
    Ok(Page {
        frame,
        form,
        action: path(&name),
        name,
        years,
        sites,
    })
}

fn year(holiday: &Holiday) -> String {
    holiday.day.format("%Y").to_string()
}

async fn rows(db: &mut Scoped<'_>, today: NaiveDate) -> Result<Vec<Row>> {
    let terms = sites::terms(db, None).await?;
    let mut rows = Vec::new();
    for name in holidays::calendars(db).await? {
        let days = holidays::list(db, &name, FIRST, LAST).await?;
        let next = days.iter().find(|holiday| holiday.day >= today);
        rows.push(Row {
            link: path(&name),
            days: days.len(),
            next: next.map(|next| format!("{} {}", next.day, next.name)),
            sites: terms
                .iter()
                .filter(|terms| terms.calendar.as_ref() == Some(&name))
                .map(|terms| terms.site.name.clone())
                .collect(),
            name,
        });
    }
    Ok(rows)
}

fn path(name: &str) -> String {
    // As a query does it, which escapes what a path may not have too.
    query(&[("", name.to_owned())]).replacen("?=", &format!("{PATH}/"), 1)
}

/// The pasted days: `2026-12-25 Christmas`, a line each; between day and name there may be a comma, a semicolon or a tab.
fn read_days(form: &mut Form) -> Vec<Holiday> {
    let text = form.value("days").to_owned();
    let mut days = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (day, name) = line.split_once([' ', ',', ';', '\t']).unwrap_or((line, ""));
        let name = name.trim_matches([' ', ',', ';', '\t', '"']);
        match day.parse() {
            Ok(day) if (FIRST..=LAST).contains(&day) && name.chars().count() <= 100 => {
                days.push(Holiday {
                    day,
                    name: name.to_owned(),
                })
            }
            _ => {
                let shown: String = line.chars().take(60).collect();
                let detail = format!(
                    "line {number}: “{shown}” is not a day and its name, such as 2026-12-25 Christmas"
                );
                form.complain("days", detail);
                break;
            }
        }
    }
    if form.complaint("days").is_none() && !(1..=MOST).contains(&days.len()) {
        let detail = format!("{} days; expected 1 to {MOST}, a line each", days.len());
        form.complain("days", detail);
    }
    days
}

fn no_such_day() -> Error {
    Error::NotFound("there is no such day in this calendar".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_from_what_people_paste() {
        let text = "2026-12-25 Christmas\n\n2026-12-26,Boxing Day\r\n2027-01-01;\n2027-04-02\t\"Good Friday\"";
        let mut form = Form::filled([("days", text.to_owned())]);
        let days: Vec<String> = read_days(&mut form)
            .iter()
            .map(|holiday| format!("{} {}", holiday.day, holiday.name))
            .collect();
        assert_eq!(
            days,
            [
                "2026-12-25 Christmas",
                "2026-12-26 Boxing Day",
                "2027-01-01 ",
                "2027-04-02 Good Friday"
            ]
        );
        assert!(form.is_clean());
        for wrong in ["", "25.12.2026 Christmas", "2026-02-30", "-10000-01-01"] {
            let mut form = Form::filled([("days", wrong.to_owned())]);
            read_days(&mut form);
            assert!(!form.is_clean(), "{wrong}");
        }
    }

    #[test]
    fn any_name_has_a_path() {
        assert_eq!(path("DE-BY"), "/settings/holidays/DE-BY");
        assert_eq!(
            path("Nord & Süd?"),
            "/settings/holidays/Nord%20%26%20S%C3%BCd%3F"
        );
    }
}
