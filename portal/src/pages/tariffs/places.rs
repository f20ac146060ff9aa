//! Where a tariff holds: assigning it to a site, a station, a connector or a driver group, and ending that.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scoped, audit, stations_read,
    tariff_assignments::{self as assignments, Assignment, Place as At},
    tariffs,
};
use uuid::Uuid;

use super::{PATH, entity, holds, load, no_such_tariff};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, asked::Id, flash::Flash, form::Form, frame::Frame},
    view::{Chip, Moment, time::parse_utc},
};

/// A place as the page shows it.
pub struct Place {
    /// What it is called.
    pub name: String,
    /// Site, station, …
    pub sort: &'static str,
    /// Since when the tariff holds there.
    pub from: Moment,
    /// Until when.
    pub to: Option<Moment>,
    /// Whether it does now.
    pub chip: Chip,
    /// Whether there is anything to end.
    pub can_end: bool,
    /// The id of the dialog that asks.
    pub dialog: String,
    /// What it asks.
    pub question: String,
    /// Where the answer goes.
    pub action: String,
}

impl Place {
    /// How an assignment looks at `now`.
    pub fn of(place: &Assignment, is_archived: bool, now: DateTime<Utc>) -> Self {
        let is_over = place.valid_to.is_some_and(|to| to <= now);
        let name = name(place);
        Place {
            sort: sort(place.place),
            from: Moment::new(place.valid_from, None),
            to: place.valid_to.map(|to| Moment::new(to, None)),
            chip: Chip::tariff(match (is_archived, holds(place, now), is_over) {
                (_, _, true) => "past",
                (true, ..) => "archived",
                (false, true, _) => "holds",
                (false, false, false) => "later",
            }),
            can_end: !is_over && !is_archived,
            dialog: format!("end-{}", place.id),
            question: format!("End it at {name}?"),
            action: format!("{PATH}/{}/assignments/{}/end", place.tariff_id, place.id),
            name,
        }
    }
}

/// What a place is called: `HQ-DC-01 · 2`, `Staff at Harbour Quay`.
pub fn name(place: &Assignment) -> String {
    let said = |name: &Option<String>| name.clone().unwrap_or_default();
    match place.place {
        At::Connector { evse, .. } => format!("{} · {evse}", said(&place.station)),
        At::Station(_) => said(&place.station),
        At::GroupAtSite { .. } => format!("{} at {}", said(&place.group), said(&place.site)),
        At::Group(_) => said(&place.group),
        At::Site(_) => said(&place.site),
    }
}

fn sort(place: At) -> &'static str {
    match place {
        At::Connector { .. } => "connector",
        At::Station(_) => "station",
        At::GroupAtSite { .. } => "driver group at a site",
        At::Group(_) => "driver group",
        At::Site(_) => "site",
    }
}

/// `POST /tariffs/{id}/assignments`.
pub async fn assign(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tariff = tariffs::get(&mut db, id)
        .await?
        .ok_or_else(no_such_tariff)?;
    if tariff.archived_at.is_some() {
        return Err(Error::Conflict(format!(
            "“{}” is archived: restore it first",
            tariff.name
        )));
    }
    let place = read_place(&mut db, &mut form).await?;
    let expected = "a minute in UTC such as 2026-11-20T14:00";
    let from = form.optional("from", expected, |text| parse_utc(text, false));
    let to = form.optional("to", expected, |text| parse_utc(text, true));
    let from = from.unwrap_or(now);
    if to.is_some_and(|to| to <= from) {
        form.expected("to", "later than its beginning");
    }
    if let (true, Some(place)) = (form.is_clean(), place) {
        tariffs::lock(&mut db, id).await?;
        let all = assignments::list(&mut db, Some(id)).await?;
        let same = |other: &&Assignment| {
            other.place == place && other.valid_to == to && other.valid_from <= from
        };
        if let Some(same) = all.iter().find(same) {
            let said = format!("“{}” holds at {} already.", tariff.name, name(same));
            return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}")));
        }
        match assignments::assign(&mut db, id, place, from, to, now).await {
            Ok(made) => {
                let all = assignments::list(&mut db, Some(id)).await?;
                let made = all.iter().find(|assignment| assignment.id == made);
                let at = made.map_or_else(String::new, name);
                let detail = json!({"place": at, "from": from, "to": to});
                let entry = viewer.did(now, "tariff.assign", entity(id), detail);
                audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let said = Flash::new(format!("“{}” is assigned to {at}.", tariff.name));
                return Ok(said.to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain(&mut form, error)?,
        }
    }
    drop(db);
    let page = load(&app, frame, id, None, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /tariffs/{id}/assignments/{assignment}/end`.
pub async fn end(
    State(app): State<AppState>,
    viewer: Viewer,
    Path((id, assignment)): Path<(String, String)>,
) -> Result<Response> {
    let ids = id.parse::<Uuid>().ok().zip(assignment.parse::<Uuid>().ok());
    let (id, assignment) = ids.ok_or_else(no_such_tariff)?;
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let all = assignments::list(&mut db, Some(id)).await?;
    let place = all
        .iter()
        .find(|place| place.id == assignment)
        .ok_or_else(no_such_tariff)?;
    let at = name(place);
    if assignments::end(&mut db, assignment, now).await? {
        let entry = viewer.did(now, "tariff.end", entity(id), json!({"place": at}));
        audit::record(&mut db, &entry).await?;
        db.commit().await?;
    }
    Ok(Flash::new(format!("It holds at {at} no longer.")).to(&app, &format!("{PATH}/{id}")))
}

/// The place that the form names; what is wrong is complained of.
async fn read_place(db: &mut Scoped<'_>, form: &mut Form) -> Result<Option<At>> {
    let site = form.optional("site", "one of the sites", |text| text.parse().ok());
    let group = form.optional("group", "one of the driver groups", |text| {
        text.parse().ok()
    });
    let evse = form.optional("connector", "the number of a connector, from 1", |text| {
        text.parse().ok().filter(|evse| (1..=1000).contains(evse))
    });
    let identity = form.line("station", 0..=100);
    let station = if identity.is_empty() {
        None
    } else {
        let found = stations_read::get(db, &identity).await?;
        if found.is_none() {
            form.expected("station", "the identity of a station");
        }
        found.map(|station| station.id)
    };
    if !identity.is_empty() {
        for other in ["site", "group"] {
            if !form.value(other).is_empty() {
                form.complain(other, "is given besides a station; expected either of them");
            }
        }
    } else if evse.is_some() {
        form.complain("station", "is missing; a connector is one of a station");
    } else if form.is_clean() && site.is_none() && group.is_none() {
        form.complain(
            "site",
            "is missing; expected a site, a station or a driver group",
        );
    }
    Ok(match (station, evse, group, site) {
        (Some(station_id), Some(evse), ..) => Some(At::Connector { station_id, evse }),
        (Some(station_id), None, ..) => Some(At::Station(station_id)),
        (None, _, Some(group_id), Some(site_id)) => Some(At::GroupAtSite { group_id, site_id }),
        (None, _, Some(group_id), None) => Some(At::Group(group_id)),
        (None, _, None, Some(site_id)) => Some(At::Site(site_id)),
        (None, _, None, None) => None,
    })
}

/// What the database refused by name is something to be corrected.
fn complain(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("tariff_assignments_site_id_fkey") {
        form.expected("site", "one of the sites");
    } else if error.is_conflict("tariff_assignments_group_id_fkey") {
        form.expected("group", "one of the driver groups");
    } else {
        return Err(error.into());
    }
    Ok(())
}
