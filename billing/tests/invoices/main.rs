//! Invoices from priced sessions to paper, books and mail.

mod books;
mod issue;
mod mail;
mod paper;
mod pay;
mod reckon;
mod vouchers;

use chrono::{DateTime, NaiveDate, Utc};
use service::{config, mail::Mailer};

/// An instant.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A day.
fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The time of these tests: October is over.
fn now() -> DateTime<Utc> {
    at("2026-11-02T09:00:00Z")
}

/// A mailer that keeps what it is given.
fn kept() -> Mailer {
    let settings = config::Mail {
        smtp_url: None,
        from: "Forecourt <charge@example.org>".to_owned(),
    };
    Mailer::new(&settings, true).unwrap()
}
