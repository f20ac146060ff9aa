//! The flags of a station's security profile, and what each profile needs.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use simulators::wire::TlsFiles;

/// How a station proves who it is.
#[derive(Args)]
pub struct SecurityArgs {
    /// Security profile: 0 nothing, 1 password, 2 TLS and password, 3 TLS and a certificate; by default what the other flags say.
    #[arg(long, value_name = "0-3", value_parser = clap::value_parser!(u8).range(0..=3))]
    security_profile: Option<u8>,
    /// Basic authentication.
    #[arg(long, conflicts_with = "password_file")]
    password: Option<String>,
    /// The same, from a file whose first line it is.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The authorities whose servers are believed (PEM); for wss://.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The station's own certificate (PEM), its issuers behind it.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// What to connect with.
#[derive(Debug, PartialEq, Eq)]
pub struct Means {
    pub password: Option<Vec<u8>>,
    pub tls: Option<TlsFiles>,
}

impl SecurityArgs {
    /// What the flags come to for a server at `url`.
    pub fn means(self, url: &str) -> anyhow::Result<Means> {
        let password = match (self.password, &self.password_file) {
            (Some(password), _) => Some(password),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("--password-file {}", path.display()))?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            (None, None) => None,
        };
        let own = self.cert.zip(self.key);
        let is_tls = url.starts_with("wss://");
        match self.security_profile {
            Some(1) if password.is_none() => bail!("--security-profile 1 needs --password"),
            Some(2) if !is_tls || password.is_none() => {
                bail!("--security-profile 2 needs a --url of wss:// and --password")
            }
            Some(3) if !is_tls || own.is_none() => {
                bail!("--security-profile 3 needs a --url of wss://, --cert and --key")
            }
            _ => {}
        }
        let tls = match (is_tls, self.ca) {
            (true, Some(ca)) => Some(TlsFiles {
                ca,
                own: own.filter(|_| self.security_profile.is_none_or(|profile| profile == 3)),
            }),
            (true, None) => {
                bail!("--url {url} needs --ca, the authority of the server's certificate")
            }
            (false, _) => None,
        };
        // One way at a time: a certificate is enough.
        let sends_password = !matches!(self.security_profile, Some(0 | 3));
        Ok(Means {
            password: password.filter(|_| sends_password).map(String::into_bytes),
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(profile: u8) -> SecurityArgs {
        SecurityArgs {
            security_profile: Some(profile),
            password: Some("secret".to_owned()),
            password_file: None,
            ca: Some("ca.pem".into()),
            cert: Some("own.pem".into()),
            key: Some("own.key".into()),
        }
    }

    #[test]
    fn each_profile_uses_its_own_means() {
        let means = |profile, url| args(profile).means(url).unwrap();
        let (ws, wss) = ("ws://h/ocpp", "wss://h/ocpp");
        assert_eq!(means(0, ws).password, None);
        assert_eq!(means(1, ws).password.as_deref(), Some(&b"secret"[..]));
        let second = means(2, wss);
        assert!(second.password.is_some() && second.tls.unwrap().own.is_none());
        let third = means(3, wss);
        assert!(third.password.is_none() && third.tls.unwrap().own.is_some());
        for (profile, url) in [(2, ws), (3, ws)] {
            assert!(args(profile).means(url).is_err());
        }
        let blind = SecurityArgs {
            ca: None,
            ..args(2)
        };
        assert!(blind.means(wss).unwrap_err().to_string().contains("--ca"));
    }
}
