//! Asking servers that people named: over HTTP(S), for a limited time, for a limited answer, and never one inside our own
//! network unless the operator allows it (OUTBOUND_PRIVATE) — neither by its address, nor by a name, nor by a redirect.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Once},
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::{Attempt, Policy},
};

/// Until the connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Until the whole answer is here.
const WHOLE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 3;

/// Why there is no answer. No address is repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be asked at all.
    #[error("not a URL that begins with http:// or https://")]
    NoUrl,
    /// It is inside our own network.
    #[error("its address is not public; OUTBOUND_PRIVATE=1 allows that")]
    Private,
    /// It answered that it has nothing.
    #[error("the server answered {0}; expected 200 OK")]
    Status(reqwest::StatusCode),
    /// The answer is longer than it may be.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It cannot be reached, or the connection broke, or it took too long.
    #[error("{0}")]
    Transport(String),
}

/// Who may be asked.
#[derive(Debug, Clone)]
pub struct Outbound {
    private: bool,
    client: Client,
}

impl Outbound {
    /// Public servers, and with `private` those of our own network too. No proxy of the environment is used.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(private: bool) -> Result<Self, Error> {
        static PROVIDER: Once = Once::new();
        // An error means that somebody has installed one already, which is as good.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .no_proxy()
            .user_agent(concat!("forecourt/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded { private }))
            .redirect(Policy::custom(move |attempt| follow(attempt, private)))
            .build()
            .map_err(|error| Error::Transport(error.to_string()))?;
        Ok(Self { private, client })
    }

    /// The body of a 200, if it is no longer than `most` bytes.
    ///
    /// # Errors
    /// Everything else.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, Error> {
        let url = Url::parse(url).map_err(|_| Error::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::NoUrl);
        }
        if !self.private && is_private_literal(&url) {
            return Err(Error::Private);
        }
        let mut response = self.client.get(url).send().await.map_err(transport)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(transport)? {
            if body.len() + part.len() > most {
                return Err(Error::TooLong(most));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }
}

/// The cause in words: reqwest's own name the address.
fn transport(error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::Transport("no answer in time".to_owned());
    }
    let mut cause: &dyn std::error::Error = &error;
    loop {
        if cause.downcast_ref::<Private>().is_some() {
            return Error::Private;
        }
        // An io::Error does not count what it was made of among its sources.
        if let Some(inner) = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && inner.is::<Private>()
        {
            return Error::Private;
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => return Error::Transport(cause.to_string()),
        }
    }
}

/// What the resolver and the redirects say of an address that may not be asked.
#[derive(Debug, thiserror::Error)]
#[error("not a public address")]
struct Private;

fn follow(attempt: Attempt<'_>, private: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() > REDIRECTS {
        return attempt.error(io::Error::other("too many redirects"));
    }
    if !private && is_private_literal(attempt.url()) {
        return attempt.error(Private);
    }
    attempt.follow()
}

/// Whether the URL names a private address itself, past every resolver.
fn is_private_literal(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().is_ok_and(|address| !is_public(address))
}

/// The system's resolver, less what is not public. What was checked is what is connected to: a second look-up cannot
/// answer otherwise.
#[derive(Debug)]
struct Guarded {
    private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<_> = found
                .filter(|address| private || is_public(address.ip()))
                .collect();
            if usable.is_empty() {
                return Err(Private.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the internet's, as far as the registries say.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    // An IPv4 address in another dress: mapped, NAT64, 6to4.
    let [.., g, h] = v6.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    if (first, second) == (0x64, 0xff9b) {
        return is_public_v4(of(g, h));
    }
    if first == 0x2002 {
        return is_public_v4(of(second, v6.segments()[2]));
    }
    // Of all others only 2000::/3 is given to anybody; 2001:db8:: is for examples.
    first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8)
}

/// The URL as it may be shown: without a password, and without a query, which may hold a key.
pub fn without_password(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "the URL".to_owned();
    };
    // Neither fails for a URL that has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A server that says `answer` to everybody.
    async fn server(answer: String) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut asked = [0; 2048];
                    let _ = socket.read(&mut asked).await;
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        port
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn our_own_network_is_asked_only_if_that_is_allowed() {
        let port = server(ok("hello")).await;
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"
        );
        let door = server(redirect).await;
        let (closed, open) = (Outbound::new(false).unwrap(), Outbound::new(true).unwrap());
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
            let url = format!("http://{host}:{port}/");
            let error = closed.get(&url, 9).await.unwrap_err();
            assert!(matches!(error, Error::Private), "{host}: {error}");
        }
        for port in [port, door] {
            let url = format!("http://127.0.0.1:{port}/");
            assert_eq!(open.get(&url, 5).await.unwrap(), b"hello");
        }
        let by_name = format!("http://localhost:{port}/");
        assert_eq!(open.get(&by_name, 5).await.unwrap(), b"hello");
        let error = open.get(&by_name, 4).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer is longer than 4 bytes");
        let nobody = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let nobody = server(nobody.to_owned()).await;
        let error = open
            .get(&format!("http://u:hunter2@127.0.0.1:{nobody}/"), 4)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server answered 404 Not Found; expected 200 OK"
        );
        for wrong in ["file:///etc/passwd", "prices.csv", "ftp://x/"] {
            let error = open.get(wrong, 4).await.unwrap_err();
            assert!(matches!(error, Error::NoUrl), "{wrong}: {error}");
        }
    }

    #[test]
    fn addresses_that_are_nobodys() {
        for text in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        assert_eq!(
            without_password("https://me:hunter2@example.org/p.csv?key=hunter2"),
            "https://example.org/p.csv"
        );
    }
}
