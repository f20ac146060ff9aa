//! Firmware updates and log uploads that people ask for: the job, its command and its token in one transaction. The API
//! and the pages meet here.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::v16::{
    Firmware, GetDiagnosticsRequest, GetLogRequest, LogParameters, LogType,
    SignedUpdateFirmwareRequest, UpdateFirmwareRequest,
};
use ocpp::{Timestamp, encode};
use serde_json::json;
use store::{
    Scoped, audit,
    commands::redact,
    files::{self, Purpose},
    station_jobs::{self, Kind, NewJob},
    stations_read::Station,
};
use uuid::Uuid;
use x509_parser::pem::Pem;

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    error::Complaint,
    orders::{self, Order},
};

/// A station that is away may come back until then.
const EXPIRES: TimeDelta = TimeDelta::days(1);
/// How long after it was due a station may still fetch or send.
const TOKEN_LASTS: TimeDelta = TimeDelta::days(2);
/// The longest place of files that the messages take.
pub const LONGEST_LOCATION: usize = 512;
/// The longest signature.
pub const LONGEST_SIGNATURE: usize = 800;
/// The longest signing certificate.
pub const LONGEST_CERTIFICATE: usize = 5_500;
/// How a station may be told to move files, in OCPP 1.6.
const SCHEMES: [&str; 5] = ["http", "https", "ftp", "ftps", "sftp"];

/// Where a station fetches its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An image that was uploaded here.
    Image(Uuid),
    /// Somewhere else.
    Elsewhere(String),
}

/// What a signed update carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Base64, as the manufacturer made it.
    pub signature: String,
    /// The manufacturer's certificate, PEM.
    pub certificate: String,
    /// When the station shall install it; by default as soon as it has it.
    pub install_at: Option<DateTime<Utc>>,
}

/// How often and how patiently a station tries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// How often.
    pub retries: Option<i64>,
    /// Seconds between two.
    pub interval: Option<i64>,
}

/// A firmware update that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareOrder {
    /// Where it is.
    pub from: Source,
    /// Not before this.
    pub retrieve_at: Option<DateTime<Utc>>,
    /// With a signature it is a SignedUpdateFirmware.
    pub signed: Option<Signed>,
    /// How hard it tries.
    pub tries: Tries,
}

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// 1.6's own GetDiagnostics.
    Diagnostics,
    /// GetLog of the whitepaper.
    DiagnosticsLog,
    /// The same for the security log.
    SecurityLog,
}

/// A log that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOrder {
    /// Which.
    pub log: Log,
    /// Where to; by default here.
    pub to: Option<String>,
    /// From when on.
    pub oldest: Option<DateTime<Utc>>,
    /// Until when.
    pub latest: Option<DateTime<Utc>>,
    /// How hard it tries.
    pub tries: Tries,
}

impl Tries {
    /// How often it may be told to try again, and how many seconds apart.
    pub const MOST: (i64, i64) = (100, 86_400);
}

/// Whether a time comes after another; what is wrong with it otherwise.
pub fn check_after(
    later: Option<DateTime<Utc>>,
    earlier: Option<DateTime<Utc>>,
) -> std::result::Result<(), String> {
    match (later, earlier) {
        (Some(later), Some(earlier)) if later < earlier => Err(format!(
            "{}: expected a time after {}",
            Timestamp::from(later),
            Timestamp::from(earlier)
        )),
        _ => Ok(()),
    }
}

/// Whether a station can be told this place; what is wrong with it otherwise.
pub fn check_location(text: &str) -> std::result::Result<(), String> {
    let fits = text.len() <= LONGEST_LOCATION
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.split_once("://").is_some_and(|(scheme, rest)| {
            SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) && !rest.is_empty()
        });
    if fits {
        return Ok(());
    }
    let shown = redact::location(text).unwrap_or_else(|| text.chars().take(80).collect());
    Err(format!(
        "{shown:?}: expected a URL of at most {LONGEST_LOCATION} characters that begins with {}",
        SCHEMES.map(|scheme| format!("{scheme}://")).join(", ")
    ))
}

/// Whether this is a certificate that can have signed firmware now; what is wrong with it otherwise.
pub fn check_certificate(text: &str, now: DateTime<Utc>) -> std::result::Result<(), String> {
    if text.len() > LONGEST_CERTIFICATE {
        return Err(format!(
            "{} characters: expected at most {LONGEST_CERTIFICATE}",
            text.len()
        ));
    }
    let expected = "expected a certificate (-----BEGIN CERTIFICATE-----)";
    let pem = Pem::iter_from_buffer(text.as_bytes())
        .filter_map(std::result::Result::ok)
        .find(|pem| pem.label == "CERTIFICATE")
        .ok_or_else(|| format!("no certificate is in it: {expected}"))?;
    let certificate = pem
        .parse_x509()
        .map_err(|error| format!("it cannot be read ({error}): {expected}"))?;
    let ends = certificate.validity().not_after.timestamp();
    if ends < now.timestamp() {
        let ended = DateTime::from_timestamp(ends, 0).unwrap_or_default();
        return Err(format!(
            "it was valid until {}: expected one that is valid now",
            ended.format("%Y-%m-%d")
        ));
    }
    Ok(())
}

/// Whether this can be a signature; what is wrong with it otherwise.
pub fn check_signature(text: &str) -> std::result::Result<(), String> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if !text.is_empty() && text.len() <= LONGEST_SIGNATURE && text.bytes().all(base64) {
        return Ok(());
    }
    Err(format!(
        "expected base64 of 1 to {LONGEST_SIGNATURE} characters"
    ))
}

/// Asks a station to update its firmware; answers the job.
pub async fn update_firmware(
    app: &AppState,
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    order: &FirmwareOrder,
) -> Result<Uuid> {
    let now = app.clock.now();
    let retrieve_at = order.retrieve_at.unwrap_or(now).max(now);
    let request_id = station_jobs::next_request_id(db).await?;
    let token = files::new_token();
    let (location, image) = match &order.from {
        Source::Image(id) => {
            files::image(db, *id).await?.ok_or_else(|| {
                Error::Invalid(vec![Complaint::at(
                    "/image",
                    format!("\"{id}\": expected the id of an image"),
                )])
            })?;
            (place(app, &token)?, Some(*id))
        }
        Source::Elsewhere(location) => (location.clone(), None),
    };
    let Tries { retries, interval } = order.tries;
    let (action, payload) = match &order.signed {
        None => (
            "UpdateFirmware",
            encode(&UpdateFirmwareRequest {
                location: location.clone(),
                retries,
                retrieve_date: retrieve_at.into(),
                retry_interval: interval,
            }),
        ),
        Some(signed) => (
            "SignedUpdateFirmware",
            encode(&SignedUpdateFirmwareRequest {
                retries,
                retry_interval: interval,
                request_id: request_id.into(),
                firmware: Firmware {
                    location: location.clone(),
                    retrieve_date_time: retrieve_at.into(),
                    install_date_time: signed.install_at.map(Into::into),
                    signing_certificate: signed.certificate.clone(),
                    signature: signed.signature.clone(),
                },
            }),
        ),
    };
    let asked = Asked {
        kind: Kind::Firmware,
        action,
        payload: &payload,
        request_id,
        location: image.is_none().then_some(location.as_str()),
        log_type: None,
        file_id: image,
    };
    let job = ask(db, viewer, station, &asked, now).await?;
    if image.is_some() {
        let expires_at = retrieve_at + TOKEN_LASTS;
        files::add_token(db, &token, Purpose::Download, job, expires_at).await?;
    }
    Ok(job)
}

/// Asks a station for a log; answers the job.
pub async fn get_log(
    app: &AppState,
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    order: &LogOrder,
) -> Result<Uuid> {
    let now = app.clock.now();
    let request_id = station_jobs::next_request_id(db).await?;
    let token = files::new_token();
    let location = match &order.to {
        Some(location) => location.clone(),
        None => place(app, &token)?,
    };
    let Tries { retries, interval } = order.tries;
    let log_type = match order.log {
        Log::Diagnostics => None,
        Log::DiagnosticsLog => Some(LogType::DiagnosticsLog),
        Log::SecurityLog => Some(LogType::SecurityLog),
    };
    let (oldest, latest) = (order.oldest.map(Into::into), order.latest.map(Into::into));
    let (action, payload) = match &log_type {
        None => (
            "GetDiagnostics",
            encode(&GetDiagnosticsRequest {
                location: location.clone(),
                retries,
                retry_interval: interval,
                start_time: oldest,
                stop_time: latest,
            }),
        ),
        Some(log_type) => (
            "GetLog",
            encode(&GetLogRequest {
                log: LogParameters {
                    remote_location: location.clone(),
                    oldest_timestamp: oldest,
                    latest_timestamp: latest,
                },
                log_type: log_type.clone(),
                request_id: request_id.into(),
                retries,
                retry_interval: interval,
            }),
        ),
    };
    let asked = Asked {
        kind: Kind::Log,
        action,
        payload: &payload,
        request_id,
        location: order.to.as_ref().map(|_| location.as_str()),
        log_type: log_type.as_ref().map(LogType::as_str),
        file_id: None,
    };
    let job = ask(db, viewer, station, &asked, now).await?;
    if order.to.is_none() {
        files::add_token(db, &token, Purpose::Upload, job, now + TOKEN_LASTS).await?;
    }
    Ok(job)
}

/// A job and the command that asks for it.
struct Asked<'a> {
    kind: Kind,
    action: &'a str,
    payload: &'a str,
    request_id: i32,
    location: Option<&'a str>,
    log_type: Option<&'a str>,
    file_id: Option<Uuid>,
}

async fn ask(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    asked: &Asked<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let order = Order {
        expires_in: EXPIRES,
        ..Order::new(asked.action, asked.payload)
    };
    let command_id = orders::queue(db, viewer, station, &order, now).await?;
    let location = asked
        .location
        .map(|location| redact::location(location).unwrap_or_else(|| location.to_owned()));
    let job = NewJob {
        station_id: station.id,
        site_id: station.site_id,
        kind: asked.kind,
        action: asked.action,
        request_id: asked.request_id,
        command_id,
        location: location.as_deref(),
        log_type: asked.log_type,
        file_id: asked.file_id,
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
    };
    let job = station_jobs::add(db, &job, now).await?;
    let detail = json!({"job": job, "command": command_id, "action": asked.action, "image": asked.file_id,
                        "location": location});
    let entity = format!("station/{}", station.id);
    let what = format!("{}.ask", asked.kind.as_str());
    audit::record(db, &viewer.did(now, &what, entity, detail)).await?;
    Ok(job)
}

/// The URL by which a station reaches a file of ours.
fn place(app: &AppState, token: &str) -> Result<String> {
    let public = &app.config.ocpp_public_url;
    match base(public) {
        Some(base) => Ok(format!("{base}/files/{token}")),
        None => Err(Error::Conflict(format!(
            "stations cannot be told where this server is: OCPP_PUBLIC_URL is {public}; set it to the URL by which they \
             reach it, such as wss://charge.example.org/ocpp, or name another place for the file"
        ))),
    }
}

/// The same server over plain HTTP(S); `None` if the URL names no server in particular.
fn base(public: &str) -> Option<String> {
    let (scheme, rest) = public.split_once("://")?;
    let scheme = match scheme {
        "ws" => "http",
        "wss" => "https",
        _ => return None,
    };
    let host = rest.split(['/', '?', '#']).next()?;
    let nowhere = host.is_empty() || host.starts_with("0.0.0.0") || host.starts_with("[::]");
    (!nowhere).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_files_is_the_origin_that_stations_use() {
        for (public, expected) in [
            ("ws://127.0.0.1:9000/ocpp", Some("http://127.0.0.1:9000")),
            (
                "wss://charge.example.org/x/ocpp",
                Some("https://charge.example.org"),
            ),
            ("ws://0.0.0.0:9000/ocpp", None),
            ("ws://[::]:9000/ocpp", None),
            ("charge.example.org", None),
        ] {
            assert_eq!(base(public).as_deref(), expected, "{public}");
        }
    }

    #[test]
    fn only_places_that_stations_know_are_taken() {
        for good in ["ftp://u:p@h/x", "https://h/fw.bin?v=1", "SFTP://h"] {
            assert_eq!(check_location(good), Ok(()), "{good}");
        }
        let long = format!("http://h/{}", "x".repeat(512));
        for bad in [
            "",
            "http://",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://h/a b",
            &long,
        ] {
            assert!(check_location(bad).is_err(), "{bad}");
        }
        let told = check_location("gopher://me:secret@h").unwrap_err();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn what_is_no_certificate_is_told_so() {
        let now = DateTime::UNIX_EPOCH;
        for bad in [
            "",
            "MIIB",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let told = check_certificate(bad, now).unwrap_err();
            assert!(told.contains("expected a certificate"), "{told}");
        }
        assert!(check_signature("c2lnbmF0dXJl").is_ok() && check_signature("not base64!").is_err());
    }
}
