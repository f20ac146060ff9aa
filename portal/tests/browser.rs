//! The portal in a real browser: Debian's Chromium by its chromedriver. What pages look like is saved under
//! `artefacts/screenshots/`.

mod support;

#[path = "browser/charge.rs"]
mod charge;
#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/invoices.rs"]
mod invoices;
#[path = "browser/kept.rs"]
mod kept;
#[path = "browser/keys.rs"]
mod keys;
#[path = "browser/live.rs"]
mod live;
#[path = "browser/look.rs"]
mod look;
#[path = "browser/money.rs"]
mod money;
#[path = "browser/running.rs"]
mod running;
#[path = "browser/station.rs"]
mod station;
#[path = "browser/tariff.rs"]
mod tariff;
#[path = "browser/usage.rs"]
mod usage;
