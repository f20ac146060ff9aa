//! A station driven by hand: one CALL after the other, each with its answer, and the server's own.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use simulators::socket::{ConnectError, Socket, Target};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Whoever waits so long for a frame waits in vain.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Talker {
    socket: Socket,
    count: u64,
    /// The server's CALL that is to be answered.
    asked: Value,
}

impl Talker {
    /// Connects as `id`.
    pub async fn connect(target: &Target, id: &str) -> Self {
        Self::come(target, id, None).await.expect("let in")
    }

    /// The same, perhaps with a password; or why not.
    pub async fn come(
        target: &Target,
        id: &str,
        password: Option<&[u8]>,
    ) -> Result<Self, ConnectError> {
        target.connect(id, password).await.map(Self::on)
    }

    fn on(socket: Socket) -> Self {
        Talker {
            socket,
            count: 0,
            asked: Value::Null,
        }
    }

    /// The payload of the server's next CALL, which must be of this action.
    pub async fn called(&mut self, action: &str) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => {
                    let call: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!((&call[0], &call[2]), (&json!(2), &json!(action)), "{call}");
                    self.asked = call[1].clone();
                    return call[3].clone();
                }
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?} came: expected {action}"),
            }
        }
    }

    /// Answers what was last [called](Self::called).
    pub async fn answer(&mut self, payload: &Value) {
        let text = json!([3, self.asked, payload]).to_string();
        let sent = self.socket.send(Message::text(text)).await;
        sent.expect("an open socket");
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
