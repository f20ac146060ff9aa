//! The floor: a bare server that reads a frame and answers it, the least a real server must do; ws, and with a certificate
//! also wss on the same port. With [`OnCall`] something can be made to happen before each answer, such as one durable insert.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    sync::atomic::{AtomicI64, Ordering},
};

use evse_core::ocpp::{Frame, frame};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header},
    },
};

use crate::{clock::utc_now, socket::small_buffers};

/// One CALL of a station.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Identity: the last segment of the path.
    pub station: &'a str,
    /// The message's name.
    pub action: &'a str,
    /// The transaction id that a StartTransaction will be answered with.
    pub transaction_id: i64,
    /// The payload, JSON.
    pub payload: &'a str,
}

/// What happens before an answer leaves.
pub trait OnCall: Send + Sync + 'static {
    /// Returns when the CALL may be answered; on an error the connection is closed without an answer.
    fn on_call(&self, call: Call<'_>) -> impl Future<Output = io::Result<()>> + Send;
}

/// Nothing happens: the floor itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare;

impl OnCall for Bare {
    async fn on_call(&self, _call: Call<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Connections that may wait to be accepted. With the library's 128 a storm overflows it, and every overflow
/// costs its station a second (the kernel's first retransmission).
const BACKLOG: u32 = 4096;

/// A listener that a storm does not overflow; call it in a runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the listener fails or the future is dropped.
pub async fn serve(listener: TcpListener, on_call: impl OnCall) -> io::Result<()> {
    serve_both(listener, None, on_call).await
}

/// As [`serve`], with TLS for those who begin with it ([`crate::wire::acceptor`]).
pub async fn serve_both(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    on_call: impl OnCall,
) -> io::Result<()> {
    let shared = Arc::new((on_call, AtomicI64::new(1)));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
    }
}

/// One connection, until it ends: a peer that breaks off is no fault of this server.
async fn connection<C: OnCall>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<(C, AtomicI64)>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match tls {
        Some(tls) if begins_with_tls(&stream).await => {
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, shared).await;
            }
        }
        _ => talk(stream, shared).await,
    }
}

/// Whether the first byte is that of a TLS handshake; HTTP begins with a letter.
async fn begins_with_tls(stream: &TcpStream) -> bool {
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0] == HANDSHAKE
}

async fn talk<C: OnCall>(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<(C, AtomicI64)>) {
    let mut station = String::new();
    #[expect(clippy::result_large_err, reason = "the library's callback type")]
    let greet = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
        station.push_str(segment);
        if let Some(protocol) = chosen(request) {
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        Ok(response)
    };
    let config = Some(small_buffers());
    let Ok(mut socket) = accept_hdr_async_with_config(stream, greet, config).await else {
        return;
    };
    let (on_call, transactions) = &*shared;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(Frame::Call {
            id,
            action,
            payload,
        }) = Frame::parse(&text)
        else {
            continue;
        };
        let transaction_id = match &*action {
            "StartTransaction" => transactions.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let call = Call {
            station: &station,
            action: &action,
            transaction_id,
            payload,
        };
        if on_call.on_call(call).await.is_err() {
            return;
        }
        let answer = answer(&id, &action, transaction_id);
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
}

/// 1.6 if it is offered, else whatever comes first: everybody is let in.
fn chosen(request: &Request) -> Option<HeaderValue> {
    let offered = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL)?;
    let mut names = offered.to_str().ok()?.split(',').map(str::trim);
    let first = names.next()?;
    let chosen = names.find(|name| *name == "ocpp1.6").unwrap_or(first);
    HeaderValue::from_str(chosen).ok()
}

fn answer(id: &str, action: &str, transaction_id: i64) -> String {
    match action {
        "Heartbeat" => frame::result(id, &format!(r#"{{"currentTime":"{}"}}"#, utc_now())),
        "BootNotification" => frame::result(
            id,
            &format!(
                r#"{{"status":"Accepted","currentTime":"{}","interval":86400}}"#,
                utc_now()
            ),
        ),
        "Authorize" | "StopTransaction" => {
            frame::result(id, r#"{"idTagInfo":{"status":"Accepted"}}"#)
        }
        "StartTransaction" => frame::result(
            id,
            &format!(r#"{{"transactionId":{transaction_id},"idTagInfo":{{"status":"Accepted"}}}}"#),
        ),
        "MeterValues"
        | "StatusNotification"
        | "DiagnosticsStatusNotification"
        | "FirmwareStatusNotification"
        | "LogStatusNotification"
        | "SecurityEventNotification"
        | "SignedFirmwareStatusNotification" => frame::result(id, "{}"),
        "DataTransfer" | "SignCertificate" => frame::result(id, r#"{"status":"Accepted"}"#),
        _ => frame::error(id, "NotImplemented", "no message that a station sends"),
    }
}
