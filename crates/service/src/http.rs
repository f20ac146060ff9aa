//! Asking other servers: one way to build a client, so that none waits without end, follows where it is led, or reads
//! more than was bargained for.

use std::{sync::Once, time::Duration};

use reqwest::{Client, ClientBuilder, Response, redirect::Policy};

/// What a server is allowed to cost us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the whole answer is here.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(30),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or it broke, or it took too long; without the address, which may hold a secret.
    #[error("{}", plain(.0))]
    Transport(reqwest::Error),
    /// No client can be made: the system's certificates cannot be read.
    #[error("cannot prepare TLS: {0}")]
    Setup(reqwest::Error),
    /// The answer is longer than the caller wants to read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// The cause in words: reqwest's own name only the address.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_connect() {
        format!("no connection: {cause}")
    } else {
        format!("the connection broke: {cause}")
    }
}

/// A client that follows no redirect, uses no proxy of the environment, and speaks TLS by rustls with ring, trusting whom
/// the system trusts.
///
/// # Errors
/// When the system has no certificates that can be read.
pub fn client(patience: Patience) -> Result<Client, Error> {
    build(patience, |builder| builder)
}

/// The same, with a way of its own to speak TLS: whom it trusts, and which certificate it shows.
///
/// # Errors
/// When no client can be made of it.
pub fn client_with(patience: Patience, tls: rustls::ClientConfig) -> Result<Client, Error> {
    build(patience, |builder| builder.tls_backend_preconfigured(tls))
}

fn build(
    patience: Patience,
    tls: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, Error> {
    static PROVIDER: Once = Once::new();
    // An error means that somebody has installed one already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    tls(Client::builder())
        .connect_timeout(patience.connect)
        .timeout(patience.whole)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("forecourt/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(Error::Setup)
}

/// The whole body, if it is no longer than `most` bytes.
///
/// # Errors
/// When it is, or the connection breaks.
pub async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(Error::Transport)? {
        if body.len() + part.len() > most {
            return Err(Error::TooLong(most));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A server that says `answer` to whoever comes, and then nothing.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            // Kept open: who waits for more waits in vain.
            std::future::pending::<()>().await;
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit() {
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
        let response = client(Patience::default())
            .unwrap()
            .get(&url)
            .send()
            .await
            .unwrap();
        assert_eq!(body(response, 5).await.unwrap(), b"hello");
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
        let response = client(Patience::default())
            .unwrap()
            .get(&url)
            .send()
            .await
            .unwrap();
        let error = body(response, 4).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer is longer than 4 bytes");
    }

    #[tokio::test]
    async fn silence_ends_and_redirects_lead_nowhere() {
        let url = server("").await;
        let patience = Patience {
            whole: Duration::from_millis(50),
            ..Patience::default()
        };
        let error = client(patience)
            .unwrap()
            .get(&url)
            .send()
            .await
            .unwrap_err();
        assert_eq!(Error::Transport(error).to_string(), "no answer in time");
        let url = server(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let response = client(Patience::default())
            .unwrap()
            .get(&url)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 302);
    }

    #[tokio::test]
    async fn a_closed_door_is_told_without_the_address() {
        let error = client(Patience::default())
            .unwrap()
            .get("http://user:hunter2@127.0.0.1:1/")
            .send()
            .await
            .unwrap_err();
        let text = Error::Transport(error).to_string();
        assert!(text.starts_with("no connection: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
