//! `POST /webhooks/lago`: what Lago says to us. The raw bytes are checked before anything is read of them; a row and its
//! effect are one transaction, so that a webhook that comes a hundred times has one effect. After some failures in a row
//! webhooks are only kept, until a person has looked.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use billing::lago::webhook::{self, Message};
use chrono::{DateTime, Utc};
use store::{Scope, Scoped, lago::webhooks};

use crate::{
    Access, App, AppState, Error, Result, Route, api::input::printable, auth::client::Client,
};

/// Failures in a row after which nothing is applied by itself.
const FAILURES: i32 = 5;

/// The routes of webhooks.
pub fn routes() -> Vec<Route> {
    vec![Route::post("/webhooks/lago", Access::Public, receive)]
}

/// What is answered; Lago looks at the status alone.
type Answer = (StatusCode, &'static str);

async fn receive(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = header("x-lago-unique-key").unwrap_or_default();
    // The original signature has no header that names it.
    let algorithm = header("x-lago-signature-algorithm").unwrap_or("jwt");
    let signature = header("x-lago-signature").unwrap_or_default();
    if let Err(refusal) = app.lago.keys.verify(algorithm, signature, &body) {
        app.limits.general(&client.counted())?;
        metrics::counter!("portal_webhooks_refused_total").increment(1);
        tracing::warn!(%refusal, "a webhook in Lago's name was refused");
        return Ok((StatusCode::UNAUTHORIZED, "the signature does not fit\n"));
    }
    let text = std::str::from_utf8(&body)
        .ok()
        .filter(|text| !text.contains('\0'));
    let (Some(text), true) = (text, printable(key, 200)) else {
        let expected = "expected X-Lago-Unique-Key and a body of text\n";
        return Ok((StatusCode::BAD_REQUEST, expected));
    };
    let kind = webhook::kind(&body).unwrap_or_else(|| "unreadable".to_owned());
    let now = app.clock.now();
    let mut db = Scope::All.begin(&app.pool).await?;
    if !webhooks::receive(&mut db, key, &kind, algorithm, text, now).await? {
        return Ok((StatusCode::OK, "known\n"));
    }
    let (failures, closed) = webhooks::gate(&mut db).await?;
    if closed.is_none() {
        let effect = apply(&mut db, &kind, text).await?;
        webhooks::applied(&mut db, key, &effect, now).await?;
        settle_gate(&mut db, failures, effect.is_ok(), now).await?;
    }
    db.commit().await?;
    Ok((StatusCode::OK, "kept\n"))
}

/// What the webhook wants; what came of it, in words.
async fn apply(
    db: &mut Scoped<'_>,
    kind: &str,
    body: &str,
) -> Result<std::result::Result<String, String>> {
    Ok(match webhook::read(kind, body.as_bytes()) {
        Err(why) => Err(why),
        Ok(Message::Noted) => Ok("noted".to_owned()),
        Ok(Message::EventErrors(lists)) => {
            let mut refused = 0;
            for (why, ids) in lists {
                let reason = format!("taken, but not billed: {why}");
                refused += webhooks::refuse_events(db, &ids, &reason).await?;
            }
            Ok(format!("{refused} events are not billed"))
        }
    })
}

async fn settle_gate(
    db: &mut Scoped<'_>,
    failures: i32,
    ok: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let after = if ok { 0 } else { failures.saturating_add(1) };
    if after == failures {
        return Ok(());
    }
    let closed = (after >= FAILURES).then_some(now);
    if closed.is_some() {
        tracing::error!(
            failures = after,
            "webhooks of Lago are kept and no longer applied until somebody has looked"
        );
    }
    Ok(webhooks::set_gate(db, after, closed).await?)
}

/// Applies a kept webhook (again), for a person who has looked; also lets webhooks be applied by themselves again.
///
/// # Errors
/// 404 where there is no such webhook.
pub async fn replay(app: &App, db: &mut Scoped<'_>, key: &str) -> Result<String> {
    let kept = webhooks::replay(db, key)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such webhook".to_owned()))?;
    let effect = apply(db, &kept.webhook_type, &kept.body).await?;
    webhooks::applied(db, key, &effect, app.clock.now()).await?;
    if effect.is_ok() {
        webhooks::set_gate(db, 0, None).await?;
    }
    Ok(match effect {
        Ok(effect) => effect,
        Err(why) => format!("it failed again: {why}"),
    })
}
