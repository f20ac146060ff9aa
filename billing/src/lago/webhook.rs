//! What Lago says to us: whether it is Lago (by the raw bytes of the body), and what it wants. Pure.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use serde::Deserialize;
use serde_json::Value;
use spki::{
    SubjectPublicKeyInfoRef,
    der::{Decode, Document},
};

/// The keys that Lago may sign with.
#[derive(Clone, Default)]
pub struct Keys {
    hmac: Option<hmac::Key>,
    /// PKCS#1.
    rsa: Option<Vec<u8>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("hmac", &self.hmac.is_some())
            .field("rsa", &self.rsa.is_some())
            .finish()
    }
}

/// A setting that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("LAGO_WEBHOOK_PUBLIC_KEY: expected an RSA public key as PEM, or its base64")]
pub struct NoKey;

/// Why a webhook is not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key of this kind is set.
    #[error("no key for this signature is set")]
    NoKey,
    /// It was not signed with our key, or not this body.
    #[error("the signature does not fit")]
    Forged,
}

impl Keys {
    /// Keys from the settings.
    ///
    /// # Errors
    /// When the public key cannot be read.
    pub fn new(hmac_key: Option<&str>, public_key: Option<&str>) -> Result<Self, NoKey> {
        Ok(Self {
            hmac: hmac_key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())),
            rsa: public_key.map(rsa_key).transpose()?,
        })
    }

    /// Whether anything could be believed at all.
    pub fn is_empty(&self) -> bool {
        self.hmac.is_none() && self.rsa.is_none()
    }

    /// Whether `signature`, as `X-Lago-Signature` has it, is of `body` to the byte. `algorithm` is
    /// `X-Lago-Signature-Algorithm`; it only chooses among the keys that are set.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, algorithm: &str, signature: &str, body: &[u8]) -> Result<(), Refusal> {
        match algorithm {
            "hmac" => {
                let key = self.hmac.as_ref().ok_or(Refusal::NoKey)?;
                let tag = STANDARD.decode(signature).map_err(|_| Refusal::Forged)?;
                // In constant time.
                hmac::verify(key, body, &tag).map_err(|_| Refusal::Forged)
            }
            "jwt" => {
                let key = self.rsa.as_ref().ok_or(Refusal::NoKey)?;
                verify_jwt(key, signature, body).ok_or(Refusal::Forged)
            }
            _ => Err(Refusal::Forged),
        }
    }
}

/// RS256 over `{"data": body, "iss": …}`, and nothing else: the header's own choice of algorithm is not followed.
fn verify_jwt(key: &[u8], token: &str, body: &[u8]) -> Option<()> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    #[derive(Deserialize)]
    struct Claims {
        data: Value,
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    if header.alg != "RS256" {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    // The token is signed: its claim and the body are both public, and are compared as they are.
    (claims.data.as_str()?.as_bytes() == body).then_some(())
}

/// The key that ring wants, out of PEM, or base64 of it as Lago's API gives it.
fn rsa_key(text: &str) -> Result<Vec<u8>, NoKey> {
    let pem = if text.contains("-----BEGIN") {
        // Settings are lines: a key of several is written with \n.
        text.replace("\\n", "\n")
    } else {
        let decoded = STANDARD.decode(text.trim()).map_err(|_| NoKey)?;
        String::from_utf8(decoded).map_err(|_| NoKey)?
    };
    let (label, document) = Document::from_pem(pem.trim()).map_err(|_| NoKey)?;
    if label == "RSA PUBLIC KEY" {
        return Ok(document.as_bytes().to_vec());
    }
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).map_err(|_| NoKey)?;
    Ok(info.subject_public_key.raw_bytes().to_vec())
}

/// What a webhook wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Events that Lago took and does not bill, by reason.
    EventErrors(Vec<(&'static str, Vec<String>)>),
    /// Something to be kept, and no more.
    Noted,
}

/// The type that a body states, if it can be read.
pub fn kind(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        webhook_type: String,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    (!body.webhook_type.is_empty() && body.webhook_type.len() <= 200).then_some(body.webhook_type)
}

/// What a body of type `kind` wants.
///
/// # Errors
/// When it does not hold what its type says, in words.
pub fn read(kind: &str, body: &[u8]) -> Result<Message, String> {
    #[derive(Deserialize)]
    struct Body {
        events_errors: Errors,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Errors {
        invalid_code: Option<Vec<String>>,
        missing_aggregation_property: Option<Vec<String>>,
        invalid_filter_values: Option<Vec<String>>,
        missing_group_key: Option<Vec<String>>,
    }
    if kind != "events.errors" {
        return Ok(Message::Noted);
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let errors = body.events_errors;
    let lists = [
        ("invalid_code", errors.invalid_code),
        (
            "missing_aggregation_property",
            errors.missing_aggregation_property,
        ),
        ("invalid_filter_values", errors.invalid_filter_values),
        ("missing_group_key", errors.missing_group_key),
    ];
    let lists = lists
        .into_iter()
        .filter_map(|(why, ids)| Some((why, ids.filter(|ids| !ids.is_empty())?)))
        .collect();
    Ok(Message::EventErrors(lists))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made once with openssl for these tests.
    const PUBLIC_PEM: &str = include_str!("webhook/test_key.pub.pem");
    const BODY: &str = include_str!("webhook/test_body.json");
    const JWT: &str = include_str!("webhook/test_body.jwt");

    fn keys() -> Keys {
        Keys::new(Some("secret"), Some(PUBLIC_PEM)).unwrap()
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, body))
    }

    #[test]
    fn hmac_is_of_these_bytes_by_this_secret() {
        let body = br#"{"webhook_type":"x", "n":1}"#;
        let check = |signature: &str, body: &[u8]| keys().verify("hmac", signature, body);
        assert_eq!(check(&sign("secret", body), body), Ok(()));
        let again = serde_json::to_vec(&serde_json::from_slice::<Value>(body).unwrap()).unwrap();
        for (signature, body) in [
            (sign("other", body), &body[..]),
            (sign("secret", body), &again),
            (String::new(), body),
            ("!".to_owned(), body),
            (hex_of(body), body),
        ] {
            assert_eq!(check(&signature, body), Err(Refusal::Forged), "{signature}");
        }
        let none = Keys::default();
        assert_eq!(none.verify("hmac", "", b""), Err(Refusal::NoKey));
        assert!(none.is_empty());
    }

    fn hex_of(body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let tag = hmac::sign(&key, body);
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn a_jwt_is_rs256_of_these_bytes_by_our_key() {
        let (jwt, body) = (JWT.trim(), BODY.trim_end().as_bytes());
        assert_eq!(keys().verify("jwt", jwt, body), Ok(()));
        let forged = |jwt: &str, body: &[u8]| {
            assert_eq!(
                keys().verify("jwt", jwt, body),
                Err(Refusal::Forged),
                "{jwt}"
            );
        };
        forged(jwt, b"{}");
        forged("", body);
        forged("a.b.c", body);
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        for alg in ["none", "None", "HS256", "RS512"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            forged(&format!("{header}.{claims}.{signature}"), body);
            forged(&format!("{header}.{claims}."), body);
        }
        // The public key taken for a secret of HMAC: the oldest trick.
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let key = hmac::Key::new(hmac::HMAC_SHA256, PUBLIC_PEM.as_bytes());
        let tag = hmac::sign(&key, format!("{header}.{claims}").as_bytes());
        forged(
            &format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(tag)),
            body,
        );
        let swapped = jwt.replace(signature, &URL_SAFE_NO_PAD.encode([1; 256]));
        forged(&swapped, body);
    }

    #[test]
    fn a_key_is_read_as_pem_and_as_lago_gives_it() {
        let base64 = STANDARD.encode(PUBLIC_PEM);
        let lines = PUBLIC_PEM.replace('\n', "\\n");
        for text in [base64.as_str(), lines.as_str()] {
            let keys = Keys::new(None, Some(text)).unwrap();
            assert_eq!(
                keys.verify("jwt", JWT.trim(), BODY.trim_end().as_bytes()),
                Ok(())
            );
        }
        for text in ["", "hunter2", "-----BEGIN PUBLIC KEY-----"] {
            assert_eq!(Keys::new(None, Some(text)).unwrap_err(), NoKey);
        }
    }

    #[test]
    fn events_that_are_not_billed_are_named_by_reason() {
        let body = br#"{"webhook_type":"events.errors","object_type":"events_errors","events_errors":
            {"invalid_code":[],"missing_aggregation_property":["a","b"],"invalid_filter_values":null,"new":[1]}}"#;
        assert_eq!(kind(body).as_deref(), Some("events.errors"));
        assert_eq!(
            read("events.errors", body),
            Ok(Message::EventErrors(vec![(
                "missing_aggregation_property",
                vec!["a".to_owned(), "b".to_owned()]
            )]))
        );
        assert_eq!(read("invoice.created", b"{}"), Ok(Message::Noted));
        assert!(read("events.errors", b"{}").is_err());
        assert_eq!(kind(b"[]"), None);
    }
}
