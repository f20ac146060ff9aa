//! The server's API, as a scenario asks it.

use std::time::Duration;

use reqwest::{Client, Method, Url};
use serde_json::Value;

/// No request takes longer; how long a step may take is the step's affair.
const LIMIT: Duration = Duration::from_secs(30);

/// What came back.
pub(super) struct Answer {
    pub status: u16,
    /// JSON, or the text as a string.
    pub body: Value,
}

/// What is sent along.
pub(super) enum Body {
    Nothing,
    Json(Value),
    Text(String),
}

/// The API at an address, with a key.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: Client,
    base: String,
    key: String,
}

impl Api {
    pub(super) fn new(base: &str, key: &str) -> Self {
        // One provider of cryptography per process: whoever came first has chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: Client::new(),
            base: base.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        }
    }

    /// Asks once. A path is asked of the API with the key, a whole URL of whomever it names, without.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: &Body,
    ) -> Result<Answer, String> {
        let ours = path.starts_with('/');
        let url = if ours {
            format!("{}{path}", self.base)
        } else {
            path.to_owned()
        };
        let url: Url = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let method: Method = method.parse().map_err(|_| format!("no method {method}"))?;
        let mut request = self.client.request(method, url.clone()).timeout(LIMIT);
        if ours {
            request = request.bearer_auth(&self.key);
        }
        request = match body {
            Body::Nothing => request,
            Body::Json(value) => request.json(value),
            Body::Text(text) => request.body(text.clone()),
        };
        let failed = |error: reqwest::Error| format!("cannot ask {url}: {}", causes(&error));
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(failed)?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }
}

/// An error with what lies behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}
