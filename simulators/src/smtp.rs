//! A mail server for tests, from RFC 5321 and 3207: it takes mail over real sockets and keeps it, and fails in the ways
//! that mail servers fail in. It delivers nothing.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinSet,
};

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// Nobody listens.
    Refuse,
    /// The first mail to each recipient is put off (451), later ones are taken.
    Greylist,
    /// Every recipient is put off (451).
    Later,
    /// No recipient is known (550).
    Unknown,
    /// It takes connections and says nothing.
    Hang,
    /// It offers STARTTLS, and then speaks no TLS.
    BrokenTls,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Of MAIL FROM.
    pub sender: String,
    /// Of RCPT TO.
    pub recipients: Vec<String>,
    /// Header and body as they were said.
    pub text: String,
}

/// The server; it ends with this value.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    taken: Vec<Taken>,
    connections: usize,
    grey: HashSet<String>,
}

impl MailServer {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, told) = watch::channel(Fault::None);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(serve(listener, address, told, seen.clone()));
        Ok(MailServer {
            address,
            fault,
            seen,
            task,
        })
    }

    /// Where it listens, as SMTP_URL.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// From now on it fails so. Connections that are open are closed.
    pub fn fail(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// The mails that it took.
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.seen).taken.clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        lock(&self.seen).connections
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    first: TcpListener,
    address: SocketAddr,
    mut told: watch::Receiver<Fault>,
    seen: Arc<Mutex<Seen>>,
) {
    let mut listener = Some(first);
    let mut talks = JoinSet::new();
    loop {
        let fault = *told.borrow_and_update();
        match (fault, &listener) {
            (Fault::Refuse, _) => listener = None,
            (_, None) => listener = TcpListener::bind(address).await.ok(),
            _ => {}
        }
        let changed = match &listener {
            None => told.changed().await,
            Some(listener) => tokio::select! {
                changed = told.changed() => changed,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        lock(&seen).connections += 1;
                        talks.spawn(talk(stream, fault, seen.clone()));
                    }
                    continue;
                }
            },
        };
        talks.abort_all();
        if changed.is_err() {
            return;
        }
    }
}

/// One connection. What goes wrong with the socket ends it, as it would anywhere.
async fn talk(stream: TcpStream, fault: Fault, seen: Arc<Mutex<Seen>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if fault == Fault::Hang {
        // Reads on, so that the other side's words do not pile up, until it gives up.
        while let Ok(Some(_)) = lines.next_line().await {}
        return;
    }
    if say(&mut write, "220 mail.test ESMTP").await.is_err() {
        return;
    }
    let mut mail = Taken {
        sender: String::new(),
        recipients: Vec::new(),
        text: String::new(),
    };
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if fault == Fault::BrokenTls => "250-mail.test\r\n250 STARTTLS".to_owned(),
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 SMTPUTF8".to_owned(),
            "STARTTLS" if fault == Fault::BrokenTls => {
                // What follows is no TLS record.
                let _ = say(&mut write, "220 go on\r\nthis is no handshake").await;
                return;
            }
            "MAIL" => {
                mail = Taken {
                    sender: address_in(&line),
                    recipients: Vec::new(),
                    text: String::new(),
                };
                "250 ok".to_owned()
            }
            "RCPT" => recipient(&mut mail, address_in(&line), fault, &seen),
            "DATA" if mail.recipients.is_empty() => "503 no recipients".to_owned(),
            "DATA" => {
                if say(&mut write, "354 go on").await.is_err() {
                    return;
                }
                let Some(text) = data(&mut lines).await else {
                    return;
                };
                mail.text = text;
                lock(&seen).taken.push(mail.clone());
                mail.recipients.clear();
                "250 taken".to_owned()
            }
            "RSET" => {
                mail.recipients.clear();
                "250 ok".to_owned()
            }
            "HELO" | "NOOP" => "250 ok".to_owned(),
            "QUIT" => {
                let _ = say(&mut write, "221 bye").await;
                return;
            }
            _ => "502 unknown".to_owned(),
        };
        if say(&mut write, &answer).await.is_err() {
            return;
        }
    }
}

fn recipient(mail: &mut Taken, to: String, fault: Fault, seen: &Mutex<Seen>) -> String {
    let put_off = match fault {
        Fault::Later => true,
        Fault::Greylist => lock(seen).grey.insert(to.clone()),
        Fault::Unknown => return "550 no such mailbox".to_owned(),
        _ => false,
    };
    if put_off {
        return "451 greylisted, try again later".to_owned();
    }
    mail.recipients.push(to);
    "250 ok".to_owned()
}

/// The mail's text: a dot alone ends it, and a dot that begins a line was doubled.
async fn data(
    lines: &mut tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>,
) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = lines.next_line().await.ok()??;
        if line == "." {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
}

/// `MAIL FROM:<ada@example.org>` is about ada@example.org.
fn address_in(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(address, _)| address.to_owned())
        .unwrap_or_default()
}

async fn say(write: &mut OwnedWriteHalf, line: &str) -> io::Result<()> {
    // In one piece: the second of two would wait until the first is confirmed.
    write.write_all(format!("{line}\r\n").as_bytes()).await
}
