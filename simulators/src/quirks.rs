//! The quirk pack: what real chargers do to their frames, as named changes between the core and the wire.
//! The table of them is in `quirks/table.rs`; each answers a row of `docs/ocpp-quirks.md`.

mod changes;
mod hearing;
mod samples;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, str::FromStr};

use serde_json::{Map, Value, json};

pub use table::TABLE;

/// An object's fields.
type Fields = Map<String, Value>;

/// One habit of some chargers.
#[derive(Debug)]
pub struct Quirk {
    /// Its name in `--quirks` and in scenarios.
    pub name: &'static str,
    /// The row of `docs/ocpp-quirks.md`.
    pub row: u8,
    /// What the charger does.
    pub about: &'static str,
    change: Change,
}

/// Where a quirk takes hold.
#[derive(Debug)]
enum Change {
    /// The payload of CALLs: action, fields, what is remembered.
    Payload(fn(&str, &mut Fields, &mut Memory)),
    /// More CALLs beside one: the ones before it and the ones after it.
    Beside(fn(&str, &Fields, &mut Memory) -> Beside),
    /// A CALL that is never sent; the core gets this answer instead.
    Swallow(&'static str, fn(&mut Memory) -> Value),
    /// The message id.
    Id(fn(&mut Memory) -> Value),
    /// The text itself.
    Text(fn(&str) -> Vec<Wire>),
    /// What the server asks: an answer without the core, or another request for it.
    Asked(fn(&str, &mut Fields) -> Option<Answer>),
    /// The answer's payload, by the action that was asked.
    Answer(fn(&str, &mut Fields)),
    /// The opening handshake.
    Handshake(Handshake),
}

/// CALLs beside one: action and payload each.
#[derive(Debug, Default)]
struct Beside {
    before: Vec<(&'static str, Value)>,
    after: Vec<(&'static str, Value)>,
}

/// How a station answers a request itself.
#[derive(Debug)]
enum Answer {
    Result(Value),
    Error(&'static str),
}

/// How a station asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The value of Sec-WebSocket-Protocol; empty: no such header.
    pub protocols: &'static str,
    /// What is put behind the URL.
    pub suffix: &'static str,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            protocols: "ocpp1.6",
            suffix: "",
        }
    }
}

/// A frame as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary(Vec<u8>),
}

/// What a quirk has to know of what was said before.
#[derive(Debug, Default)]
struct Memory {
    made_up: u64,
    /// The id on the wire, as JSON, and the core's own.
    ids: HashMap<String, String>,
    /// What the server asked, by its id as JSON.
    asked: HashMap<String, String>,
    /// The first time that was seen, ms since 1970.
    first_ms: Option<i64>,
    /// The register at the first sight, Wh.
    first_wh: Option<i64>,
    /// The last MeterValues.
    last_meter: Option<Value>,
}

impl Memory {
    fn next(&mut self) -> u64 {
        self.made_up += 1;
        self.made_up
    }
}

/// A quirk chosen by its name.
#[derive(Clone, Copy, Debug)]
pub struct Name(&'static Quirk);

impl Name {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = TABLE.iter().find(|quirk| quirk.name == name.trim());
        known.map(Self).ok_or_else(|| {
            let names: Vec<_> = TABLE.iter().map(|quirk| quirk.name).collect();
            format!("`{name}` is no quirk: expected one of {}", names.join(", "))
        })
    }
}

/// What comes of a frame of the core.
#[derive(Debug, Default)]
pub struct Said {
    /// What goes out, in this order.
    pub wire: Vec<Wire>,
    /// What the core is to hear as if it had been answered.
    pub heard: Vec<String>,
}

/// What comes of a frame of the server.
#[derive(Debug, Default)]
pub struct Heard {
    /// What the core hears, if anything.
    pub text: Option<String>,
    /// What is answered without it.
    pub answer: Option<String>,
}

/// The quirks of one station.
#[derive(Debug, Default)]
pub struct Quirks {
    active: Vec<&'static Quirk>,
    memory: Memory,
}

impl Quirks {
    /// A station with these quirks, applied in this order.
    #[must_use]
    pub fn new(names: &[Name]) -> Self {
        Self {
            active: names.iter().map(|name| name.0).collect(),
            memory: Memory::default(),
        }
    }

    /// How the station asks to be let in.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        let mut chosen = Handshake::default();
        for quirk in &self.active {
            if let Change::Handshake(handshake) = quirk.change {
                if handshake.protocols != chosen.protocols {
                    chosen.protocols = handshake.protocols;
                }
                if !handshake.suffix.is_empty() {
                    chosen.suffix = handshake.suffix;
                }
            }
        }
        chosen
    }

    /// A frame of the core on its way to the wire.
    pub fn outgoing(&mut self, text: &str) -> Said {
        let plain = || Said {
            wire: vec![Wire::Text(text.to_owned())],
            heard: Vec::new(),
        };
        if self.active.is_empty() {
            return plain();
        }
        // What the core does not write itself (a raw frame of a person) goes as it is.
        let Ok(Value::Array(frame)) = serde_json::from_str::<Value>(text) else {
            return plain();
        };
        match (frame.first().and_then(Value::as_u64), frame.len()) {
            (Some(2), 4) => self.call(frame),
            (Some(3), 3) => self.result(frame),
            _ => Said {
                wire: self.texts(text.to_owned()),
                heard: Vec::new(),
            },
        }
    }

    fn call(&mut self, frame: Vec<Value>) -> Said {
        let own_id = frame[1].as_str().unwrap_or_default().to_owned();
        let action = frame[2].as_str().unwrap_or_default().to_owned();
        let mut payload = frame[3].as_object().cloned().unwrap_or_default();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut id = frame[1].clone();
        for quirk in &self.active {
            match quirk.change {
                Change::Payload(change) => change(&action, &mut payload, &mut self.memory),
                Change::Beside(more) => {
                    let more = more(&action, &payload, &mut self.memory);
                    before.extend(more.before);
                    after.extend(more.after);
                }
                Change::Id(make) => id = make(&mut self.memory),
                Change::Swallow(of, answer) if of == action => {
                    let answer = answer(&mut self.memory);
                    return Said {
                        wire: Vec::new(),
                        heard: vec![json!([3, own_id, answer]).to_string()],
                    };
                }
                _ => {}
            }
        }
        self.memory.ids.insert(id.to_string(), own_id);
        if action == "MeterValues" {
            self.memory.last_meter = Some(Value::Object(payload.clone()));
        }
        let mut said = Said::default();
        for (action, payload) in before {
            let frame = self.made_up(action, payload);
            said.wire.extend(self.texts(frame));
        }
        let frame = json!([2, id, action, payload]).to_string();
        said.wire.extend(self.texts(frame));
        for (action, payload) in after {
            let frame = self.made_up(action, payload);
            said.wire.extend(self.texts(frame));
        }
        said
    }

    /// A CALL of the quirk's own: the core hears nothing of its answer.
    fn made_up(&mut self, action: &str, payload: Value) -> String {
        let id = format!("quirk-{}", self.memory.next());
        self.memory.ids.insert(json!(id).to_string(), String::new());
        json!([2, id, action, payload]).to_string()
    }

    fn result(&mut self, frame: Vec<Value>) -> Said {
        let action = self.memory.asked.remove(&frame[1].to_string());
        let mut payload = frame[2].as_object().cloned().unwrap_or_default();
        for quirk in &self.active {
            if let Change::Answer(change) = quirk.change {
                change(action.as_deref().unwrap_or_default(), &mut payload);
            }
        }
        let text = json!([3, frame[1], payload]).to_string();
        Said {
            wire: self.texts(text),
            heard: Vec::new(),
        }
    }

    fn texts(&self, text: String) -> Vec<Wire> {
        let mut wire = vec![Wire::Text(text)];
        for quirk in &self.active {
            if let Change::Text(change) = quirk.change {
                wire = wire
                    .into_iter()
                    .flat_map(|frame| match frame {
                        Wire::Text(text) => change(&text),
                        binary @ Wire::Binary(_) => vec![binary],
                    })
                    .collect();
            }
        }
        wire
    }

    /// A frame of the server on its way to the core.
    pub fn incoming(&mut self, text: &str) -> Heard {
        let plain = || Heard {
            text: Some(text.to_owned()),
            answer: None,
        };
        if self.active.is_empty() {
            return plain();
        }
        let Ok(Value::Array(mut frame)) = serde_json::from_str::<Value>(text) else {
            return plain();
        };
        match (frame.first().and_then(Value::as_u64), frame.len()) {
            (Some(3 | 4), 3..) => match self.memory.ids.get(&frame[1].to_string()) {
                Some(own) if own.is_empty() => Heard::default(),
                Some(own) => {
                    frame[1] = json!(own);
                    Heard {
                        text: Some(Value::Array(frame).to_string()),
                        answer: None,
                    }
                }
                None => plain(),
            },
            (Some(2), 4..) => self.asked(frame, plain()),
            _ => plain(),
        }
    }

    fn asked(&mut self, mut frame: Vec<Value>, plain: Heard) -> Heard {
        let action = frame[2].as_str().unwrap_or_default().to_owned();
        let Some(mut payload) = frame[3].as_object().cloned() else {
            return plain;
        };
        for quirk in &self.active {
            let Change::Asked(answer) = quirk.change else {
                continue;
            };
            if let Some(answer) = answer(&action, &mut payload) {
                let answer = match answer {
                    Answer::Result(payload) => json!([3, frame[1], payload]),
                    Answer::Error(code) => json!([4, frame[1], code, "", {}]),
                };
                return Heard {
                    text: None,
                    answer: Some(answer.to_string()),
                };
            }
        }
        self.memory.asked.insert(frame[1].to_string(), action);
        frame[3] = Value::Object(payload);
        Heard {
            text: Some(Value::Array(frame).to_string()),
            answer: None,
        }
    }
}
