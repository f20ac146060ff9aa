//! `/stations/{identity}`: one station. Who it is and whether it is there stands above every tab; what one can look at
//! there is a tab, with a file and a template of its own. A new tab is a line in [`TABS`] and those two.

mod act;
pub mod charging;
mod charging_form;
pub mod commands;
pub mod configuration;
pub mod firmware;
pub mod head;
pub mod history;
pub mod local_list;
pub mod messages;
pub mod overview;
pub mod reservations;
pub mod security;
pub mod sessions;
pub mod settings;
mod trusted;

pub(crate) use head::Head;

use store::{Scoped, people::Role, stations_read::Station};

use super::{asked::Parameters, frame::Frame};
use crate::{AppState, Error, Result, Route, auth::Viewer, live::Part};

/// What one can look at of a station.
pub struct Tab {
    /// The last part of its path; empty for the first tab.
    pub slug: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// Who is shown it; anybody else is refused.
    pub sees: fn(&Viewer, &Station) -> bool,
    /// Its page, and what its buttons and forms do.
    pub routes: fn() -> Vec<Route>,
}

const fn tab(
    slug: &'static str,
    title: &'static str,
    sees: fn(&Viewer, &Station) -> bool,
    routes: fn() -> Vec<Route>,
) -> Tab {
    Tab {
        slug,
        title,
        sees,
        routes,
    }
}

/// The tabs in the order in which they are shown.
pub const TABS: &[Tab] = &[
    tab("", "Overview", everybody, overview::routes),
    tab("sessions", "Sessions", everybody, sessions::routes),
    tab("messages", "Messages", staff, messages::routes),
    tab("commands", "Commands", staff, commands::routes),
    tab(
        "configuration",
        "Configuration",
        everybody,
        configuration::routes,
    ),
    tab(
        "charging-profiles",
        "Charging profiles",
        everybody,
        charging::routes,
    ),
    tab("local-list", "Local list", staff, local_list::routes),
    tab("reservations", "Reservations", staff, reservations::routes),
    tab(
        "firmware",
        "Firmware and diagnostics",
        staff,
        firmware::routes,
    ),
    tab("security", "Security", staff, security::routes),
    tab("history", "History", staff, history::routes),
    tab("settings", "Settings", settings::sees, settings::routes),
];

/// Whoever sees the station.
fn everybody(_: &Viewer, _: &Station) -> bool {
    true
}

/// Whoever sees the station and is no partner: what chargers say on the wire names people's cards.
fn staff(viewer: &Viewer, _: &Station) -> bool {
    viewer.role != Some(Role::Partner)
}

/// The routes of all tabs.
pub fn routes() -> Vec<Route> {
    let mut routes = act::routes();
    routes.extend(TABS.iter().flat_map(|tab| (tab.routes)()));
    routes
}

/// What of a station's page changes by itself: its head, and what its tab says of that.
pub(crate) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: Frame,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let identity = parameters.first("identity").unwrap_or_default();
    let slug = parameters.first("tab").unwrap_or_default();
    let now = app.clock.now();
    let head = Head::load(app, db, &frame, identity, slug).await?;
    let mut parts = vec![head.part()?];
    parts.extend(match head.slug {
        "" => overview::parts(app, db, frame, head).await?,
        "sessions" => sessions::parts(app, db, &frame, &head, parameters).await?,
        "messages" => messages::parts(app, db, &frame, &head, parameters).await?,
        "commands" => commands::parts(db, &head, parameters).await?,
        "configuration" => configuration::parts(db, frame, head).await?,
        "charging-profiles" => charging::parts(db, frame, head, parameters, now).await?,
        "local-list" => local_list::parts(db, frame, head, now).await?,
        "reservations" => reservations::parts(db, frame, head, now).await?,
        "firmware" => firmware::parts(db, &head).await?,
        "security" => security::parts(db, frame, head, now).await?,
        "history" => history::parts(db, frame, head, parameters).await?,
        // Settings are a form, which nobody changes but who fills it in.
        _ => Vec::new(),
    });
    Ok(parts)
}

/// Where a tab of a station is.
fn path(identity: &str, slug: &str) -> String {
    let identity =
        askama::filters::urlencode_strict(identity).expect("percent-encoding cannot fail");
    format!("/stations/{identity}/{slug}")
}

/// The numbers of a station's connectors, and 0; of one that told of none yet, 0 and 1.
fn connectors(station: &Station) -> Vec<i32> {
    let mut numbers: Vec<i32> = station.connectors.iter().map(|told| told.evse).collect();
    numbers.push(0);
    if numbers.iter().all(|number| *number == 0) {
        numbers.push(1);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// A connector in words.
fn place(connector: i32) -> String {
    match connector {
        0 => "The charge point as a whole".to_owned(),
        number => format!("Connector {number}"),
    }
}

/// The connectors of a station as a form offers them, the station as a whole last.
fn places(station: &Station) -> Vec<(String, String)> {
    let mut numbers = connectors(station);
    numbers.rotate_left(1);
    numbers
        .into_iter()
        .map(|number| (number.to_string(), place(number)))
        .collect()
}

/// It is not there, or not this reader's: the answer is the same.
pub(crate) fn no_such_station() -> Error {
    Error::NotFound("there is no such station".to_owned())
}
