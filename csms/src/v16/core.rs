//! The Core profile: boot, authorize, start, meter, status and stop.

use chrono::{DateTime, Days, Utc};
use ocpp::limits::is_id_tag;
use ocpp::meter::{Habits, normalise, register};
use ocpp::v16::{
    AuthorizationStatus, AuthorizeRequest, AuthorizeResponse, BootNotificationRequest,
    BootNotificationResponse, HeartbeatResponse, IdTagInfo, MeterValue, MeterValuesRequest,
    MeterValuesResponse, RegistrationStatus, StartTransactionRequest, StartTransactionResponse,
    StatusNotificationRequest, StatusNotificationResponse, StopTransactionRequest,
    StopTransactionResponse,
};
use ocpp::{TimeFlaw, Timestamp, decode};
use store::ingest::Effect;
use store::stations::Registration;

use super::{Call, Decided, json};
use crate::ops::authorize::{Authorization, Verdict};
use crate::ops::{self, Refusal, boot, meter, plausible, skew, start, status, stop};

/// A clock further ahead of ours than this was never set.
const AHEAD: Days = Days::new(30);

pub(super) fn boot_notification(call: &Call) -> Result<Decided, Refusal> {
    let request: BootNotificationRequest = decode(&call.payload)?;
    let station = &call.seated.station;
    let serials = [
        request.charge_point_serial_number.as_deref(),
        request.charge_box_serial_number.as_deref(),
    ];
    if let Some(certified) = &call.seated.certified
        && !boot::is_certified(certified, serials)
    {
        return Err(Refusal::OtherStation);
    }
    let said = boot::Said {
        vendor: request.charge_point_vendor,
        model: request.charge_point_model,
        serial: request
            .charge_point_serial_number
            .or(request.charge_box_serial_number),
        firmware: request.firmware_version,
    };
    let (effect, interval) = boot::decide(
        station,
        said,
        call.csms.options.heartbeat_interval,
        call.now,
    );
    let answer = BootNotificationResponse {
        status: match station.registration {
            Registration::Accepted => RegistrationStatus::Accepted,
            Registration::Pending => RegistrationStatus::Pending,
            Registration::Rejected => RegistrationStatus::Rejected,
        },
        current_time: call.now.into(),
        interval: i64::try_from(interval.as_secs()).unwrap_or(i64::MAX),
    };
    Ok(Decided::new(&answer, effect))
}

/// Logged like any other message; only stations with that switch come this way.
pub(super) fn heartbeat(call: &Call) -> Decided {
    Decided::new(
        &HeartbeatResponse {
            current_time: call.now.into(),
        },
        Effect::default(),
    )
}

pub(super) async fn authorize(call: &Call) -> Result<Decided, Refusal> {
    let request: AuthorizeRequest = decode(&call.payload)?;
    let token = token(call, request.id_tag).unwrap_or_default();
    let authorization = ops::authorize::authorize(&call.csms, &token, call.now).await?;
    let answer = AuthorizeResponse {
        id_tag_info: id_tag_info(&authorization),
    };
    let refused = authorization.attempt(call.seated.station.id, &token, call.now);
    let effect = Effect {
        refused_tokens: refused.into_iter().collect(),
        ..Effect::default()
    };
    Ok(Decided::new(&answer, effect))
}

pub(super) async fn start_transaction(call: &Call) -> Result<Decided, Refusal> {
    let request: StartTransactionRequest = decode(&call.payload)?;
    let mut flags = time_flags(request.timestamp, call.now);
    if status::is_invented(request.connector_id) {
        flags.push("connector-absurd".to_owned());
    }
    let meter_start = noted_register(request.meter_start, "meter-start", &mut flags);
    let said = start::Said {
        connector: connector(request.connector_id),
        id_token: token(call, request.id_tag).unwrap_or_default(),
        stated_at: request.timestamp.and_then(Timestamp::stated),
        credible_at: credible(request.timestamp, call.now),
        meter_start_wh: meter_start.unwrap_or(0),
        reservation_id: request.reservation_id,
        flags,
    };
    call.seated.is_announced(said.connector);
    let decided = start::start(&call.csms, &call.seated, said, call.now).await?;
    let mut effect = decided.effect;
    effect.clocks = clocks(call, [request.timestamp]);
    let info = id_tag_info(&decided.authorization);
    let answer = move |number: i64, info: IdTagInfo| {
        json(&StartTransactionResponse {
            id_tag_info: info,
            transaction_id: number,
        })
    };
    Ok(Decided {
        answer: answer(decided.transaction.number, info.clone()),
        effect,
        transaction: Some(decided.transaction),
        renumber: Some(Box::new(move |number| answer(number, info))),
        figures: None,
        note: None,
    })
}

pub(super) async fn meter_values(call: &Call) -> Result<Decided, Refusal> {
    let request: MeterValuesRequest = decode(&call.payload)?;
    let number = request.transaction_id.filter(|number| *number > 0);
    let connector = connector(request.connector_id);
    let known = call.seated.transactions(&call.csms, number).await?;
    let transaction = meter::transaction_of(&known, number, connector);
    if transaction.is_none()
        && number.is_none()
        && let Some(since) = call.seated.charges_unannounced(connector, call.now)
        && let Some(decided) =
            pieced_together(call, &request.meter_value, connector, since, &known).await?
    {
        return Ok(decided);
    }
    let mut effect = samples(call, &request.meter_value, connector, transaction);
    meter::tell_late(&mut effect, &call.seated.station, call.now);
    if let Some(transaction) = transaction {
        plausible::judge(&mut effect, transaction);
    }
    effect.clocks = clocks(
        call,
        request.meter_value.iter().map(|value| value.timestamp),
    );
    if let (Some(known), Some(wh)) = (transaction, register_of(&effect))
        && call.seated.is_pieced(known.number)
    {
        call.seated.pieced(connector, known.number, wh);
    }
    let figures = transaction.and_then(|transaction| transaction.figures);
    let begin = figures.and(transaction).map(|known| known.started_at);
    effect.meter_is_new = call.seated.are_latest(&effect.meter, begin);
    let figures = figures
        .filter(|_| effect.meter_is_new)
        .and_then(|figures| meter::sum_up(figures, &effect.meter));
    Ok(Decided {
        figures: transaction.map(|transaction| (transaction.id, figures)),
        ..Decided::new(&MeterValuesResponse {}, effect)
    })
}

/// A charge that no StartTransaction told of (quirk 22) begins with the status and its first register.
async fn pieced_together(
    call: &Call,
    values: &[MeterValue],
    connector: i32,
    since: DateTime<Utc>,
    known: &[store::lookup::Transaction],
) -> Result<Option<Decided>, Refusal> {
    let readings = normalise(values, Habits::default());
    let Some(meter_start_wh) = readings.samples.iter().find_map(|sample| sample.energy_wh) else {
        return Ok(None);
    };
    let said = start::Said {
        connector,
        id_token: String::new(),
        stated_at: Some(since),
        credible_at: Some(since),
        meter_start_wh,
        reservation_id: None,
        flags: vec!["reconstructed".to_owned()],
    };
    let begun = start::unannounced(&call.csms, &call.seated, said, known, call.now).await?;
    let data = samples(call, values, connector, Some(&begun.transaction));
    let register_wh = register_of(&data).unwrap_or(meter_start_wh);
    let mut effect = begun.effect;
    (effect.meter, effect.signed, effect.late) = (data.meter, data.signed, data.late);
    call.seated
        .pieced(connector, begun.transaction.number, register_wh);
    let decided = Decided::new(&MeterValuesResponse {}, effect);
    Ok(Some(Decided {
        transaction: Some(begun.transaction),
        ..decided
    }))
}

/// The last register of some samples, Wh.
fn register_of(effect: &Effect) -> Option<i64> {
    effect
        .meter
        .iter()
        .filter_map(|row| row.energy_wh)
        .next_back()
}

pub(super) async fn status_notification(call: &Call) -> Result<Decided, Refusal> {
    let request: StatusNotificationRequest = decode(&call.payload)?;
    if status::is_invented(request.connector_id) {
        return Ok(invented(call, request));
    }
    let said = status::Said {
        connector: connector(request.connector_id),
        status: request
            .status
            .map_or_else(|| "Unknown".to_owned(), |status| status.as_str().to_owned()),
        error_code: request
            .error_code
            .map_or_else(|| "NoError".to_owned(), |code| code.as_str().to_owned()),
        vendor_error_code: request.vendor_error_code,
        info: request.info,
        at: credible(request.timestamp, call.now),
    };
    let at = said.at.unwrap_or(call.now);
    let over = call.seated.says(said.connector, &said.status, at);
    let mut effect = status::decide(&call.seated.station, said, call.now);
    effect.clocks = clocks(call, [request.timestamp]);
    let Some((number, meter_stop_wh)) = over else {
        return Ok(Decided::new(&StatusNotificationResponse {}, effect));
    };
    // Whoever does not tell of the start need not tell of the end either.
    let known = call.seated.transactions(&call.csms, Some(number)).await?;
    let open = known
        .iter()
        .any(|known| known.number == number && known.stopped_at.is_none());
    let mut transaction = None;
    if open {
        let said = stop::Said {
            number: Some(number),
            meter_stop_wh,
            stopped_at: at,
            reason: None,
            id_token: None,
            flags: vec!["reconstructed".to_owned()],
        };
        let (ended, stopped) = stop::decide(&call.seated.station, said, &known, call.now);
        effect.stops = ended.stops;
        effect.events.extend(ended.events);
        transaction = stopped;
    }
    Ok(Decided {
        transaction,
        ..Decided::new(&StatusNotificationResponse {}, effect)
    })
}

/// Nothing is kept of a connector that no station has, but for the message.
fn invented(call: &Call, request: StatusNotificationRequest) -> Decided {
    let connector = request.connector_id.unwrap_or_default();
    let effect = Effect {
        clocks: clocks(call, [request.timestamp]),
        ..Effect::default()
    };
    Decided {
        note: Some(format!(
            "/connectorId is {connector}: expected a number from 0 to {}; no connector is kept of it",
            status::HIGHEST_CONNECTOR
        )),
        ..Decided::new(&StatusNotificationResponse {}, effect)
    }
}

pub(super) async fn stop_transaction(call: &Call) -> Result<Decided, Refusal> {
    let request: StopTransactionRequest = decode(&call.payload)?;
    let number = request.transaction_id;
    let id_tag = token(call, request.id_tag);
    let known = call.seated.transactions(&call.csms, number).await?;
    let mut flags = time_flags(request.timestamp, call.now);
    let meter_stop = noted_register(request.meter_stop, "meter-stop", &mut flags);
    let started_at_wh = |number| {
        known
            .iter()
            .find(|known| Some(known.number) == number)
            .map(|known| known.meter_start_wh)
    };
    let said = stop::Said {
        number,
        meter_stop_wh: meter_stop.or_else(|| started_at_wh(number)).unwrap_or(0),
        stopped_at: credible(request.timestamp, call.now).unwrap_or(call.now),
        reason: request.reason.map(|reason| reason.as_str().to_owned()),
        id_token: id_tag.clone(),
        flags,
    };
    let (mut effect, transaction) = stop::decide(&call.seated.station, said, &known, call.now);
    let connector = transaction
        .as_ref()
        .map_or(0, |transaction| transaction.connector);
    call.seated.is_announced(connector);
    let data = samples(
        call,
        &request.transaction_data,
        connector,
        transaction.as_ref(),
    );
    (effect.meter, effect.signed, effect.late) = (data.meter, data.signed, data.late);
    if let Some(transaction) = &transaction {
        plausible::judge(&mut effect, transaction);
    }
    effect.clocks = clocks(call, [request.timestamp]);
    // Only a stop that names a token is told about one (quirk 26).
    let id_tag_info = match id_tag {
        Some(token) => Some(id_tag_info(
            &ops::authorize::authorize(&call.csms, &token, call.now).await?,
        )),
        None => None,
    };
    let decided = Decided::new(&StopTransactionResponse { id_tag_info }, effect);
    Ok(Decided {
        transaction,
        ..decided
    })
}

fn samples(
    call: &Call,
    values: &[MeterValue],
    connector: i32,
    transaction: Option<&store::lookup::Transaction>,
) -> Effect {
    let place = meter::Place {
        station_id: call.seated.station.id,
        connector,
        transaction,
        retention_days: call.csms.options.meter_retention_days,
    };
    meter::decide(normalise(values, Habits::default()), place, call.now)
}

/// What a message's times tell of the station's clock.
fn clocks(
    call: &Call,
    stated: impl IntoIterator<Item = Option<Timestamp>>,
) -> Vec<store::skew::Measured> {
    let measured = call.seated.measure(skew::latest(stated), call.now);
    measured.into_iter().collect()
}

fn id_tag_info(authorization: &Authorization) -> IdTagInfo {
    IdTagInfo {
        expiry_date: authorization.expires_at.map(Into::into),
        // One that is longer than OCPP 1.6 can carry is left out.
        parent_id_tag: authorization
            .parent
            .clone()
            .filter(|parent| is_id_tag(parent)),
        status: match authorization.verdict {
            Verdict::Accepted => AuthorizationStatus::Accepted,
            Verdict::Blocked | Verdict::NoAccount => AuthorizationStatus::Blocked,
            Verdict::Expired => AuthorizationStatus::Expired,
            Verdict::Invalid => AuthorizationStatus::Invalid,
            Verdict::ConcurrentTx => AuthorizationStatus::ConcurrentTx,
        },
    }
}

/// The token as people know it: some chargers add to it (quirk 49).
fn token(call: &Call, tag: Option<String>) -> Option<String> {
    if call.seated.station.options.tidy_tokens {
        tag.map(|tag| ocpp::lenient::tidy_token(&tag))
    } else {
        tag
    }
}

/// A connectorId that makes no sense counts as the station itself.
fn connector(id: Option<i64>) -> i32 {
    id.and_then(|id| i32::try_from(id).ok())
        .filter(|id| *id >= 0)
        .unwrap_or(0)
}

/// A register as read, if it can be believed; what is wrong with it is noted.
fn noted_register(said: Option<i64>, name: &str, flags: &mut Vec<String>) -> Option<i64> {
    let believed = said.and_then(register);
    if believed.is_none() {
        let flaw = if said.is_some() { "absurd" } else { "missing" };
        flags.push(format!("{name}-{flaw}"));
    }
    believed
}

/// The stated time if it can be true: what happened did not happen next year.
pub(super) fn credible(stated: Option<Timestamp>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    stated
        .and_then(Timestamp::credible)
        .filter(|at| *at <= now + AHEAD)
}

fn time_flags(stated: Option<Timestamp>, now: DateTime<Utc>) -> Vec<String> {
    let flag = match stated {
        None => Some("time-missing"),
        Some(time) => match time.flaw() {
            Some(flaw) => Some(flaw.flag()),
            None if credible(stated, now).is_none() => Some(TimeFlaw::Absurd.flag()),
            None => None,
        },
    };
    flag.map(str::to_owned).into_iter().collect()
}
