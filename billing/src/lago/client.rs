//! Speaking to Lago over HTTP. What answers mean is decided in [`super::wire`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, Response, header::RETRY_AFTER};
use serde::{Deserialize, de::DeserializeOwned};
use service::{
    config::{LagoApi, Secret},
    http,
};

use super::wire::{self, Answer, Customer, Invoice, Kept, Meta, Metric, Subscription, Usage, Wait};

/// The longest answer that is read.
const LONGEST: usize = 4 * 1024 * 1024;
/// Entries of a page.
const PER_PAGE: &str = "100";
/// Pages of a list: a server that always names a next page ends here.
const PAGES: u64 = 10_000;

/// A connection to one Lago.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// With `/api/v1` at its end.
    base: String,
    key: Secret,
}

/// Why Lago did not tell what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("Lago knows no {0}")]
    NotFound(String),
    /// The key does not open this.
    #[error("Lago refuses the key ({0}): check LAGO_API_KEY")]
    Key(u16),
    /// Another status.
    #[error("Lago answers {0}")]
    Status(u16),
    /// No answer.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// An answer that cannot be read.
    #[error("Lago's answer cannot be read: {0}")]
    Unreadable(String),
}

/// One page of any list: `{"customers": […], "meta": {…}}`.
struct Page<T> {
    items: Vec<T>,
    meta: Meta,
}

impl Client {
    /// A client of `api` that waits `answer` for each answer.
    ///
    /// # Errors
    /// When the system has no certificates that can be read.
    pub fn new(api: &LagoApi, answer: Duration) -> Result<Self, http::Error> {
        let patience = http::Patience {
            connect: answer.min(Duration::from_secs(5)),
            whole: answer,
        };
        Ok(Self {
            http: http::client(patience)?,
            base: format!("{}/api/v1", api.url),
            key: api.key.clone(),
        })
    }

    /// Sends a batch that [`wire::batch`] made of `count` events.
    pub async fn send(&self, batch: Vec<u8>, count: usize) -> Answer {
        let request = self
            .request(Method::POST, "/events/batch")
            .header("content-type", "application/json")
            .body(batch);
        let later = |error: http::Error| Answer::Later {
            why: error.to_string(),
            wait: None,
        };
        let response = match request.send().await.map_err(http::Error::Transport) {
            Ok(response) => response,
            Err(error) => return later(error),
        };
        let (status, wait) = (response.status().as_u16(), waits(&response));
        if response.status().is_success() {
            // It is taken whether or not the echo of the events arrives whole.
            return Answer::Taken;
        }
        match http::body(response, LONGEST).await {
            Ok(body) => wire::judge(status, &wait, &body, count),
            Err(error) => later(error),
        }
    }

    /// The billable metric of this code.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn metric(&self, code: &str) -> Result<Metric, Error> {
        #[derive(Deserialize)]
        struct Body {
            billable_metric: Metric,
        }
        let code = percent(code);
        let body: Body = self.get(&format!("/billable_metrics/{code}"), &[]).await?;
        Ok(body.billable_metric)
    }

    /// Every customer.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn customers(&self) -> Result<Vec<Customer>, Error> {
        self.list("customers", &[]).await
    }

    /// The active subscriptions, of one customer or of all.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn subscriptions(&self, customer: Option<&str>) -> Result<Vec<Subscription>, Error> {
        let mut filter = vec![("status[]", "active")];
        filter.extend(customer.map(|customer| ("external_customer_id", customer)));
        let found: Vec<Subscription> = self.list("subscriptions", &filter).await?;
        Ok(found
            .into_iter()
            .filter(|subscription| subscription.status == "active")
            .collect())
    }

    /// The events of a subscription that Lago has from `from` until before `to`.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn events(
        &self,
        subscription: &str,
        code: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Kept>, Error> {
        let last = to - chrono::TimeDelta::seconds(1);
        let (from, to) = (from.to_rfc3339(), last.to_rfc3339());
        let filter = [
            ("external_subscription_id", subscription),
            ("code", code),
            ("timestamp_from", &from),
            ("timestamp_to", &to),
        ];
        self.list("events", &filter).await
    }

    /// A page of the invoices that Lago made, the newest first, and the next page's number if there is one.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn invoices(
        &self,
        customer: Option<&str>,
        page: u64,
    ) -> Result<(Vec<Invoice>, Option<u64>), Error> {
        let number = page.to_string();
        let mut query = vec![("page", number.as_str()), ("per_page", PER_PAGE)];
        query.extend(customer.map(|customer| ("external_customer_id", customer)));
        let body: serde_json::Value = self.get("/invoices", &query).await?;
        let found: Page<Invoice> = read_page(body, "invoices")?;
        let next = found.meta.next_page.filter(|next| *next > page);
        Ok((found.items, next))
    }

    /// What was used of a subscription in its running period.
    ///
    /// # Errors
    /// When Lago does not tell.
    pub async fn current_usage(&self, customer: &str, subscription: &str) -> Result<Usage, Error> {
        #[derive(Deserialize)]
        struct Body {
            customer_usage: Usage,
        }
        let path = format!("/customers/{}/current_usage", percent(customer));
        let query = [("external_subscription_id", subscription)];
        let body: Body = self.get(&path, &query).await?;
        Ok(body.customer_usage)
    }

    /// Every entry of a list, page after page until there is no next one.
    async fn list<T: DeserializeOwned>(
        &self,
        name: &str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut page = 1_u64;
        loop {
            let number = page.to_string();
            let mut query = filter.to_vec();
            query.extend([("page", number.as_str()), ("per_page", PER_PAGE)]);
            let body: serde_json::Value = self.get(&format!("/{name}"), &query).await?;
            let found: Page<T> = read_page(body, name)?;
            all.extend(found.items);
            match found.meta.next_page {
                Some(next) if next > page && next <= PAGES => page = next,
                _ => return Ok(all),
            }
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let request = self.request(Method::GET, path).query(query);
        let response = request.send().await.map_err(http::Error::Transport)?;
        match response.status().as_u16() {
            200..=299 => {}
            404 | 405 => {
                let what = path.trim_start_matches('/').replace('/', " ");
                return Err(Error::NotFound(what));
            }
            status @ (401 | 403) => return Err(Error::Key(status)),
            status => return Err(Error::Status(status)),
        }
        let body = http::body(response, LONGEST).await?;
        serde_json::from_slice(&body).map_err(|error| Error::Unreadable(error.to_string()))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key.0)
    }
}

fn read_page<T: DeserializeOwned>(
    mut body: serde_json::Value,
    name: &str,
) -> Result<Page<T>, Error> {
    let unreadable = |what: String| Error::Unreadable(what);
    let items = body
        .get_mut(name)
        .map(serde_json::Value::take)
        .ok_or_else(|| unreadable(format!("there is no {name:?} in it")))?;
    let items = serde_json::from_value(items).map_err(|error| unreadable(error.to_string()))?;
    let meta = body.get_mut("meta").map(serde_json::Value::take);
    let meta = meta
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(Page {
        items,
        meta: meta.unwrap_or_default(),
    })
}

fn waits(response: &Response) -> Wait {
    let seconds = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        value.trim().parse().ok()
    };
    Wait {
        retry_after: seconds(RETRY_AFTER.as_str()),
        rate_limit_reset: seconds("x-ratelimit-reset"),
    }
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
