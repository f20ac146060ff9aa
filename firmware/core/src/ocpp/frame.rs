//! OCPP-J frames: `[2,id,action,payload]`, `[3,id,payload]`, `[4,id,code,description,details]`.

use alloc::{borrow::Cow, format, string::String};
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One frame, borrowed from its text.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A request of the other side.
    Call {
        /// Message id, echoed in the answer.
        id: Cow<'a, str>,
        /// Name of the message.
        action: Cow<'a, str>,
        /// Its payload as JSON text.
        payload: &'a str,
    },
    /// The answer to a request of ours.
    Result {
        /// Message id of our request.
        id: Cow<'a, str>,
        /// The answer's payload as JSON text.
        payload: &'a str,
    },
    /// The refusal of a request of ours.
    Error {
        /// Message id of our request.
        id: Cow<'a, str>,
        /// Error code, as the other side spelled it.
        code: Cow<'a, str>,
        /// Its description, perhaps empty.
        description: Cow<'a, str>,
    },
}

/// Why a text is no frame.
#[derive(Debug, PartialEq, Eq)]
pub struct FrameError;

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an OCPP-J frame: expected [2,id,action,payload], [3,id,payload] or [4,id,code,description,details]")
    }
}

impl core::error::Error for FrameError {}

impl<'a> Frame<'a> {
    /// Reads one frame. Fails on anything that is not one, unknown message types included.
    pub fn parse(text: &'a str) -> Result<Self, FrameError> {
        serde_json::from_str(text).map_err(|_| FrameError)
    }
}

/// Text that borrows where JSON has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(String::from(text))))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Frame<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FrameVisitor)
    }
}

struct FrameVisitor;

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OCPP-J frame")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let short = || A::Error::custom("too few elements");
        let kind: u64 = seq.next_element()?.ok_or_else(short)?;
        let Text(id) = seq.next_element()?.ok_or_else(short)?;
        let frame = match kind {
            2 => {
                let Text(action) = seq.next_element()?.ok_or_else(short)?;
                let payload: &RawValue = seq.next_element()?.ok_or_else(short)?;
                Frame::Call {
                    id,
                    action,
                    payload: payload.get(),
                }
            }
            3 => {
                let payload: &RawValue = seq.next_element()?.ok_or_else(short)?;
                Frame::Result {
                    id,
                    payload: payload.get(),
                }
            }
            4 => {
                let Text(code) = seq.next_element()?.ok_or_else(short)?;
                let description = seq
                    .next_element::<Text<'de>>()?
                    .map_or(Cow::Borrowed(""), |t| t.0);
                Frame::Error {
                    id,
                    code,
                    description,
                }
            }
            _ => return Err(A::Error::custom("unknown message type")),
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(frame)
    }
}

/// The text of a CALL. `payload` is JSON.
#[must_use]
pub fn call(id: &str, action: &str, payload: &str) -> String {
    format!("[2,\"{id}\",\"{action}\",{payload}]")
}

/// The text of a CALLRESULT. `payload` is JSON.
#[must_use]
pub fn result(id: &str, payload: &str) -> String {
    format!("[3,{},{payload}]", quoted(id))
}

/// The text of a CALLERROR with empty details.
#[must_use]
pub fn error(id: &str, code: &str, description: &str) -> String {
    format!("[4,{},\"{code}\",{},{{}}]", quoted(id), quoted(description))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn reads_the_three_kinds() {
        let Ok(Frame::Call {
            id,
            action,
            payload,
        }) = Frame::parse(r#" [2, "a\"1", "Reset", {"type":"Soft"}] "#)
        else {
            panic!("a call");
        };
        assert_eq!(
            (&*id, &*action, payload),
            ("a\"1", "Reset", r#"{"type":"Soft"}"#)
        );
        let Ok(Frame::Result { id, payload }) = Frame::parse(r#"[3,"1",{}]"#) else {
            panic!("a result");
        };
        assert_eq!((&*id, payload), ("1", "{}"));
        let Ok(Frame::Error {
            code, description, ..
        }) = Frame::parse(r#"[4,"1","GenericError"]"#)
        else {
            panic!("an error");
        };
        assert_eq!((&*code, &*description), ("GenericError", ""));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "{}",
            "[]",
            "[2]",
            "[5,\"1\",{}]",
            "[2,1,\"Reset\",{}]",
            "[3,\"1\"]",
            "[2,\"1\",\"Reset\",{}",
        ] {
            assert_eq!(Frame::parse(text).err(), Some(FrameError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            let _ = Frame::parse(&text);
        }

        #[test]
        fn what_it_writes_it_reads(id in "\\PC{1,36}", description in "\\PC{0,60}") {
            let text = error(&id, "GenericError", &description);
            let Ok(Frame::Error { id: read, description: words, .. }) = Frame::parse(&text) else {
                panic!("an error");
            };
            prop_assert_eq!(read.to_string(), id);
            prop_assert_eq!(words.to_string(), description);
        }
    }
}
