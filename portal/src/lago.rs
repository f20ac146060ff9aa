//! What the portal has of Lago: lists to choose from, and the keys by which its webhooks are known. Usage is sent by
//! billing, not here.

use billing::lago::{Client, webhook::Keys, wire};
use service::config;
use store::{
    Connection,
    customers::{self, Fields},
};
use uuid::Uuid;

use crate::{App, Error, Result};

/// How long a person waits for a list.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);

/// Lago, as the settings have it.
#[derive(Debug, Clone)]
pub struct Lago {
    /// `None`: local mode.
    pub client: Option<Client>,
    /// Whose webhooks are obeyed.
    pub keys: Keys,
    /// The settings themselves.
    pub settings: config::Lago,
}

impl Lago {
    /// Lago by the settings. What cannot be used is told in the log and left out; the command line has refused it
    /// before.
    pub fn new(settings: &config::Lago) -> Self {
        let client = settings.api.as_ref().and_then(|api| {
            Client::new(api, PATIENCE)
                .inspect_err(|error| tracing::error!(%error, "Lago cannot be asked"))
                .ok()
        });
        let hmac = settings.webhook_hmac_key.as_ref().map(|key| key.0.as_str());
        let keys = Keys::new(hmac, settings.webhook_public_key.as_deref())
            .inspect_err(|error| tracing::error!(%error, "webhooks of Lago are refused"))
            .unwrap_or_default();
        Self {
            client,
            keys,
            settings: settings.clone(),
        }
    }

    /// The client, if there is one.
    ///
    /// # Errors
    /// 503 where Lago is not set up.
    pub fn asked(&self) -> Result<&Client> {
        self.client.as_ref().ok_or_else(|| {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            Error::Refused(
                status,
                "Lago is not set up here: LAGO_API_URL and LAGO_API_KEY".to_owned(),
            )
        })
    }
}

/// Lago did not answer a person's question.
pub fn unanswered(error: &billing::lago::client::Error) -> Error {
    Error::Refused(axum::http::StatusCode::BAD_GATEWAY, error.to_string())
}

/// Our customer for one of Lago's, made if there is none yet.
///
/// # Errors
/// Those of the database.
pub async fn customer_of(
    db: &mut Connection,
    app: &App,
    lago_id: &str,
    name: Option<&str>,
) -> Result<Uuid> {
    let known = customers::find(db, lago_id).await?;
    if let Some(known) =
        known.filter(|known| known.fields.lago_external_id.as_deref() == Some(lago_id))
    {
        return Ok(known.id);
    }
    let fields = Fields {
        name: name.unwrap_or(lago_id).chars().take(200).collect(),
        email: String::new(),
        address: String::new(),
        country: String::new(),
        tax_id: String::new(),
        lago_external_id: Some(lago_id.to_owned()),
        active: true,
    };
    Ok(customers::create(db, &fields, app.clock.now()).await?)
}

/// What people call a subscription.
pub fn subscription_label(subscription: &wire::Subscription) -> String {
    let name = subscription
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .or(subscription.plan_code.as_deref());
    match name {
        Some(name) => format!("{name} ({})", subscription.external_id),
        None => subscription.external_id.clone(),
    }
}
