//! `evsim replay`: what a station once said is said again, in order, and the answers are compared.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::trace_lines::{self, Line};
use crate::socket::{Socket, Target};

/// An answer may take so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Fields that another server, or the same one later, fills otherwise.
const FREE: [&str; 3] = ["currentTime", "interval", "expiryDate"];

/// The trace to say again, and to whom.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  evsim run    --id CP001 --sessions 1 --speed max --trace out.jsonl
  evsim replay out.jsonl --id CP002
  evsim replay out.jsonl --url ws://127.0.0.1:9000/ocpp --id CP002 --password s3cret

Exit codes: 0 all answers agree, 1 some do not, 2 no connection.")]
pub struct Args {
    /// A trace, JSON lines.
    pub trace: PathBuf,
    /// The server's OCPP address; the station's identity is appended to it.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    pub url: String,
    /// The identity to say it as.
    #[arg(long)]
    pub id: String,
    /// Password for HTTP Basic authentication.
    #[arg(long)]
    pub password: Option<String>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// CALLs said again.
    pub calls: usize,
    /// Where the answer was another one: action, then, now.
    pub differences: Vec<String>,
}

/// Says a trace again.
pub async fn replay(args: &Args) -> anyhow::Result<Replayed> {
    let lines = trace_lines::read(&args.trace)?;
    let target = Target::new(&args.url)?;
    let password = args.password.as_deref().map(str::as_bytes);
    let socket = target.connect(&args.id, password).await?;
    let mut player = Player {
        socket,
        answers: answers(&lines, true),
        own: answers_by_action(&lines),
        transactions: HashMap::new(),
    };
    let mut replayed = Replayed::default();
    for line in lines
        .iter()
        .filter(|line| line.of_station() && line.message_type == "CALL")
    {
        replayed.calls += 1;
        if let Some(difference) = player.say(line).await? {
            replayed.differences.push(difference);
        }
    }
    // Whoever has said all says goodbye; nobody need answer.
    let _ = timeout(Duration::from_secs(2), player.socket.close(None)).await;
    Ok(replayed)
}

/// The frames that answered the station's (or the server's) CALLs, by id.
fn answers(lines: &[Line], of_station: bool) -> HashMap<String, Value> {
    let answering = |line: &&Line| {
        line.of_station() != of_station
            && line.message_type.starts_with("CALL")
            && line.message_type != "CALL"
    };
    lines
        .iter()
        .filter(answering)
        .filter_map(|line| {
            Some((
                line.message_id.clone()?,
                serde_json::from_str(&line.raw).ok()?,
            ))
        })
        .collect()
}

/// What the station answered to each of the server's actions; the last answer stands.
fn answers_by_action(lines: &[Line]) -> HashMap<String, Value> {
    let own = |line: &&Line| line.of_station() && line.message_type == "CALLRESULT";
    lines
        .iter()
        .filter(own)
        .filter_map(|line| Some((line.action.clone()?, line.payload.clone()?)))
        .collect()
}

struct Player {
    socket: Socket,
    answers: HashMap<String, Value>,
    own: HashMap<String, Value>,
    /// The server's numbers then, and now.
    transactions: HashMap<i64, i64>,
}

impl Player {
    /// Says one CALL again; yields how the answer differs.
    async fn say(&mut self, line: &Line) -> anyhow::Result<Option<String>> {
        let mut frame: Value = serde_json::from_str(&line.raw)?;
        let known = frame[3]["transactionId"]
            .as_i64()
            .and_then(|id| self.transactions.get(&id));
        if let Some(id) = known {
            frame[3]["transactionId"] = json!(id);
        }
        self.socket.send(Message::text(frame.to_string())).await?;
        let id = line.message_id.clone().unwrap_or_default();
        let action = line.action.as_deref().unwrap_or_default();
        let Ok(now) = timeout(PATIENCE, self.answer_to(&id)).await else {
            return Ok(Some(format!("{action} {id}: no answer now")));
        };
        let now = now?;
        let Some(then) = self.answers.get(&id) else {
            return Ok(None);
        };
        if let (Some(old), Some(new)) = (
            then[2]["transactionId"].as_i64(),
            now[2]["transactionId"].as_i64(),
        ) {
            self.transactions.insert(old, new);
        }
        let (then, now) = (comparable(then), comparable(&now));
        Ok((then != now).then(|| format!("{action} {id}: then {then}, now {now}")))
    }

    /// Reads until the answer of this id; what the server asks meanwhile is answered as it was then.
    async fn answer_to(&mut self, id: &str) -> anyhow::Result<Value> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text)?;
            match (frame[0].as_u64(), frame[1].as_str()) {
                (Some(3 | 4), Some(of)) if of == id => return Ok(frame),
                (Some(2), _) => {
                    let action = frame[2].as_str().unwrap_or_default();
                    let answer = match self.own.get(action) {
                        Some(payload) => json!([3, frame[1], payload]),
                        None => json!([4, frame[1], "NotSupported", "not in the trace", {}]),
                    };
                    self.socket.send(Message::text(answer.to_string())).await?;
                }
                _ => {}
            }
        }
        anyhow::bail!("the server closed the connection")
    }
}

/// An answer without what is free to differ: type, code, and payload without times and numbers.
fn comparable(frame: &Value) -> Value {
    let mut payload = frame[2].clone();
    strip(&mut payload);
    json!([frame[0], payload])
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in FREE {
                fields.remove(name);
            }
            // That there is a number counts; which one does not.
            if let Some(id) = fields.get_mut("transactionId") {
                *id = json!("a number");
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_may_differ_and_verdicts_may_not() {
        let answer = |time: &str, id: i64, status: &str| {
            comparable(
                &json!([3, "1", { "currentTime": time, "transactionId": id, "idTagInfo": { "status": status } }]),
            )
        };
        assert_eq!(answer("a", 1, "Accepted"), answer("b", 2, "Accepted"));
        assert_ne!(answer("a", 1, "Accepted"), answer("a", 1, "Invalid"));
        assert_ne!(
            comparable(&json!([3, "1", {}])),
            comparable(&json!([4, "1", "GenericError"]))
        );
    }
}
