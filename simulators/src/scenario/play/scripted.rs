//! Steps of a scripted station: what it sends, frame by frame, and what must come back.

use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        door::{self, Knock, Met, Trust},
        step::{
            Authorize, Boot, Call, Closed, Connect, Disconnect, Door, Ending, ExpectCall, Override,
            Raw, Reply, ReplyError, Rule, Start, Status, Stop,
        },
        wire::{Frame, Incoming, Wire, reply_payload, reply_text},
    },
    Done, Length, MAIN, Play, STATION, at_the_door, bad_file, set_up, wrong,
};

/// A CALL and what must come of it.
pub(super) struct Exchange<'s> {
    action: &'s str,
    payload: Value,
    on: &'s Option<String>,
    timeout: Option<Length>,
}

impl Play<'_> {
    pub(super) async fn connect(&mut self, step: &Connect) -> Done {
        let name = step.on.clone().unwrap_or_else(|| MAIN.to_owned());
        let door = &step.connect;
        let knock = self.knock(door)?;
        let met = door::knock(&self.place.url, &knock).await.map_err(set_up)?;
        match (met, door.refused) {
            (Met::In(socket, chosen), None) => {
                let offered = knock.protocols.first().map(String::as_str);
                let expected = door.chosen.as_deref().or(offered).unwrap_or_default();
                let chosen = chosen.unwrap_or_default();
                if chosen != expected {
                    let message = format!("the subprotocol is {chosen:?}: expected {expected:?}");
                    return Err(wrong(message));
                }
                let wire = Wire::open(*socket, &name, self.shared.clone());
                self.wires.insert(name.clone(), wire);
                self.waiting.remove(&name);
                Ok(())
            }
            (Met::In(..), Some(status)) => Err(wrong(format!(
                "the server let {} in: expected HTTP {status}",
                knock.id
            ))),
            (Met::NoProtocol, None) if door.chosen.as_deref() == Some("") => Ok(()),
            (Met::NoProtocol, _) => Err(at_the_door("the server chose no subprotocol")),
            (Met::Broken(how), _) => Err(at_the_door(format!("the handshake failed: {how}"))),
            (Met::Refused(status, _), Some(expected)) if status == expected => Ok(()),
            (Met::Refused(status, said), expected) => {
                let expected = expected.map_or("101".to_owned(), |status| status.to_string());
                Err(at_the_door(format!(
                    "the server refused {} with HTTP {status} ({said}): expected {expected}",
                    knock.id
                )))
            }
        }
    }

    fn knock(&self, door: &Door) -> Done<Knock> {
        let filled =
            |text: &Option<String>| text.as_ref().map(|text| self.fill_text(text)).transpose();
        let id = filled(&door.id)?.unwrap_or_else(|| self.values.text(STATION));
        let password = match (filled(&door.password)?, filled(&door.password_hex)?) {
            (Some(text), _) => Some(text.into_bytes()),
            (None, Some(digits)) => Some(bytes_of(&digits)?),
            (None, None) => None,
        };
        let user = filled(&door.user)?.unwrap_or_else(|| id.clone());
        let protocols = door.protocols.clone();
        let tls = match &door.tls {
            None => None,
            Some(tls) => Some(Trust {
                ca: self.fill_text(&tls.ca)?,
                own: filled(&tls.cert)?.zip(filled(&tls.key)?),
            }),
        };
        Ok(Knock {
            tls,
            id,
            basic: password.map(|password| (user, password)),
            protocols: protocols.unwrap_or_else(|| vec!["ocpp1.6".to_owned()]),
        })
    }

    pub(super) async fn disconnect(&mut self, step: &Disconnect) -> Done {
        let name = step.on.as_deref().unwrap_or(MAIN);
        let wire = self.wires.remove(name);
        let mut wire = wire.ok_or_else(|| no_connection(name))?;
        if let Ending::Close = step.disconnect {
            wire.close();
            let until = Instant::now() + self.limit(None);
            loop {
                match timeout_at(until, wire.next()).await {
                    Ok(Incoming::Closed(_)) => break,
                    Ok(Incoming::Frame(..)) => {}
                    Err(_) => return Err(wrong("the server did not answer the Close frame")),
                }
            }
        }
        Ok(())
    }

    pub(super) async fn closed(&mut self, step: &Closed) -> Done {
        let name = step.on.as_deref().unwrap_or(MAIN);
        let until = Instant::now() + self.limit(step.timeout);
        let mut wire = self.wires.remove(name).ok_or_else(|| no_connection(name))?;
        match timeout_at(until, wire.next()).await {
            Ok(Incoming::Closed(code)) => {
                let code = code.map_or(json!(1006), |code| json!(code));
                self.compare("the code of the Close frame", &step.closed, &code)
            }
            Ok(Incoming::Frame(_, text)) => Err(wrong(format!(
                "the server sent {text}: expected that it closes"
            ))),
            Err(_) => Err(wrong("the server did not close the connection")),
        }
    }

    pub(super) async fn boot(&mut self, step: &Boot) -> Done {
        let usual = json!({
            "chargePointVendor": "Forecourt", "chargePointModel": "Scripted",
            "chargePointSerialNumber": "${station}", "firmwareVersion": "1.0.0",
        });
        let exchange = Exchange {
            action: "BootNotification",
            payload: merged(usual, &step.payload),
            on: &step.on,
            timeout: step.timeout,
        };
        let expected = json!({
            "status": step.boot, "currentTime": "$time", "interval": { "$gt": 0 },
        });
        let answer = self
            .answered(&exchange, &[Some(&expected), step.answer.as_ref()])
            .await?;
        self.save(&step.save, &answer)
    }

    pub(super) async fn status(&mut self, step: &Status) -> Done {
        for connector in step.connectors.as_deref().unwrap_or(&[1]) {
            let usual = json!({
                "connectorId": connector, "status": step.status, "errorCode": "NoError",
                "timestamp": "${now}",
            });
            let exchange = Exchange {
                action: "StatusNotification",
                payload: merged(usual, &step.payload),
                on: &step.on,
                timeout: step.timeout,
            };
            let expected = json!({ "$exactly": {} });
            self.answered(&exchange, &[Some(&expected)]).await?;
        }
        Ok(())
    }

    pub(super) async fn authorize(&mut self, step: &Authorize) -> Done {
        let exchange = Exchange {
            action: "Authorize",
            payload: merged(json!({ "idTag": "${tag}" }), &step.payload),
            on: &step.on,
            timeout: step.timeout,
        };
        let expected = json!({ "idTagInfo": { "status": step.authorize } });
        let answer = self
            .answered(&exchange, &[Some(&expected), step.answer.as_ref()])
            .await?;
        self.save(&step.save, &answer)
    }

    pub(super) async fn start(&mut self, step: &Start) -> Done {
        let usual = json!({
            "connectorId": 1, "idTag": "${tag}", "meterStart": 1000, "timestamp": "${now}",
        });
        let exchange = Exchange {
            action: "StartTransaction",
            payload: merged(usual, &step.payload),
            on: &step.on,
            timeout: step.timeout,
        };
        let expected = json!({
            "transactionId": { "$gt": 0 }, "idTagInfo": { "status": step.start },
        });
        let answer = self
            .answered(&exchange, &[Some(&expected), step.answer.as_ref()])
            .await?;
        self.values.set("tx", answer["transactionId"].clone());
        self.save(&step.save, &answer)
    }

    pub(super) async fn stop(&mut self, step: &Stop) -> Done {
        let usual = json!({
            "transactionId": "${tx}", "idTag": "${tag}", "meterStop": 6000, "timestamp": "${now}",
        });
        let payload = merged(usual, &step.payload);
        // Without a token the server has nobody to speak of.
        let expected = if payload.get("idTag").is_some() {
            json!({ "idTagInfo": { "status": step.stop } })
        } else {
            json!({})
        };
        let exchange = Exchange {
            action: "StopTransaction",
            payload,
            on: &step.on,
            timeout: step.timeout,
        };
        let answer = self
            .answered(&exchange, &[Some(&expected), step.answer.as_ref()])
            .await?;
        self.save(&step.save, &answer)
    }

    pub(super) async fn call(&mut self, step: &Call) -> Done {
        let exchange = Exchange {
            action: &step.call,
            payload: Value::Object(step.payload.clone()),
            on: &step.on,
            timeout: step.timeout,
        };
        let Some(expected) = &step.error else {
            let answer = self.answered(&exchange, &[step.answer.as_ref()]).await?;
            return self.save(&step.save, &answer);
        };
        match self.ask(&exchange).await? {
            Frame::Error { code, .. } if code == *expected => Ok(()),
            other => Err(wrong(format!(
                "{} was answered with {other}: expected a CALLERROR {expected}",
                step.call
            ))),
        }
    }

    /// The payload of the CALLRESULT, which must match all of `expected`.
    async fn answered(
        &mut self,
        exchange: &Exchange<'_>,
        expected: &[Option<&Value>],
    ) -> Done<Value> {
        let action = exchange.action;
        match self.ask(exchange).await? {
            Frame::Result { payload, .. } => {
                for expected in expected.iter().flatten() {
                    self.compare(&format!("the answer to {action}"), expected, &payload)?;
                }
                Ok(payload)
            }
            other => Err(wrong(format!(
                "{action} was answered with {other}: expected a CALLRESULT"
            ))),
        }
    }

    /// Sends a CALL and waits for its answer; CALLs of the server that cross it are kept.
    async fn ask(&mut self, exchange: &Exchange<'_>) -> Done<Frame> {
        let payload = self.fill(&exchange.payload)?;
        let name = exchange.on.clone().unwrap_or_else(|| MAIN.to_owned());
        let until = Instant::now() + self.limit(exchange.timeout);
        let wire = self
            .wires
            .get_mut(&name)
            .ok_or_else(|| no_connection(&name))?;
        let id = wire.next_id();
        wire.send(json!([2, id, exchange.action, payload]).to_string());
        let waiting = self.waiting.entry(name).or_default();
        loop {
            let incoming = timeout_at(until, wire.next()).await;
            let action = exchange.action;
            match incoming.map_err(|_| wrong(format!("{action} was not answered")))? {
                Incoming::Frame(call @ Frame::Call { .. }, _) => waiting.push_back(call),
                Incoming::Frame(frame, _) if frame.id() == Some(&id) => return Ok(frame),
                Incoming::Frame(_, text) => {
                    let message =
                        format!("the server sent {text}: expected the answer to {action}");
                    return Err(wrong(message));
                }
                Incoming::Closed(code) => {
                    let message =
                        format!("the server closed ({code:?}) instead of answering {action}");
                    return Err(wrong(message));
                }
            }
        }
    }

    pub(super) async fn raw(&mut self, step: &Raw) -> Done {
        let text = self.fill_text(&step.raw)?;
        let name = step.on.as_deref().unwrap_or(MAIN);
        let until = Instant::now() + self.limit(step.timeout);
        let wire = self
            .wires
            .get_mut(name)
            .ok_or_else(|| no_connection(name))?;
        wire.send(text);
        let Some(expected) = &step.receive else {
            return Ok(());
        };
        match timeout_at(until, wire.next()).await {
            Ok(Incoming::Frame(_, text)) => {
                let frame = serde_json::from_str(&text).unwrap_or(Value::String(text));
                self.compare("the frame", expected, &frame)
            }
            Ok(Incoming::Closed(code)) => Err(wrong(format!("the server closed ({code:?})"))),
            Err(_) => Err(wrong("no frame came")),
        }
    }

    pub(super) async fn expect_call(&mut self, step: &ExpectCall) -> Done {
        let call = self
            .next_call(&step.expect_call, &step.on, step.timeout)
            .await?;
        if let Some(expected) = &step.matches {
            self.compare(&step.expect_call, expected, &call.payload)?;
        }
        self.save(&step.save, &call.payload)?;
        self.reply(&call, step.reply.as_ref(), step.error.as_ref())?;
        Ok(())
    }

    /// The server's next CALL, which must be of this action.
    pub(super) async fn next_call(
        &mut self,
        action: &str,
        on: &Option<String>,
        timeout: Option<Length>,
    ) -> Done<Called> {
        let name = on.clone().unwrap_or_else(|| MAIN.to_owned());
        let until = Instant::now() + self.limit(timeout);
        let wire = self
            .wires
            .get_mut(&name)
            .ok_or_else(|| no_connection(&name))?;
        let waiting = self.waiting.entry(name.clone()).or_default();
        let frame = match waiting.pop_front() {
            Some(frame) => frame,
            None => match timeout_at(until, wire.next()).await {
                Ok(Incoming::Frame(frame, _)) => frame,
                Ok(Incoming::Closed(code)) => {
                    let message = format!("the server closed ({code:?}): expected {action}");
                    return Err(wrong(message));
                }
                Err(_) => return Err(wrong(format!("{action} did not come"))),
            },
        };
        match frame {
            Frame::Call {
                id,
                action: came,
                payload,
            } if came == action => Ok(Called {
                on: name,
                id,
                payload,
            }),
            other => Err(wrong(format!("the server sent {other}: expected {action}"))),
        }
    }

    /// Answers a CALL; yields what was answered.
    pub(super) fn reply(
        &mut self,
        call: &Called,
        reply: Option<&Reply>,
        error: Option<&ReplyError>,
    ) -> Done<Value> {
        let payload = self.fill(&reply_payload(reply))?;
        let wire = self.wires.get(&call.on);
        let wire = wire.ok_or_else(|| no_connection(&call.on))?;
        let filled = as_reply(&payload);
        wire.send(reply_text(&call.id, filled.as_ref(), error));
        Ok(payload)
    }

    pub(super) fn answer_by(&mut self, step: &Override) -> Done {
        let rule = &step.rule;
        let payload = self.fill(&reply_payload(rule.reply.as_ref()))?;
        self.shared.answer_by(Rule {
            reply: as_reply(&payload),
            ..rule.clone()
        });
        Ok(())
    }
}

/// A CALL of the server that waits for its answer.
pub(super) struct Called {
    pub on: String,
    pub id: String,
    pub payload: Value,
}

fn as_reply(payload: &Value) -> Option<Reply> {
    payload.as_object().cloned().map(Reply::Payload)
}

fn no_connection(name: &str) -> super::Trouble {
    bad_file(format!(
        "there is no connection {name:?}: expected a connect before this"
    ))
}

/// The usual payload with what differs; `$absent` leaves a field out.
fn merged(usual: Value, differs: &Map<String, Value>) -> Value {
    let Value::Object(mut payload) = usual else {
        return usual;
    };
    for (name, value) in differs {
        if value == "$absent" {
            payload.remove(name);
        } else {
            payload.insert(name.clone(), value.clone());
        }
    }
    Value::Object(payload)
}

fn bytes_of(digits: &str) -> Done<Vec<u8>> {
    let expected = || bad_file(format!("{digits}: expected pairs of hexadecimal digits"));
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect::<Option<_>>().ok_or_else(expected)
}
