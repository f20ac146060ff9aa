//! Serving pages, API and health by HTTP/1: whoever opens a socket and says nothing, or only little by little, is closed.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// How long a request's head may take, the first and any later one of a socket.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// After an error of accept itself (out of descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `ends`, then finishes the requests that are under way. Handlers find who asks by `ConnectInfo`.
pub async fn serve(listener: TcpListener, router: Router, ends: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    tokio::pin!(ends);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ends => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let answered = graceful.watch(socket(stream, peer, router.clone()));
                tokio::spawn(async move { drop(answered.await) });
            }
            Err(error) => {
                tracing::warn!(%error, "a socket could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// One socket, request after request.
fn socket(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn address() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
        );
        tokio::spawn(serve(listener, router, pending()));
        address
    }

    /// What a client reads until it is closed, having sent this and nothing more. Time flies while all wait.
    async fn read_to_the_end(sent: &str) -> String {
        let mut socket = TcpStream::connect(address().await).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut read = String::new();
        socket.read_to_string(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn a_request_is_answered_and_its_handler_knows_who_asks() {
        let read = read_to_the_end("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(read.await.ends_with("127.0.0.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_nothing_or_half_a_request_is_closed() {
        for sent in ["", "GET / HTTP/1.1\r\nX-A: 1\r\n"] {
            let read = read_to_the_end(sent).await;
            assert!(
                read.is_empty() || read.starts_with("HTTP/1.1 408"),
                "{read}"
            );
        }
        // The next request of an open socket has no more time than the first.
        let read = read_to_the_end("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(read.contains("127.0.0.1"), "{read}");
    }
}
