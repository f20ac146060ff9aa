//! What a page was asked for: the query's parameters, understood or refused by name. Unknown ones are ignored.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, request::Parts},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Result, view::time::parse_utc};

/// The parameters of a query in their order; a name may stand there several times. Empty ones say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Error::Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
        // The database cannot even be asked for NUL.
        match pairs.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, value)) => Err(refuse(
                name,
                &value.replace('\0', "\u{2400}"),
                "a text without NUL",
            )),
            None => Ok(Parameters::from(pairs)),
        }
    }
}

/// The id in a path. What is no id names nothing that there is: 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok()
            .and_then(|Path(id)| id.parse().ok())
            .map(Id)
            .ok_or_else(|| Error::NotFound("there is no such page".to_owned()))
    }
}

impl From<Vec<(String, String)>> for Parameters {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Parameters(
            pairs
                .into_iter()
                .map(|(name, value)| (name, value.trim().to_owned()))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }
}

impl Parameters {
    /// Every name and value in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|pair| pair.0 == name)
            .map(|pair| pair.1.clone())
            .collect()
    }

    /// The first value of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.as_str())
    }

    /// The first value of a name as `read` understands it.
    ///
    /// # Errors
    /// 400 that names the parameter, its value and what was `expected`.
    pub fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        self.first(name)
            .map(|value| read(value).ok_or_else(|| refuse(name, value, expected)))
            .transpose()
    }

    /// An instant; `ends` says that a day alone is meant to its end.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn instant(&self, name: &str, ends: bool) -> Result<Option<DateTime<Utc>>> {
        self.read(
            name,
            "a day (2026-11-20), a minute in UTC (2026-11-20T14:00) or an RFC 3339 instant",
            |text| parse_utc(text, ends),
        )
    }

    /// An id.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn id(&self, name: &str) -> Result<Option<Uuid>> {
        self.read(name, "a UUID", |text| text.parse().ok())
    }
}

/// 400: which parameter, what it said, what it may say.
pub fn refuse(name: &str, value: &str, expected: &str) -> Error {
    let shown: String = value.chars().take(80).collect();
    Error::Refused(
        StatusCode::BAD_REQUEST,
        format!("{name}: “{shown}” is not {expected}"),
    )
}

/// A query of these pairs, with its question mark; nothing of nothing.
pub fn query(pairs: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        let value = askama::filters::urlencode_strict(value).expect("percent-encoding cannot fail");
        text.push_str(&value.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_is_refused_by_name() {
        let asked = Parameters::from(vec![
            ("from".to_owned(), "yesterday".to_owned()),
            ("to".to_owned(), " ".to_owned()),
        ]);
        let Err(Error::Refused(StatusCode::BAD_REQUEST, detail)) = asked.instant("from", false)
        else {
            panic!("accepted");
        };
        assert!(
            detail.starts_with("from: “yesterday” is not a day"),
            "{detail}"
        );
        assert_eq!(asked.instant("to", true).unwrap(), None);
        assert_eq!(asked.instant("nothing", true).unwrap(), None);
    }

    #[test]
    fn a_query_survives_any_value() {
        assert_eq!(query(&[]), "");
        assert_eq!(
            query(&[("station", "A&B=ä/1".to_owned()), ("q", "x y".to_owned())]),
            "?station=A%26B%3D%C3%A4%2F1&q=x%20y"
        );
    }
}
