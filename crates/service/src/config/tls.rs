//! Settings of TLS on the chargers' listener, and of the certificates of stations.

use std::path::PathBuf;

use super::Env;

/// Where the certificates are, PEM all of them. What is in the files is read by the chargers' room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `OCPP_TLS_CERT`: the server's certificate and those that it needs to be believed.
    pub certificate: PathBuf,
    /// `OCPP_TLS_KEY`.
    pub key: PathBuf,
    /// `OCPP_TLS_CLIENT_CA`: who signs the certificates of stations.
    pub client_authorities: Option<PathBuf>,
    /// `OCPP_TLS_CRL`: which of those are revoked.
    pub revoked: Option<PathBuf>,
    /// `OCPP_TLS_CRL_SOFT`: certificates are believed if nobody can say whether they are revoked.
    pub soft: bool,
}

impl Tls {
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let certificate = path(env.text("OCPP_TLS_CERT"));
        let key = path(env.text("OCPP_TLS_KEY"));
        let client_authorities = path(env.text("OCPP_TLS_CLIENT_CA"));
        let revoked = path(env.text("OCPP_TLS_CRL"));
        let soft = env.flag("OCPP_TLS_CRL_SOFT");
        let mut missing = |name, with: &str| {
            env.complain(name, String::new(), &format!("a file: {with} is set"));
        };
        match (&certificate, &key) {
            (Some(_), None) => missing("OCPP_TLS_KEY", "OCPP_TLS_CERT"),
            (None, Some(_)) => missing("OCPP_TLS_CERT", "OCPP_TLS_KEY"),
            (None, None) if client_authorities.is_some() => {
                missing("OCPP_TLS_CERT", "OCPP_TLS_CLIENT_CA");
            }
            _ => {}
        }
        if revoked.is_some() && client_authorities.is_none() {
            missing("OCPP_TLS_CLIENT_CA", "OCPP_TLS_CRL");
        }
        if client_authorities.is_some() && env.text("OCPP_CPO_NAME").is_none() {
            let expected = "the O of the stations' certificates: OCPP_TLS_CLIENT_CA is set";
            env.complain("OCPP_CPO_NAME", String::new(), expected);
        }
        Some(Tls {
            certificate: certificate?,
            key: key?,
            client_authorities,
            revoked,
            soft,
        })
    }
}

/// `OCPP_CPO_NAME`.
pub(super) fn operator(env: &mut Env) -> Option<String> {
    let expected = "a name of 1 to 64 characters, such as Example CPO";
    env.read("OCPP_CPO_NAME", expected, |name| {
        (name.chars().count() <= 64).then(|| name.to_owned())
    })
}

/// `OCPP_SIGNING_CERT` and `OCPP_SIGNING_KEY`: both, or none.
pub(super) fn signer(env: &mut Env) -> Option<(PathBuf, PathBuf)> {
    let certificate = path(env.text("OCPP_SIGNING_CERT"));
    let key = path(env.text("OCPP_SIGNING_KEY"));
    match (&certificate, &key) {
        (Some(_), None) => {
            let expected = "a file: OCPP_SIGNING_CERT is set";
            env.complain("OCPP_SIGNING_KEY", String::new(), expected);
        }
        (None, Some(_)) => {
            let expected = "a file: OCPP_SIGNING_KEY is set";
            env.complain("OCPP_SIGNING_CERT", String::new(), expected);
        }
        (Some(_), Some(_)) if env.text("OCPP_CPO_NAME").is_none() => {
            let expected = "the O of the stations' certificates: OCPP_SIGNING_CERT is set";
            env.complain("OCPP_CPO_NAME", String::new(), expected);
        }
        _ => {}
    }
    certificate.zip(key)
}

fn path(text: Option<String>) -> Option<PathBuf> {
    text.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Env};

    #[test]
    fn what_belongs_together_is_set_together() {
        let problems = |settings: &[(&str, &str)]| {
            let config = Config::from_env(Env::of(settings.iter().copied()));
            let problems = config.map_or_else(|problems| problems.0, |_| Vec::new());
            problems
                .iter()
                .map(|problem| problem.name)
                .collect::<Vec<_>>()
        };
        let pair = [("OCPP_TLS_CERT", "a"), ("OCPP_TLS_KEY", "b")];
        assert!(problems(&pair).is_empty());
        assert_eq!(problems(&pair[..1]), ["OCPP_TLS_KEY"]);
        assert_eq!(problems(&pair[1..]), ["OCPP_TLS_CERT"]);
        let clients = [pair[0], pair[1], ("OCPP_TLS_CLIENT_CA", "c")];
        assert_eq!(problems(&clients), ["OCPP_CPO_NAME"]);
        assert_eq!(
            problems(&[("OCPP_TLS_CRL", "d"), ("OCPP_SIGNING_KEY", "e")]),
            ["OCPP_TLS_CLIENT_CA", "OCPP_SIGNING_CERT"]
        );
    }

    #[test]
    fn chargers_are_told_of_tls() {
        let pair = [("OCPP_TLS_CERT", "a"), ("OCPP_TLS_KEY", "b")];
        let config = Config::from_env(Env::of(pair)).unwrap();
        assert_eq!(config.csms.public_url, "wss://127.0.0.1:9000/ocpp");
    }
}
