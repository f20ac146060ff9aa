//! Outgoing mail: one function, [`Mailer::send`]. In a demo, mails are kept in memory and shown instead. Retries
//! are the outbox's affair, not this file's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp,
};

use crate::config;

/// A demo keeps this many mails.
const KEPT: usize = 100;
/// A mail with all that it carries is taken in this time, or the server is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail to one person, as text and optionally as HTML too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// `name@example.org` or `Name <name@example.org>`.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same for readers that show HTML.
    pub html: Option<String>,
    /// What it carries.
    pub files: Vec<File>,
}

/// A file that a mail carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Under which it is saved.
    pub name: String,
    /// `application/pdf`, …
    pub media_type: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No mail server is set.
    #[error(
        "no mail server is set: set SMTP_URL, for example smtp://user:password@mail.example.org:587?tls=required"
    )]
    NotConfigured,
    /// It will never work: a bad address, or the server refused for good (5xx).
    #[error("mail refused: {0}")]
    Refused(String),
    /// It may work later: the server did not take this one now (4xx).
    #[error("mail not sent yet: {0}")]
    Later(String),
    /// No mail can be sent now: there is no talking to the server.
    #[error("the mail server is away: {0}")]
    Away(String),
}

/// Sends mail. Clones share the connections, or the demo's mailbox.
#[derive(Debug, Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
    patience: Duration,
}

#[derive(Debug, Clone)]
enum Way {
    Nowhere,
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Kept(Arc<Mutex<VecDeque<Mail>>>),
}

impl Mailer {
    /// By the settings: to the mail server, or in a demo to memory.
    ///
    /// # Errors
    /// What is wrong with `SMTP_URL` or `MAIL_FROM`.
    pub fn new(settings: &config::Mail, demo: bool) -> Result<Self, String> {
        Self::with_patience(settings, demo, PATIENCE)
    }

    /// As [`Mailer::new`]; a server that says nothing for so long is away.
    ///
    /// # Errors
    /// What is wrong with `SMTP_URL` or `MAIL_FROM`.
    pub fn with_patience(
        settings: &config::Mail,
        demo: bool,
        patience: Duration,
    ) -> Result<Self, String> {
        let from = settings
            .from
            .parse()
            .map_err(|error| format!("MAIL_FROM={}: {error}", settings.from))?;
        let way = match &settings.smtp_url {
            _ if demo => Way::Kept(Arc::default()),
            None => Way::Nowhere,
            Some(url) => Way::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| format!("SMTP_URL: {error}"))?
                    .timeout(Some(patience))
                    .build(),
            ),
        };
        Ok(Self {
            from,
            way,
            patience,
        })
    }

    /// Sends one mail; when this returns, the server has taken it.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, mail: Mail) -> Result<(), SendError> {
        match &self.way {
            Way::Nowhere => Err(SendError::NotConfigured),
            Way::Kept(mailbox) => {
                let mut kept = mailbox.lock().unwrap_or_else(PoisonError::into_inner);
                kept.truncate(KEPT - 1);
                kept.push_front(mail);
                Ok(())
            }
            Way::Smtp(transport) => {
                // lettre's own time-out is for connecting alone: a server that then says nothing would be waited for
                // without end.
                let sending = transport.send(self.message(mail)?);
                match tokio::time::timeout(self.patience, sending).await {
                    Ok(sent) => sent.map(|_| ()).map_err(sort_out),
                    Err(_) => Err(SendError::Away(format!(
                        "it did not take a mail within {:?}",
                        self.patience
                    ))),
                }
            }
        }
    }

    /// The demo's mails, newest first; `None` when mails are really sent.
    pub fn mailbox(&self) -> Option<Vec<Mail>> {
        match &self.way {
            Way::Kept(mailbox) => {
                let kept = mailbox.lock().unwrap_or_else(PoisonError::into_inner);
                Some(kept.iter().cloned().collect())
            }
            Way::Nowhere | Way::Smtp(_) => None,
        }
    }

    fn message(&self, mail: Mail) -> Result<Message, SendError> {
        let refused = |error: &dyn std::fmt::Display| SendError::Refused(error.to_string());
        let to: Mailbox = mail
            .to
            .parse()
            .map_err(|error: lettre::address::AddressError| refused(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject)
            .message_id(None);
        if mail.files.is_empty() {
            match mail.html {
                Some(html) => message.multipart(MultiPart::alternative_plain_html(mail.text, html)),
                None => message.header(ContentType::TEXT_PLAIN).body(mail.text),
            }
        } else {
            let text = match mail.html {
                Some(html) => {
                    MultiPart::mixed().multipart(MultiPart::alternative_plain_html(mail.text, html))
                }
                None => MultiPart::mixed().singlepart(SinglePart::plain(mail.text)),
            };
            let mut parts = text;
            for file in mail.files {
                let media =
                    ContentType::parse(&file.media_type).map_err(|error| refused(&error))?;
                parts = parts.singlepart(Attachment::new(file.name).body(file.content, media));
            }
            message.multipart(parts)
        }
        .map_err(|error| refused(&error))
    }
}

/// Whether `text` is an e-mail address without a name.
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

fn sort_out(error: smtp::Error) -> SendError {
    if error.is_permanent() {
        SendError::Refused(error.to_string())
    } else if error.is_transient() {
        SendError::Later(error.to_string())
    } else {
        SendError::Away(with_cause(&error))
    }
}

/// lettre says "Connection error"; what kind of one is in its cause.
fn with_cause(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !told.ends_with(&words) {
            told = format!("{told}: {words}");
        }
        cause = next.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    fn mail() -> Mail {
        Mail {
            to: "Ada <ada@example.org>".to_owned(),
            subject: "Grüße".to_owned(),
            text: "Your code is 123456.\n".to_owned(),
            html: None,
            files: Vec::new(),
        }
    }

    fn settings(smtp_url: Option<String>) -> config::Mail {
        config::Mail {
            smtp_url,
            from: "Forecourt <charge@example.org>".to_owned(),
        }
    }

    /// A mail server that takes one mail, answering `RCPT TO` with `to_rcpt`; returns all it was told.
    async fn server(to_rcpt: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let told = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await.unwrap();
            let (mut told, mut in_data) = (String::new(), false);
            while let Ok(Some(line)) = lines.next_line().await {
                told.push_str(&line);
                told.push('\n');
                let answer = match line.as_str() {
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => continue,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    line if line.starts_with("RCPT") => to_rcpt,
                    _ => "250 ok",
                };
                write
                    .write_all(format!("{answer}\r\n").as_bytes())
                    .await
                    .unwrap();
                if line == "QUIT" || answer == "250 taken" {
                    break;
                }
            }
            told
        });
        (url, told)
    }

    #[tokio::test]
    async fn a_mail_reaches_the_server() {
        let (url, told) = server("250 ok").await;
        let mailer = Mailer::new(&settings(Some(url)), false).unwrap();
        mailer.send(mail()).await.unwrap();
        let told = told.await.unwrap();
        assert!(told.contains("RCPT TO:<ada@example.org>"), "{told}");
        assert!(told.contains("Message-ID:"), "{told}");
        assert!(told.contains("Your code is 123456."), "{told}");
        assert_eq!(mailer.mailbox(), None);
    }

    #[tokio::test]
    async fn a_mail_may_carry_a_file() {
        let (url, told) = server("250 ok").await;
        let mailer = Mailer::new(&settings(Some(url)), false).unwrap();
        let file = File {
            name: "F1-000001.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            content: b"%PDF-1.7\xff".to_vec(),
        };
        let carrying = Mail {
            files: vec![file],
            ..mail()
        };
        mailer.send(carrying).await.unwrap();
        let told = told.await.unwrap();
        assert!(told.contains("multipart/mixed"), "{told}");
        assert!(told.contains("Content-Type: application/pdf"), "{told}");
        assert!(told.contains("filename=\"F1-000001.pdf\""), "{told}");
        assert!(told.contains("JVBERi0xLjf/"), "{told}");
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_no_fault_of_the_mail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Mailer::new(&settings(Some(url)), false)
            .unwrap()
            .send(mail())
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Away(_)), "{error}");
    }

    #[tokio::test]
    async fn refusals_for_good_and_for_now_differ() {
        let (url, _told) = server("550 nobody here").await;
        let error = Mailer::new(&settings(Some(url)), false)
            .unwrap()
            .send(mail())
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Refused(_)), "{error}");
        let (url, _told) = server("451 greylisted").await;
        let error = Mailer::new(&settings(Some(url)), false)
            .unwrap()
            .send(mail())
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Later(_)), "{error}");
    }

    #[tokio::test]
    async fn a_demo_keeps_the_newest_mails() {
        let mailer = Mailer::new(&settings(None), true).unwrap();
        for number in 0..=KEPT {
            let mail = Mail {
                subject: number.to_string(),
                ..mail()
            };
            mailer.send(mail).await.unwrap();
        }
        let kept = mailer.mailbox().unwrap();
        assert_eq!((kept.len(), kept[0].subject.as_str()), (KEPT, "100"));
    }

    #[tokio::test]
    async fn without_a_server_the_remedy_is_named() {
        let mailer = Mailer::new(&settings(None), false).unwrap();
        let error = mailer.send(mail()).await.unwrap_err().to_string();
        assert!(error.contains("SMTP_URL"), "{error}");
    }
}
