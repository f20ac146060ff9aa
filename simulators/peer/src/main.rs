//! A charge point on rust-ocpp: the independent second reader. It boots, charges once, stays to be called,
//! and reads every frame the server sends with rust-ocpp's types. One JSON line per frame that these reject.
//! Exit codes: 0 all frames read and the session carried through, 1 not, 2 no connection.

mod reader;

use std::{collections::VecDeque, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use base64::Engine as _;
use chrono::{DateTime, Utc};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use rust_ocpp::v1_6::{
    messages::{
        authorize::{AuthorizeRequest, AuthorizeResponse},
        boot_notification::{BootNotificationRequest, BootNotificationResponse},
        heart_beat::{HeartbeatRequest, HeartbeatResponse},
        meter_values::{MeterValuesRequest, MeterValuesResponse},
        start_transaction::{StartTransactionRequest, StartTransactionResponse},
        status_notification::{StatusNotificationRequest, StatusNotificationResponse},
        stop_transaction::{StopTransactionRequest, StopTransactionResponse},
    },
    types::{
        ChargePointErrorCode, ChargePointStatus, Measurand, MeterValue, ReadingContext, Reason,
        RegistrationStatus, SampledValue, UnitOfMeasure,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::{HeaderValue, Uri, header},
    },
};

/// A charge point on rust-ocpp 3.0.4, to see what an independent implementation makes of a server's frames.
#[derive(Parser)]
#[command(after_help = "Example:
  peer --url ws://127.0.0.1:9000/ocpp --id PEER-1 --password s3cret --listen 5")]
struct Args {
    /// The server's OCPP address; the identity is appended to it.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    url: String,
    /// Identity.
    #[arg(long, default_value = "PEER-1")]
    id: String,
    /// Password for HTTP Basic authentication.
    #[arg(long)]
    password: Option<String>,
    /// The tag that charges.
    #[arg(long, default_value = "PEERTAG1")]
    id_tag: String,
    /// Stay so many seconds after the session, to be called.
    #[arg(long, default_value_t = 0)]
    listen: u64,
}

const ANSWER: Duration = Duration::from_secs(30);
const METER_START: i32 = 1_204_300;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut peer = match connect(&args).await {
        Ok(socket) => Peer {
            socket,
            next_id: 0,
            read: 0,
            rejected: 0,
            called: VecDeque::new(),
        },
        Err(problem) => {
            eprintln!("peer: {problem:#}");
            return ExitCode::from(2);
        }
    };
    let session = peer.session(&args).await;
    let summary = json!({
        "frames_read": peer.read,
        "frames_rejected": peer.rejected,
        "calls_answered": peer.called,
        "session": session.as_ref().map_or_else(|problem| format!("{problem:#}"), |id| format!("transaction {id}")),
    });
    println!("{summary}");
    // The server may be gone: there is nobody to say goodbye to then.
    let _ = peer.socket.close(None).await;
    if session.is_ok() && peer.rejected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn connect(args: &Args) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let url = format!("{}/{}", args.url.trim_end_matches('/'), args.id);
    let uri: Uri = url.parse().with_context(|| format!("--url {}", args.url))?;
    let host = uri.host().context("--url: no host")?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let mut request = url.as_str().into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static("ocpp1.6"),
    );
    if let Some(password) = &args.password {
        let plain = format!("{}:{password}", args.id);
        let value = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(plain)
        );
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value)?);
    }
    let stream = TcpStream::connect(&address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    let (socket, _) = client_async(request, stream)
        .await
        .context("the handshake was refused")?;
    Ok(socket)
}

struct Peer {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    read: u64,
    rejected: u64,
    called: VecDeque<String>,
}

impl Peer {
    /// Boot to stop, then stay; yields the transaction's id.
    async fn session(&mut self, args: &Args) -> anyhow::Result<i32> {
        let boot = BootNotificationRequest {
            charge_point_vendor: "rust-ocpp".to_owned(),
            charge_point_model: "Peer".to_owned(),
            ..BootNotificationRequest::default()
        };
        let booted: BootNotificationResponse = self.call("BootNotification", &boot).await?;
        if booted.status != RegistrationStatus::Accepted {
            bail!("the server answered the boot {:?}", booted.status);
        }
        self.status(ChargePointStatus::Available).await?;
        let _: HeartbeatResponse = self.call("Heartbeat", &HeartbeatRequest {}).await?;
        let authorize = AuthorizeRequest {
            id_tag: args.id_tag.clone(),
        };
        let _: AuthorizeResponse = self.call("Authorize", &authorize).await?;
        self.status(ChargePointStatus::Preparing).await?;
        let start = StartTransactionRequest {
            connector_id: 1,
            id_tag: args.id_tag.clone(),
            meter_start: METER_START,
            reservation_id: None,
            timestamp: now(),
        };
        let started: StartTransactionResponse = self.call("StartTransaction", &start).await?;
        self.status(ChargePointStatus::Charging).await?;
        for sample in 1..=3 {
            let _: MeterValuesResponse = self
                .call("MeterValues", &meter_values(started.transaction_id, sample))
                .await?;
        }
        let stop = StopTransactionRequest {
            id_tag: Some(args.id_tag.clone()),
            meter_stop: METER_START + 600,
            timestamp: now(),
            transaction_id: started.transaction_id,
            reason: Some(Reason::Local),
            transaction_data: None,
        };
        let _: StopTransactionResponse = self.call("StopTransaction", &stop).await?;
        self.status(ChargePointStatus::Available).await?;
        self.listen(Duration::from_secs(args.listen)).await?;
        Ok(started.transaction_id)
    }

    async fn status(&mut self, status: ChargePointStatus) -> anyhow::Result<()> {
        let request = StatusNotificationRequest {
            connector_id: 1,
            error_code: ChargePointErrorCode::NoError,
            status,
            timestamp: Some(now()),
            ..StatusNotificationRequest::default()
        };
        let _: StatusNotificationResponse = self.call("StatusNotification", &request).await?;
        Ok(())
    }

    /// One CALL and its answer; requests of the server that cross it are answered meanwhile.
    async fn call<T: DeserializeOwned>(
        &mut self,
        action: &str,
        payload: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.next_id += 1;
        let id = format!("peer-{}", self.next_id);
        self.send(&json!([2, id, action, payload])).await?;
        loop {
            let text = timeout(ANSWER, self.next_text())
                .await
                .with_context(|| format!("{action} was not answered within {ANSWER:?}"))??;
            let Some(frame) = self.frame(&text) else {
                continue;
            };
            match frame.as_slice() {
                [kind, of, answer] if *kind == json!(3) && *of == json!(id) => {
                    match serde_json::from_value(answer.clone()) {
                        Ok(read) => return Ok(read),
                        Err(problem) => {
                            self.reject(action, &text, &problem.to_string());
                            bail!("the answer to {action} cannot be read: {problem}");
                        }
                    }
                }
                [kind, of, code, description, ..] if *kind == json!(4) && *of == json!(id) => {
                    bail!("{action} was answered {code}: {description}");
                }
                _ => self.asked(&frame, &text).await?,
            }
        }
    }

    async fn listen(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + time;
        while let Ok(text) = tokio::time::timeout_at(end, self.next_text()).await {
            let text = text?;
            if let Some(frame) = self.frame(&text) {
                self.asked(&frame, &text).await?;
            }
        }
        Ok(())
    }

    /// A frame's elements, counted as read; anything else is counted as rejected.
    fn frame(&mut self, text: &str) -> Option<Vec<Value>> {
        self.read += 1;
        match serde_json::from_str::<Vec<Value>>(text) {
            Ok(frame) if frame.len() >= 3 => Some(frame),
            Ok(_) => {
                self.reject("frame", text, "fewer than three elements");
                None
            }
            Err(problem) => {
                self.reject("frame", text, &problem.to_string());
                None
            }
        }
    }

    /// Answers a request of the server, if the frame is one that rust-ocpp can read.
    async fn asked(&mut self, frame: &[Value], text: &str) -> anyhow::Result<()> {
        let [kind, id, Value::String(action), payload] = frame else {
            self.reject(
                "frame",
                text,
                "neither a CALL nor an answer to what was asked",
            );
            return Ok(());
        };
        if *kind != json!(2) {
            self.reject("frame", text, "not a CALL");
            return Ok(());
        }
        match reader::answer(action, payload) {
            Ok(Some(answer)) => {
                self.called.push_back(action.clone());
                self.send(&json!([3, id, answer])).await
            }
            Ok(None) => {
                self.send(&json!([
                    4,
                    id,
                    "NotImplemented",
                    "not in rust-ocpp's 1.6",
                    {}
                ]))
                .await
            }
            Err(problem) => {
                self.reject(action, text, &problem.to_string());
                self.send(&json!([
                    4,
                    id,
                    "FormationViolation",
                    problem.to_string(),
                    {}
                ]))
                .await
            }
        }
    }

    fn reject(&mut self, what: &str, text: &str, why: &str) {
        self.rejected += 1;
        println!("{}", json!({ "rejected": what, "why": why, "frame": text }));
    }

    async fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .context("sending")
    }

    async fn next_text(&mut self) -> anyhow::Result<String> {
        loop {
            match self
                .socket
                .next()
                .await
                .context("the server closed the connection")??
            {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(why) => bail!("the server closed the connection: {why:?}"),
                _ => {}
            }
        }
    }
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn meter_values(transaction_id: i32, sample: i32) -> MeterValuesRequest {
    let value = |value: String, measurand, unit| SampledValue {
        value,
        context: Some(ReadingContext::SamplePeriodic),
        format: None,
        measurand: Some(measurand),
        phase: None,
        location: None,
        unit: Some(unit),
    };
    MeterValuesRequest {
        connector_id: 1,
        transaction_id: Some(transaction_id),
        meter_value: vec![MeterValue {
            timestamp: now(),
            sampled_value: vec![
                value(
                    (METER_START + sample * 200).to_string(),
                    Measurand::EnergyActiveImportRegister,
                    UnitOfMeasure::Wh,
                ),
                value(
                    "7360".to_owned(),
                    Measurand::PowerActiveImport,
                    UnitOfMeasure::W,
                ),
            ],
        }],
    }
}
