//! SignCertificate of the security whitepaper: the request is written down before it is answered, and signed afterwards.

use chrono::TimeDelta;
use ocpp::decode;
use ocpp::v16::{GenericStatus, SignCertificateRequest, SignCertificateResponse};
use store::certificate_requests::{self, NewRequest};
use store::ingest::Effect;

use super::{Call, Decided, clean};
use crate::ops::Refusal;
use crate::ops::certificate::{Verdict, decide};

/// Of a request that is refused, no more than this is kept.
const KEPT: usize = 6000;

pub(super) async fn sign_certificate(call: &Call) -> Result<Decided, Refusal> {
    let request: SignCertificateRequest = decode(&call.payload)?;
    let accepted = ask(call, &clean(request.csr.unwrap_or_default())).await;
    let accepted = accepted.map_err(|error| {
        tracing::warn!(%error, "a certificate request could not be written down");
        Refusal::Broken
    })?;
    let answer = SignCertificateResponse {
        status: if accepted {
            GenericStatus::Accepted
        } else {
            GenericStatus::Rejected
        },
    };
    Ok(Decided::new(&answer, Effect::default()))
}

/// Whether the request will be signed.
async fn ask(call: &Call, request: &str) -> store::Result<bool> {
    let (csms, station) = (&call.csms, &call.seated.station);
    let mut connection = csms.pool.acquire().await?;
    let hour = call.now - TimeDelta::hours(1);
    let lately = certificate_requests::lately(&mut connection, station.id, hour).await?;
    let operator = csms.options.operator.as_deref();
    let operator = operator.filter(|_| csms.options.signer.is_some());
    let refused = match decide(station, request, operator, &lately) {
        Verdict::Known => return Ok(true),
        Verdict::Sign => None,
        Verdict::Refuse(why) => Some(why),
    };
    let kept: String = request.chars().take(KEPT).collect();
    let new = NewRequest {
        station_id: station.id,
        site_id: station.site_id,
        request: &kept,
        refused: refused.as_deref(),
    };
    certificate_requests::put(&mut connection, &new, call.now).await?;
    csms.asked.notify_one();
    csms.ingest.news();
    Ok(refused.is_none())
}
