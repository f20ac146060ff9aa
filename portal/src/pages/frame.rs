//! What every page has around its content: navigation, who is signed in, the theme, what was just done, and where the
//! live stream begins.

use axum::{extract::FromRequestParts, http::request::Parts};
use store::{Scope, events::Position, people::Role};

use crate::{
    Access, AppState, Error, Result,
    auth::Viewer,
    pages::{flash::Flash, theme},
    view::icon,
};

/// A group of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is about.
    pub title: &'static str,
    /// Its lines.
    pub items: Vec<&'static Item>,
}

/// A line of the navigation.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it leads. Pages below it belong to it.
    pub path: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// An SVG path.
    pub icon: &'static str,
    /// Who may go there: nobody else is shown the line.
    pub access: Access,
    /// Whether partners are shown it.
    pub partners: bool,
}

const fn item(path: &'static str, name: &'static str, icon: &'static str, access: Access) -> Item {
    Item {
        path,
        name,
        icon,
        access,
        partners: true,
    }
}

/// A line that names people's cards: not for partners.
const fn staff(path: &'static str, name: &'static str, icon: &'static str) -> Item {
    Item {
        partners: false,
        ..item(path, name, icon, Access::Read)
    }
}

/// The navigation: groups and their lines, in the order in which they are shown.
pub const NAVIGATION: [(&str, &[Item]); 4] = [
    (
        "Operate",
        &[
            item("/", "Overview", icon::BARS, Access::Read),
            item("/stations", "Stations", icon::STATION, Access::Read),
            item("/sessions", "Sessions", icon::BOLT, Access::Read),
            staff("/messages", "Messages", icon::LIST),
            item("/firmware", "Firmware", icon::ARCHIVE, Access::Read),
            item("/tasks", "Tasks", icon::LIST, Access::Read),
            item(
                "/configuration-templates",
                "Templates",
                icon::LIST,
                Access::ReadAll,
            ),
        ],
    ),
    (
        "Money",
        &[
            item("/tariffs", "Tariffs", icon::TAG, Access::Read),
            item("/held", "Held", icon::PAUSE, Access::Read),
            item("/invoices", "Invoices", icon::PAGE, Access::Read),
            item("/payments", "Payments", icon::COINS, Access::Read),
            item("/reports", "Reports", icon::CHART, Access::Read),
            item("/mappings", "Mappings", icon::CHAIN, Access::ReadAll),
            item(
                "/billing-events",
                "Billing events",
                icon::LIST,
                Access::Read,
            ),
            item("/sync", "Sync", icon::SYNC, Access::ReadAll),
        ],
    ),
    (
        "Customers",
        &[
            item("/customers", "Customers", icon::PEOPLE, Access::ReadAll),
            item("/tags", "Id tags", icon::CARD, Access::ReadAll),
            item(
                "/driver-groups",
                "Driver groups",
                icon::CARD,
                Access::ReadAll,
            ),
        ],
    ),
    (
        "Admin",
        &[item(
            "/settings",
            "Settings",
            icon::SLIDERS,
            Access::ReadAll,
        )],
    ),
];

/// The frame of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The navigation, as far as this reader may go.
    pub groups: Vec<Group>,
    /// The path of the navigation's current line.
    pub section: &'static str,
    /// Who is signed in.
    pub name: String,
    /// In which role.
    pub role: &'static str,
    /// auto, light or dark.
    pub theme: &'static str,
    /// This page's path and query.
    pub back: String,
    /// What was just done.
    pub flash: Option<Flash>,
    /// From where on the live stream tells what this page does not know yet.
    pub position: Position,
    /// What may be seen.
    pub scope: Scope,
    /// Whether this reader may change what belongs to no site: buttons are shown by it.
    pub controls_all: bool,
    /// Whether id tokens are a person's own affair to this reader.
    pub masks_tokens: bool,
    /// Who looks: a page asks it what of one station may be changed.
    pub viewer: Viewer,
}

impl FromRequestParts<AppState> for Frame {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let viewer = Viewer::from_request_parts(parts, app).await?;
        Ok(Frame {
            groups: groups(&viewer),
            section: section(parts.uri.path()),
            role: viewer.role.map_or("", Role::as_str),
            theme: theme::chosen(&parts.headers),
            back: parts
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            flash: Flash::brought(app, &parts.headers),
            position: Position::default(),
            controls_all: viewer.may_control(None),
            masks_tokens: viewer.role == Some(Role::Partner),
            name: viewer.name.clone(),
            scope: viewer.scope.clone(),
            viewer,
        })
    }
}

/// The lines that lead where `viewer` may go.
fn groups(viewer: &Viewer) -> Vec<Group> {
    NAVIGATION
        .iter()
        .map(|(title, items)| Group {
            title,
            items: items
                .iter()
                .filter(|item| viewer.may(item.access).is_ok())
                .filter(|item| item.partners || viewer.role != Some(Role::Partner))
                .collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}

/// The line that a path belongs to: the longest that it is below of.
fn section(path: &str) -> &'static str {
    // Stations that wait are stations, though no page of one.
    let path = if path == "/waiting" {
        "/stations"
    } else {
        path
    };
    NAVIGATION
        .iter()
        .flat_map(|(_, items)| items.iter())
        .map(|item| item.path)
        .filter(|section| {
            path.strip_prefix(section)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|section| section.len())
        .unwrap_or("/")
}

impl Frame {
    /// Whether this reader sees no row at all.
    pub fn sees_nothing(&self) -> bool {
        self.scope == Scope::Nothing
    }

    /// An id token as this reader may see it: a partner sees its last four characters.
    pub fn token(&self, token: &str) -> String {
        if !self.masks_tokens || token.is_empty() {
            return token.to_owned();
        }
        let characters: Vec<char> = token.chars().collect();
        // Of a short token the last four would be most of it.
        let shown = if characters.len() >= 8 { 4 } else { 0 };
        format!(
            "••••{}",
            characters[characters.len() - shown..]
                .iter()
                .collect::<String>()
        )
    }
}

#[cfg(test)]
mod tests {
    use store::people::User;

    use super::*;

    #[test]
    fn a_partner_sees_the_end_of_a_token_only() {
        let user = User {
            id: uuid::Uuid::nil(),
            email: String::new(),
            name: String::new(),
            role: Role::Partner,
        };
        let mut frame = Frame {
            groups: Vec::new(),
            section: "/",
            name: String::new(),
            role: "partner",
            theme: "auto",
            back: String::new(),
            flash: None,
            position: Position::default(),
            scope: Scope::Nothing,
            controls_all: false,
            masks_tokens: true,
            viewer: Viewer::of_user(&user, &[]),
        };
        assert_eq!(frame.token("04A1B2C3D47F2A"), "••••7F2A");
        assert_eq!(frame.token("1234"), "••••");
        assert_eq!(frame.token(""), "");
        frame.masks_tokens = false;
        assert_eq!(frame.token("04A1B2C3D47F2A"), "04A1B2C3D47F2A");
    }

    #[test]
    fn a_page_belongs_to_the_line_that_it_is_below_of() {
        for (path, line) in [
            ("/", "/"),
            ("/sessions/0199", "/sessions"),
            ("/customers/new", "/customers"),
            ("/customersx", "/"),
            ("/waiting", "/stations"),
        ] {
            assert_eq!(section(path), line);
        }
    }
}
