//! Certificates for stations: requests that were accepted go to whoever signs, and what comes back goes to the station by
//! CertificateSigned. A failure is the operator's to see; the station is not told (whitepaper, A02).

use std::sync::Arc;
use std::time::Duration;

use certs::{Authority, Facts, Request};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde_json::json;
use store::certificate_requests::{self, Issued, ToSign};

use crate::Csms;

/// How often requests are looked for that nobody announced.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a certificate waits for its station.
const EXPIRES: TimeDelta = TimeDelta::days(7);
/// How long a certificate of our own authority is valid: stations renew a month before the end.
const DAYS: u32 = 365;
/// The longest chain (CertificateSigned.req).
const LONGEST: usize = 10_000;

/// Who signs. A fleet of size has a PKI of its own: the standard advises that a server should not sign itself.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// The chain of the station's certificate, its own first, PEM; or why there is none.
    fn sign(&self, request: Request, now: DateTime<Utc>) -> BoxFuture<'_, Result<String, String>>;
}

/// An authority in this process, for development and small installations.
#[derive(Debug)]
pub struct LocalAuthority(pub Authority);

impl Signer for LocalAuthority {
    fn sign(&self, request: Request, now: DateTime<Utc>) -> BoxFuture<'_, Result<String, String>> {
        let signed = self.0.sign(&request, DAYS, now);
        Box::pin(async move { signed.map_err(|error| error.to_string()) })
    }
}

pub(crate) async fn sign_forever(csms: Arc<Csms>) {
    let Some(signer) = csms.options.signer.clone() else {
        return;
    };
    loop {
        if let Err(error) = sign_all(&csms, &*signer).await {
            tracing::warn!(%error, "certificate requests could not be worked on");
        }
        drop(tokio::time::timeout(LOOK_EVERY, csms.asked.notified()).await);
    }
}

async fn sign_all(csms: &Csms, signer: &dyn Signer) -> store::Result<()> {
    let waiting = {
        let mut connection = csms.pool.acquire().await?;
        certificate_requests::to_sign(&mut connection).await?
    };
    for asked in waiting {
        let now = csms.clock.now();
        let chain = issue(signer, &asked, now).await;
        let mut connection = csms.pool.acquire().await?;
        match chain {
            Ok((chain, not_after)) => {
                let payload = json!({ "certificateChain": chain }).to_string();
                let issued = Issued {
                    chain: &chain,
                    not_after,
                    payload: &payload,
                    expires_at: now + EXPIRES,
                };
                certificate_requests::signed(&mut connection, &asked, &issued, now).await?;
            }
            Err(why) => {
                tracing::error!(station.id = %asked.identity, why, "a certificate could not be signed");
                certificate_requests::failed(&mut connection, &asked, &why, now).await?;
                csms.ingest.news();
            }
        }
    }
    Ok(())
}

/// Has it signed, and looks at what came back: a mistake here would lock the station out later.
async fn issue(
    signer: &dyn Signer,
    asked: &ToSign,
    now: DateTime<Utc>,
) -> Result<(String, DateTime<Utc>), String> {
    let request = Request::read(&asked.request).map_err(|unfit| unfit.to_string())?;
    let chain = signer.sign(request.clone(), now).await?;
    if chain.len() > LONGEST {
        return Err(format!("the chain is longer than {LONGEST} characters"));
    }
    let facts = Facts::of_pem(&chain).map_err(|error| error.to_string())?;
    if facts.public_key != request.public_key {
        return Err("what was signed is another key than was asked for".to_owned());
    }
    Ok((chain, facts.not_after))
}
