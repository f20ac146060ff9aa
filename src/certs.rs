//! `forecourt certs`: certificates for development and small installations, as files. They need no database.

use std::path::Path;
use std::sync::Arc;

use ::certs::files::{self, Readers};
use ::certs::{Authority, Facts, Name};
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use service::config::Config;

use crate::cli::{Certs, DevCa, Revoke, ServerCertificate, StationCertificate};

/// The authority's files below the folder.
const AUTHORITY: &str = "ca";
/// Its list of the revoked ones.
const REVOKED: &str = "ca.crl";

/// The TLS of the chargers' listener, if the settings want any.
pub fn of_listener(config: &Config) -> anyhow::Result<Option<Arc<csms::tls::Tls>>> {
    let tls = config.csms.tls.as_ref().map(csms::tls::Tls::load);
    let tls = tls.transpose().context("these settings cannot be used")?;
    Ok(tls.map(Arc::new))
}

/// Who signs what stations ask for, if the settings say so.
pub fn signer(config: &Config) -> anyhow::Result<Option<Arc<dyn csms::signing::Signer>>> {
    let Some((certificate, key)) = &config.csms.signer else {
        return Ok(None);
    };
    let unusable = || {
        format!(
            "OCPP_SIGNING_CERT={} and OCPP_SIGNING_KEY={} cannot be used",
            certificate.display(),
            key.display()
        )
    };
    let text = |path| std::fs::read_to_string(path).with_context(unusable);
    let authority = Authority::load(&text(certificate)?, &text(key)?).with_context(unusable)?;
    Ok(Some(Arc::new(csms::signing::LocalAuthority(authority))))
}

/// Does what was asked for.
pub fn run(asked: &Certs, data: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let (Certs::DevCa(DevCa { place, .. })
    | Certs::Server(ServerCertificate { place, .. })
    | Certs::Station(StationCertificate { place, .. })
    | Certs::Revoke(Revoke { place, .. })) = asked;
    let folder = place.dir.clone().unwrap_or_else(|| data.join("certs"));
    match asked {
        Certs::DevCa(asked) => dev_ca(asked, &folder, now),
        Certs::Server(asked) => server(asked, &folder, now),
        Certs::Station(asked) => station(asked, &folder, now),
        Certs::Revoke(asked) => revoke(asked, &folder, now),
    }
}

fn dev_ca(asked: &DevCa, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let name = Name {
        common: &asked.name,
        organisation: &asked.organisation,
    };
    let issued = Authority::create(name, asked.days, now)?;
    let paths = files::write_pair(folder, AUTHORITY, &issued, asked.force)?;
    tell(&paths);
    let authority = Authority::load(&issued.certificate, &issued.key)?;
    let list = authority.revoke(&[], asked.days, now)?;
    let path = folder.join(REVOKED);
    files::write(&path, &list, Readers::All, true)?;
    tell(&[path]);
    println!("Keep ca.key where no charger and no visitor can read it.");
    Ok(())
}

fn server(asked: &ServerCertificate, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let issued = authority(folder)?.server(&asked.names, asked.days, now)?;
    let paths = files::write_pair(folder, "server", &issued, asked.force)?;
    tell(&paths);
    let [certificate, key] = &paths;
    println!(
        "Set OCPP_TLS_CERT={} and OCPP_TLS_KEY={}; a server that runs with them takes new ones by itself.",
        certificate.display(),
        key.display()
    );
    Ok(())
}

fn station(asked: &StationCertificate, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    // It becomes part of a file's name.
    if asked.serial.contains(['/', '\\']) || asked.serial.starts_with('.') {
        bail!(
            "{:?}: expected a serial number without / and \\, not beginning with a dot",
            asked.serial
        );
    }
    let authority = authority(folder)?;
    let organisation = asked
        .organisation
        .as_deref()
        .unwrap_or(&authority.facts().organisation);
    let name = Name {
        common: &asked.serial,
        organisation,
    };
    let issued = authority.station(name, asked.days, now)?;
    let file = format!("station-{}", asked.serial);
    tell(&files::write_pair(folder, &file, &issued, asked.force)?);
    Ok(())
}

/// Writes the list anew with one certificate more.
fn revoke(asked: &Revoke, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let authority = authority(folder)?;
    let path = folder.join(REVOKED);
    let mut serials = match std::fs::read(&path) {
        Ok(list) => ::certs::revoked(&list)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    for certificate in &asked.certificates {
        serials.push(Facts::of_pem(&read(certificate)?)?.serial);
    }
    serials.sort();
    serials.dedup();
    let list = authority.revoke(&serials, asked.days, now)?;
    files::write(&path, &list, Readers::All, true)?;
    tell(&[path]);
    println!("{} revoked in all.", serials.len());
    Ok(())
}

fn authority(folder: &Path) -> anyhow::Result<Authority> {
    let [certificate, key] =
        ["pem", "key"].map(|ending| folder.join(format!("{AUTHORITY}.{ending}")));
    if !certificate.exists() {
        bail!(
            "{} is missing: make an authority first, by `forecourt certs dev-ca --dir {}`",
            certificate.display(),
            folder.display()
        );
    }
    Authority::load(&read(&certificate)?, &read(&key)?)
        .with_context(|| format!("the authority in {}", folder.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn tell(paths: &[std::path::PathBuf]) {
    for path in paths {
        println!("{}", path.display());
    }
}
