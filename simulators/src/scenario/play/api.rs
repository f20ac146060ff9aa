//! Steps that act on the server from outside: requests to its API, and commands from the request to their end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{
        client::{Answer, Body},
        step::{Command, Request},
        wire::reply_payload,
    },
    Done, Play, bad_file, set_up, wrong,
};

/// How long to leave the server alone between two questions.
const PAUSE: Duration = Duration::from_millis(25);

impl Play<'_> {
    /// Makes what must exist before the first step.
    pub(super) async fn put(&mut self, path: &str, body: Value) -> Done {
        let answer = self.api.ask("PUT", path, &Body::Json(body)).await;
        let answer = answer.map_err(set_up)?;
        if matches!(answer.status, 200 | 201) {
            Ok(())
        } else {
            let (status, body) = (answer.status, answer.body);
            Err(set_up(format!("PUT {path}: HTTP {status} {body}")))
        }
    }

    pub(super) async fn request(&mut self, request: &Request) -> Done {
        let (method, path) = request
            .target()
            .ok_or_else(|| bad_file("a request has one method"))?;
        let path = self.fill_text(path)?;
        let body = match (&request.body, &request.text) {
            (Some(body), _) => Body::Json(self.fill(body)?),
            (None, Some(text)) => Body::Text(self.fill_text(text)?),
            (None, None) => Body::Nothing,
        };
        let until = Instant::now() + self.limit(request.timeout);
        loop {
            let answer = self.api.ask(method, &path, &body).await.map_err(set_up)?;
            match self.as_expected(&format!("{method} {path}"), request, &answer) {
                Ok(()) => return self.save(&request.save, &answer.body),
                Err(trouble) if method != "GET" || Instant::now() >= until => return Err(trouble),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn as_expected(&self, what: &str, request: &Request, answer: &Answer) -> Done {
        let fits = match request.status {
            Some(status) => answer.status == status,
            None => (200..300).contains(&answer.status),
        };
        if !fits {
            let expected = request
                .status
                .map_or("200 to 299".to_owned(), |status| status.to_string());
            let (status, body) = (answer.status, &answer.body);
            return Err(wrong(format!(
                "{what}: HTTP {status} {body}: expected {expected}"
            )));
        }
        match &request.expect {
            Some(expected) => self.compare(what, expected, &answer.body),
            None => Ok(()),
        }
    }

    /// From the request to the row that says how it ended.
    pub(super) async fn command(&mut self, step: &Command) -> Done {
        let asked = self.fill(&Value::Object(step.payload.clone()))?;
        let query = step
            .query
            .as_ref()
            .map_or(String::new(), |query| format!("?{query}"));
        let path = format!(
            "/api/v1/stations/{}/commands{query}",
            self.station_of(&step.on)
        );
        let body = Body::Json(json!({ "action": step.command, "payload": asked }));
        let answer = self.api.ask("POST", &path, &body).await.map_err(set_up)?;
        if answer.status != 202 {
            let (status, body) = (answer.status, answer.body);
            return Err(wrong(format!(
                "POST {path}: HTTP {status} {body}: expected 202"
            )));
        }
        let id = answer.body["id"].clone();
        self.values.set("command", id);

        let ended = if self.station.is_some() {
            let limit = self.limit(step.timeout);
            self.hears(&step.command, &asked, limit).await?;
            let verdict = reply_payload(step.reply.as_ref())["status"].clone();
            json!({ "status": "answered", "verdict": verdict })
        } else {
            self.replied(step, &asked).await?
        };
        let ended = step.row.clone().unwrap_or(ended);
        let row = Request {
            get: Some("/api/v1/commands/${command}".to_owned()),
            expect: Some(ended),
            save: step.save.clone(),
            timeout: step.timeout,
            ..Request::default()
        };
        self.request(&row).await
    }

    /// Receives the CALL of a command and replies; yields what its row must be then.
    async fn replied(&mut self, step: &Command, asked: &Value) -> Done<Value> {
        let call = self
            .next_call(&step.command, &step.on, step.timeout)
            .await?;
        let exactly = json!({ "$exactly": asked });
        let expected = step.wire.as_ref().unwrap_or(&exactly);
        self.compare(&step.command, expected, &call.payload)?;
        let replied = self.reply(&call, step.reply.as_ref(), step.error.as_ref())?;
        Ok(match &step.error {
            Some(error) => json!({ "status": "error", "error": { "code": error.code } }),
            None => json!({ "status": "answered", "answer": { "$exactly": replied } }),
        })
    }

    /// The station of a connection: the one of its name, otherwise the usual one.
    fn station_of(&self, on: &Option<String>) -> String {
        let own = on
            .as_deref()
            .map(|name| self.values.text(name))
            .unwrap_or_default();
        if own.is_empty() {
            self.values.text(super::STATION)
        } else {
            own
        }
    }
}
