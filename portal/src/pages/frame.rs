//! What every page has around its content: navigation, who is signed in, the theme, and where the live stream begins.

use axum::{extract::FromRequestParts, http::request::Parts};
use store::{Scope, events::Position, people::Role};

use crate::{Error, Result, auth::Viewer, pages::theme, view::icon};

/// A line of the navigation.
#[derive(Debug)]
pub struct Item {
    /// Where it leads.
    pub path: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// An SVG path.
    pub icon: &'static str,
}

/// The navigation.
pub const NAVIGATION: [Item; 3] = [
    Item {
        path: "/",
        name: "Overview",
        icon: "M2.5 13.5v-5M6.2 13.5v-8M9.8 13.5V9M13.5 13.5v-11",
    },
    Item {
        path: "/stations",
        name: "Stations",
        icon: "M3 14V3.5A1.5 1.5 0 0 1 4.5 2h4A1.5 1.5 0 0 1 10 3.5V14M2 14h9M10 8h1.5v3.2a1.2 1.2 0 0 0 2.4 0V6L12 4M6.8 4.8 5.2 7.5h2.6L6.2 10.2",
    },
    Item {
        path: "/sessions",
        name: "Sessions",
        icon: icon::BOLT,
    },
];

/// The frame of a page.
#[derive(Debug, Clone)]
pub struct Frame {
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
    /// From where on the live stream tells what this page does not know yet.
    pub position: Position,
    /// What may be seen.
    pub scope: Scope,
    /// Whether id tokens are a person's own affair to this reader.
    pub masks_tokens: bool,
}

impl<S: Sync> FromRequestParts<S> for Frame {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let viewer = Viewer::from_request_parts(parts, state).await?;
        let section = NAVIGATION
            .iter()
            .map(|item| item.path)
            .rfind(|path| *path == "/" || parts.uri.path().starts_with(path))
            .unwrap_or("/");
        Ok(Frame {
            section,
            name: viewer.name,
            role: viewer.role.map_or("", Role::as_str),
            theme: theme::chosen(&parts.headers),
            back: parts
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            position: Position::default(),
            scope: viewer.scope,
            masks_tokens: viewer.role == Some(Role::Partner),
        })
    }
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
    use super::*;

    #[test]
    fn a_partner_sees_the_end_of_a_token_only() {
        let mut frame = Frame {
            section: "/",
            name: String::new(),
            role: "partner",
            theme: "auto",
            back: String::new(),
            position: Position::default(),
            scope: Scope::Nothing,
            masks_tokens: true,
        };
        assert_eq!(frame.token("04A1B2C3D47F2A"), "••••7F2A");
        assert_eq!(frame.token("1234"), "••••");
        assert_eq!(frame.token(""), "");
        frame.masks_tokens = false;
        assert_eq!(frame.token("04A1B2C3D47F2A"), "04A1B2C3D47F2A");
    }
}
