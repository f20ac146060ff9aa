//! What is secret in a command, and the same without it: passwords are not kept longer than they take to deliver.

use serde_json::Value;

use crate::files;

/// Stands where a secret was.
pub const REDACTED: &str = "***";

/// The payload without its secrets; `None` if it has none.
pub fn payload(action: &str, payload: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(payload).ok()?;
    let mut found = false;
    if action == "ChangeConfiguration" {
        found |= hide_value(&mut value);
    }
    for place in ["/location", "/log/remoteLocation", "/firmware/location"] {
        if let Some(Value::String(location)) = value.pointer_mut(place)
            && let Some(hidden) = self::location(location)
        {
            *location = hidden;
            found = true;
        }
    }
    found.then(|| value.to_string())
}

/// The answer without secrets that a station should never have told; `None` if there are none.
pub fn answer(action: &str, answer: &str) -> Option<String> {
    if action != "GetConfiguration" {
        return None;
    }
    let mut value: Value = serde_json::from_str(answer).ok()?;
    let keys = value.get_mut("configurationKey")?.as_array_mut()?;
    let mut found = false;
    for key in keys {
        found |= hide_value(key);
    }
    found.then(|| value.to_string())
}

/// Whether the value of a configuration key is nobody's business.
pub fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "authorizationkey"
        || ["password", "passwd", "passphrase", "secret"]
            .iter()
            .any(|word| key.contains(word))
}

/// Hides `value` beside a `key` that is secret.
fn hide_value(pair: &mut Value) -> bool {
    let is_secret = pair["key"].as_str().is_some_and(is_secret_key);
    match pair.get_mut("value") {
        Some(value) if is_secret && !value.is_null() => {
            *value = REDACTED.into();
            true
        }
        _ => false,
    }
}

/// A place of files without what opens it; `None` if nothing does.
pub fn location(location: &str) -> Option<String> {
    let hidden = without_password(location);
    let token = without_token(hidden.as_deref().unwrap_or(location));
    token.or(hidden)
}

/// `https://host/files/{token}` with the token hidden.
fn without_token(location: &str) -> Option<String> {
    let (before, rest) = location.split_once("/files/")?;
    let token = rest.split(['/', '?', '#']).next().unwrap_or_default();
    files::is_token(token).then(|| format!("{before}/files/{REDACTED}{}", &rest[token.len()..]))
}

/// `ftp://user:password@host/` with the password hidden.
fn without_password(location: &str) -> Option<String> {
    let (scheme, rest) = location.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (user, host) = rest[..end].rsplit_once('@')?;
    let (user, _) = user.split_once(':')?;
    Some(format!(
        "{scheme}://{user}:{REDACTED}@{host}{}",
        &rest[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_else_is_touched() {
        for (action, given, expected) in [
            (
                "ChangeConfiguration",
                r#"{"key":"AuthorizationKey","value":"00ff"}"#,
                Some(r#"{"key":"AuthorizationKey","value":"***"}"#),
            ),
            (
                "ChangeConfiguration",
                r#"{"key":"WiFiPassword", "value":"x"}"#,
                Some(r#"{"key":"WiFiPassword","value":"***"}"#),
            ),
            (
                "ChangeConfiguration",
                r#"{"key":"HeartbeatInterval","value":"60"}"#,
                None,
            ),
            (
                "GetDiagnostics",
                r#"{"location":"ftp://me:pass@host/up?x=a@b"}"#,
                Some(r#"{"location":"ftp://me:***@host/up?x=a@b"}"#),
            ),
            (
                "GetDiagnostics",
                r#"{"location":"https://host/up:1@2"}"#,
                None,
            ),
            (
                "GetLog",
                r#"{"log":{"remoteLocation":"sftp://a:b:c@h"}}"#,
                Some(r#"{"log":{"remoteLocation":"sftp://a:***@h"}}"#),
            ),
            (
                "UpdateFirmware",
                r#"{"location":"http://h/files/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}"#,
                Some(r#"{"location":"http://h/files/***"}"#),
            ),
            (
                "UpdateFirmware",
                r#"{"location":"http://h/files/fw-1.2.bin"}"#,
                None,
            ),
            ("Reset", r#"{"type":"Hard"}"#, None),
            ("Reset", "no JSON", None),
        ] {
            assert_eq!(payload(action, given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_station_that_tells_its_password_is_not_written_down() {
        let told = r#"{"configurationKey":[{"key":"authorizationkey","readonly":false,"value":"00"},{"key":"A","value":"1"}]}"#;
        let hidden = answer("GetConfiguration", told).unwrap();
        assert!(
            hidden.contains(r#""value":"***""#) && hidden.contains(r#""value":"1""#),
            "{hidden}"
        );
        assert_eq!(
            answer("GetConfiguration", r#"{"unknownKey":["AuthorizationKey"]}"#),
            None
        );
        assert_eq!(answer("Reset", told), None);
    }
}
