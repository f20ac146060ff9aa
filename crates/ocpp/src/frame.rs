//! One OCPP-J frame: `[2,id,action,payload]`, `[3,id,payload]`, `[4,id,code,description,details]`.
//!
//! Reading splits the array and checks its shape; the payload stays borrowed JSON text, read later by its own type.
//! [`mend`] is the second chance for what is not JSON (quirks 12 to 14). No socket, no state: see [`crate::link`].

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{CallError, ErrorCode, Version};

/// Deepest nesting accepted, the frame's own array included.
pub const MAX_DEPTH: usize = 32;
/// Most items accepted in one array.
pub const MAX_ITEMS: usize = 10_000;
/// Longest message id accepted, in bytes of its JSON token. The standard says 36; longer ones are seen and echoed (quirk 15).
pub const MAX_ID: usize = 255;
/// Longest errorDescription sent, in characters.
const MAX_DESCRIPTION: usize = 255;

/// A message id as its JSON token (`"abc"` or `17`), so that it is echoed exactly as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(Box<str>);

impl MessageId {
    /// The id of a CALL of ours. Any text is escaped as needed.
    pub fn new(text: &str) -> Self {
        MessageId(quoted(text).into())
    }

    /// The JSON token.
    pub fn token(&self) -> &str {
        &self.0
    }

    /// The id without its quotes, for logs and lookups. Escapes stay as they came.
    pub fn text(&self) -> &str {
        unquoted(&self.0)
    }

    fn from_token(token: &str) -> Self {
        MessageId(token.into())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A frame of readable shape. Payloads are JSON objects as text, borrowed from the frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame<'a> {
    /// `[2,id,action,payload]`
    Call {
        /// Echoed in the answer.
        id: MessageId,
        /// The name of the message; may be one we do not know.
        action: Cow<'a, str>,
        /// The request.
        payload: &'a str,
    },
    /// `[3,id,payload]`
    CallResult {
        /// The id of the CALL this answers.
        id: MessageId,
        /// The response.
        payload: &'a str,
    },
    /// `[4,id,code,description,details]`
    CallError {
        /// The id of the CALL this answers.
        id: MessageId,
        /// What the peer says went wrong.
        error: CallError,
    },
    /// Another message type number. 1.6 ignores it, 2.0.1 answers `MessageTypeNotSupported`.
    Unknown {
        /// The id, to answer with.
        id: MessageId,
    },
}

/// Why a frame is not one.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    /// The id, if one could be recovered.
    pub id: Option<MessageId>,
    /// The code to answer with.
    pub code: ErrorCode,
    /// For the log and the errorDescription.
    pub why: Cow<'static, str>,
    /// Looks like an answer: an answer is never answered.
    pub is_answer: bool,
    /// The text is not JSON: [`mend`] may help.
    pub not_json: bool,
}

/// Strips what some chargers put around a frame: byte order mark, NUL, white space (quirk 12).
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || c == '\0' || c.is_ascii_whitespace())
}

/// Reads a frame that [`trim`] has cleaned.
///
/// # Errors
/// [`Malformed`] says what to answer and with which id.
pub fn parse(text: &str) -> Result<Frame<'_>, Malformed> {
    if let Err(why) = within_limits(text) {
        return Err(unreadable(text, why.into(), false));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let parts = json
        .deserialize_seq(PartsVisitor)
        .and_then(|parts| json.end().map(|()| parts));
    match parts {
        Ok(parts) => parts.into_frame(text),
        Err(error) => Err(unreadable(
            text,
            format!("not a JSON array: {error}").into(),
            true,
        )),
    }
}

/// The first five elements, each as its JSON text. A frame may have more; they mean nothing.
#[derive(Default)]
struct Parts<'a>([Option<&'a str>; 5]);

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OCPP-J frame, which is a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Parts::default();
        for slot in &mut parts.0 {
            match seq.next_element::<&RawValue>()? {
                Some(raw) => *slot = Some(raw.get()),
                None => return Ok(parts),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(parts)
    }
}

impl<'a> Parts<'a> {
    fn into_frame(self, text: &str) -> Result<Frame<'a>, Malformed> {
        let [Some(kind), Some(id), third, fourth, fifth] = self.0 else {
            return Err(unreadable(
                text,
                "the frame has no message type and id".into(),
                false,
            ));
        };
        if !(id.starts_with('"') || is_number(id)) || id.len() > MAX_ID {
            return Err(unreadable(
                text,
                "the message id is neither a short text nor a number".into(),
                false,
            ));
        }
        let id = MessageId::from_token(id);
        match unquoted(kind) {
            "2" => call(id, third, fourth),
            "3" => match object(third) {
                Some(payload) => Ok(Frame::CallResult { id, payload }),
                None => Err(bad_answer(
                    id,
                    "the payload of a CALLRESULT is not an object",
                )),
            },
            "4" => Ok(Frame::CallError {
                error: CallError {
                    code: ErrorCode::from_wire(&third.map(string).unwrap_or_default()),
                    description: fourth.map(string).unwrap_or_default().into_owned(),
                    details: object(fifth).unwrap_or("{}").to_owned(),
                },
                id,
            }),
            number if is_number(number) => Ok(Frame::Unknown { id }),
            _ => Err(unreadable(
                text,
                "the message type is not a number".into(),
                false,
            )),
        }
    }
}

fn call<'a>(
    id: MessageId,
    action: Option<&'a str>,
    payload: Option<&'a str>,
) -> Result<Frame<'a>, Malformed> {
    let refuse = |id, code, why: &'static str| {
        Err(Malformed {
            id: Some(id),
            code,
            why: why.into(),
            is_answer: false,
            not_json: false,
        })
    };
    let Some(action) = action else {
        return refuse(
            id,
            ErrorCode::ProtocolError,
            "incomplete: a CALL has an action and a payload",
        );
    };
    if !action.starts_with('"') {
        return refuse(
            id,
            ErrorCode::ProtocolError,
            "the action of a CALL is not a text",
        );
    }
    let action = string(action);
    if payload.is_none() && action != "Heartbeat" {
        return refuse(
            id,
            ErrorCode::ProtocolError,
            "incomplete: the CALL has no payload",
        );
    }
    match object(payload) {
        Some(payload) => Ok(Frame::Call {
            id,
            action,
            payload,
        }),
        None => refuse(
            id,
            ErrorCode::FormatViolation,
            "the payload of a CALL is not an object",
        ),
    }
}

fn bad_answer(id: MessageId, why: &'static str) -> Malformed {
    Malformed {
        id: Some(id),
        code: ErrorCode::FormatViolation,
        why: why.into(),
        is_answer: true,
        not_json: false,
    }
}

/// A payload: an object as it is, absent or null as an empty one (quirk 14), anything else not.
fn object(token: Option<&str>) -> Option<&str> {
    match token {
        None | Some("null") => Some("{}"),
        Some(text) => text.starts_with('{').then_some(text),
    }
}

/// The value of a JSON token read as text; a token that is no string is its own text.
fn string(token: &str) -> Cow<'_, str> {
    if token.starts_with('"') && token.contains('\\') {
        // Lone surrogates are the one thing a valid token may hold that is no text.
        return serde_json::from_str::<String>(token)
            .map_or_else(|_| unquoted(token).into(), Cow::Owned);
    }
    unquoted(token).into()
}

fn unquoted(token: &str) -> &str {
    token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(token)
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

fn unreadable(text: &str, why: Cow<'static, str>, not_json: bool) -> Malformed {
    let (kind, id) = recover(text);
    // With an id the sender learns which message it was; without, that the frame itself was the trouble.
    let code = if id.is_some() {
        ErrorCode::FormatViolation
    } else {
        ErrorCode::RpcFrameworkError
    };
    Malformed {
        id,
        code,
        why,
        is_answer: matches!(kind, Some(b'3' | b'4')),
        not_json,
    }
}

/// The message type and id at the head of a frame that is broken further on.
fn recover(text: &str) -> (Option<u8>, Option<MessageId>) {
    let Some(rest) = text.trim_start_matches([',', ' ', '\t']).strip_prefix('[') else {
        return (None, None);
    };
    let rest = rest.trim_start_matches([',', ' ', '\t']);
    let Some((kind, rest)) = rest.split_once(',') else {
        return (None, None);
    };
    let &[kind] = kind.trim().as_bytes() else {
        return (None, None);
    };
    let token = serde_json::Deserializer::from_str(rest)
        .into_iter::<&RawValue>()
        .next();
    let id = token
        .and_then(Result::ok)
        .map(RawValue::get)
        .filter(|token| (token.starts_with('"') || is_number(token)) && token.len() <= MAX_ID)
        .map(MessageId::from_token);
    (Some(kind), id)
}

/// Checks nesting and array sizes without building anything.
fn within_limits(text: &str) -> Result<(), &'static str> {
    // Counting bytes is far cheaper than following strings, and nearly every frame ends here.
    let openings = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    let is_small = text.len() <= 2 * MAX_ITEMS;
    if openings <= MAX_DEPTH && is_small {
        Ok(())
    } else {
        within_limits_exactly(text)
    }
}

fn within_limits_exactly(text: &str) -> Result<(), &'static str> {
    let mut items = Vec::with_capacity(MAX_DEPTH);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' if items.len() == MAX_DEPTH => return Err("nested deeper than 32 levels"),
            b'[' => items.push(Some(1)),
            b'{' => items.push(None),
            b']' | b'}' => drop(items.pop()),
            b',' => match items.last_mut() {
                Some(Some(MAX_ITEMS)) => return Err("an array has more than 10000 items"),
                Some(Some(count)) => *count += 1,
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

/// The second chance of a frame that is not JSON: stray commas at the head, control characters inside strings,
/// `NaN` and `Infinity` as values (quirk 13). `None` if there was nothing to mend.
pub fn mend(text: &str) -> Option<String> {
    let is_stray = |c: char| c == ',' || c.is_ascii_whitespace();
    let body = text.trim_start_matches(is_stray);
    let mut rest = body
        .strip_prefix('[')
        .map_or(body, |rest| rest.trim_start_matches(is_stray));
    let mut out = String::with_capacity(text.len() + 8);
    out.push('[');
    while let Some(c) = rest.chars().next() {
        let used = if c == '"' {
            mend_string(rest, &mut out)
        } else {
            mend_between(c, rest, &mut out)
        };
        rest = &rest[used..];
    }
    (out != text).then_some(out)
}

/// Copies the string that `rest` begins with, its control characters escaped. Returns how many bytes it took.
fn mend_string(rest: &str, out: &mut String) -> usize {
    let mut bytes = rest.bytes();
    bytes.next();
    skip_string(&mut bytes);
    let used = rest.len() - bytes.len();
    for c in rest[..used].chars() {
        if c.is_control() {
            *out += &format!("\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    used
}

/// Copies what stands outside of strings: a word that is no value as null, a control character as a blank.
fn mend_between(c: char, rest: &str, out: &mut String) -> usize {
    if let Some(word) = ["NaN", "-Infinity", "Infinity"]
        .into_iter()
        .find(|word| rest.starts_with(word))
    {
        *out += "null";
        return word.len();
    }
    out.push(if c.is_control() { ' ' } else { c });
    c.len_utf8()
}

/// Whether JSON text holds a NUL, raw or as `\u0000`. Postgres stores neither in text nor in jsonb.
pub fn has_nul(json: &str) -> bool {
    json.contains('\0') || escaped_nul(json).is_some()
}

/// JSON text safe to store: every NUL, raw or escaped, becomes U+FFFD. Borrowed when there is none.
pub fn without_nul(json: &str) -> Cow<'_, str> {
    if !has_nul(json) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = escaped_nul(rest) {
        out.push_str(&rest[..at]);
        out.push_str("\\ufffd");
        rest = &rest[at + ESCAPED_NUL.len()..];
    }
    out.push_str(rest);
    out.replace('\0', "\u{fffd}").into()
}

const ESCAPED_NUL: &str = "\\u0000";

/// Where `\u0000` stands as an escape, not as the tail of an escaped backslash.
fn escaped_nul(json: &str) -> Option<usize> {
    let backslashes_before =
        |at: usize| json[..at].bytes().rev().take_while(|b| *b == b'\\').count();
    json.match_indices(ESCAPED_NUL)
        .map(|(at, _)| at)
        .find(|&at| backslashes_before(at) % 2 == 0)
}

/// Writes `[2,id,action,payload]`; `payload` is a JSON object as text.
pub fn write_call(id: &MessageId, action: &str, payload: &str) -> String {
    format!("[2,{},{},{payload}]", id.token(), quoted(action))
}

/// Writes `[3,id,payload]`; `payload` is a JSON object as text.
pub fn write_call_result(id: &MessageId, payload: &str) -> String {
    format!("[3,{},{payload}]", id.token())
}

/// Writes `[4,id,code,description,details]`. Without an id it is `"-1"` (2.0.1 part 4, 4.2.3).
pub fn write_call_error(version: Version, id: Option<&MessageId>, error: &CallError) -> String {
    let description = match error.description.char_indices().nth(MAX_DESCRIPTION) {
        Some((end, _)) => &error.description[..end],
        None => &error.description,
    };
    format!(
        "[4,{},{},{},{}]",
        id.map_or("\"-1\"", MessageId::token),
        quoted(error.code.to_wire(version)),
        quoted(description),
        error.details
    )
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always valid JSON")
}
