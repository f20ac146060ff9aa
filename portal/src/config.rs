//! The portal's part of the settings.

use std::net::IpAddr;

use crate::limits::Rates;

/// What the portal must know of its installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `PUBLIC_URL`, without a slash at the end: how people reach the portal.
    pub public_url: String,
    /// `OCPP_PUBLIC_URL`, without a slash at the end: what a charger is configured with, before `/{identity}`.
    pub ocpp_public_url: String,
    /// `TRUSTED_PROXIES`: only these may say who the client is.
    pub trusted_proxies: Vec<IpAddr>,
    /// `FORECOURT_DEMO`: codes are printed and `/dev/mailbox` shows every mail.
    pub demo: bool,
    /// How often one may ask.
    pub rates: Rates,
    /// Usage to Lago: where its lists and webhooks come from.
    pub lago: service::config::Lago,
}

impl Config {
    /// The portal's part of all settings.
    pub fn of(settings: &service::config::Config) -> Self {
        Config {
            public_url: settings.portal.public_url.clone(),
            ocpp_public_url: settings.csms.public_url.clone(),
            trusted_proxies: settings.portal.trusted_proxies.clone(),
            demo: settings.demo,
            rates: Rates::default(),
            lago: settings.lago.clone(),
        }
    }

    /// Whether cookies are Secure: people reach the portal by https.
    pub fn secure_cookies(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}
