//! A station driven by hand: one CALL after the other, each with its answer.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use simulators::socket::{Socket, Target};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Whoever waits so long for a frame waits in vain.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Talker {
    socket: Socket,
    count: u64,
}

impl Talker {
    /// Connects as `id`.
    pub async fn connect(target: &Target, id: &str) -> Self {
        let socket = target.connect(id, None).await.expect("let in");
        Talker { socket, count: 0 }
    }

    /// Asks, and waits for the CALLRESULT's payload: a CALLERROR is never the answer here.
    pub async fn call(&mut self, action: &str, payload: &Value) -> Value {
        self.count += 1;
        let text = json!([2, self.count.to_string(), action, payload]).to_string();
        self.socket
            .send(Message::text(text))
            .await
            .expect("an open socket");
        loop {
            match self.next().await {
                Some(Message::Text(text)) => {
                    let answer: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(answer[0], 3, "{action}: {answer}");
                    return answer[2].clone();
                }
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{action} was answered by {other:?}"),
            }
        }
    }

    /// The code of the Close frame that ends the connection.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    /// Stays connected for so long: a station that answers no pings is sent away for that.
    pub async fn stay(&mut self, time: Duration) {
        let ended = timeout(time, async {
            while let Some(Ok(_)) = self.socket.next().await {}
        });
        assert!(ended.await.is_err(), "the connection ended");
    }

    async fn next(&mut self) -> Option<Message> {
        let frame = timeout(PATIENCE, self.socket.next()).await;
        frame.expect("a frame in time").and_then(Result::ok)
    }
}
