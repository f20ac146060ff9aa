//! A log comes in: piece by piece into the database, seen when it is whole.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header;
use hyper::{Request, StatusCode};
use sha2::{Digest, Sha256};
use store::files::{self, CHUNK, Upload, Whole};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Answer, broken, said};
use crate::Csms;

/// Why an upload was not taken.
enum Broken {
    TooLarge,
    TooSlow,
    /// No byte of it.
    Empty,
    /// The sender is gone or speaks no HTTP.
    Sender,
    Database(store::Error),
}

impl From<store::Error> for Broken {
    fn from(error: store::Error) -> Self {
        Broken::Database(error)
    }
}

pub(super) async fn receive(csms: &Arc<Csms>, request: Request<Incoming>, token: &str) -> Answer {
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_RANGE) {
        return said(StatusCode::BAD_REQUEST, "Send the whole file.\n");
    }
    let stated = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| length > csms.options.largest_upload) {
        return too_large();
    }
    if stated == Some(0) {
        return empty();
    }
    let begun = async {
        let mut db = csms.pool.acquire().await?;
        files::begin_upload(&mut db, token, csms.clock.now()).await
    };
    let upload = match begun.await {
        Ok(Some(upload)) => upload,
        Ok(None) => return said(StatusCode::NOT_FOUND, "There is no such file.\n"),
        Err(error) => return broken(&error),
    };
    // Should the socket be dropped in the middle of it, the rest is cleared away all the same.
    let rest = Rest {
        csms: csms.clone(),
        upload: Some(upload),
    };
    let taken = take(csms, request.into_body(), upload).await;
    let answer = match taken {
        Ok(whole) => finish(csms, token, upload, &whole).await,
        Err(Broken::TooLarge) => too_large(),
        Err(Broken::Empty) => empty(),
        Err(Broken::TooSlow) => said(StatusCode::REQUEST_TIMEOUT, "That took too long.\n"),
        Err(Broken::Sender) => said(StatusCode::BAD_REQUEST, "The file ended early.\n"),
        Err(Broken::Database(error)) => broken(&error),
    };
    if answer.status().is_success() {
        rest.keep();
    }
    answer
}

/// Stores the body in pieces.
async fn take(csms: &Csms, mut body: Incoming, upload: Upload) -> Result<Whole, Broken> {
    let until = Instant::now() + csms.options.upload_time;
    let (mut digest, mut size, mut n) = (Sha256::new(), 0, 0);
    let mut piece = Vec::with_capacity(CHUNK);
    loop {
        let idle = timeout(csms.options.file_patience, body.frame());
        let frame = match timeout_at(until, idle).await {
            Ok(Ok(Some(Ok(frame)))) => frame,
            Ok(Ok(Some(Err(_)))) => return Err(Broken::Sender),
            Ok(Ok(None)) => break,
            Ok(Err(_)) | Err(_) => return Err(Broken::TooSlow),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len() as u64;
        if size > csms.options.largest_upload {
            return Err(Broken::TooLarge);
        }
        digest.update(&data);
        let mut data = &data[..];
        while piece.len() + data.len() >= CHUNK {
            let (full, rest) = data.split_at(CHUNK - piece.len());
            piece.extend_from_slice(full);
            add(csms, upload, n, &piece).await?;
            (data, n) = (rest, n + 1);
            piece.clear();
        }
        piece.extend_from_slice(data);
    }
    if size == 0 {
        return Err(Broken::Empty);
    }
    if !piece.is_empty() {
        add(csms, upload, n, &piece).await?;
    }
    Ok(Whole {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        sha256: digest.finalize().into(),
    })
}

async fn add(csms: &Csms, upload: Upload, n: i32, piece: &[u8]) -> Result<(), Broken> {
    let mut db = csms.pool.acquire().await.map_err(store::Error::from)?;
    Ok(files::add_chunk(&mut db, upload.file, n, piece).await?)
}

async fn finish(csms: &Csms, token: &str, upload: Upload, whole: &Whole) -> Answer {
    let finished = async {
        let mut db = csms.pool.acquire().await?;
        files::finish_upload(&mut db, token, upload, whole, csms.clock.now()).await
    };
    match finished.await {
        Ok(true) => {
            csms.ingest.news();
            said(StatusCode::CREATED, "")
        }
        Ok(false) => said(StatusCode::NOT_FOUND, "There is no such file.\n"),
        Err(error) => broken(&error),
    }
}

/// Nothing is no log: the token waits for one.
fn empty() -> Answer {
    said(StatusCode::BAD_REQUEST, "The file is empty.\n")
}

fn too_large() -> Answer {
    said(StatusCode::PAYLOAD_TOO_LARGE, "The file is too large.\n")
}

/// What has come of an upload; cleared away unless it became whole.
struct Rest {
    csms: Arc<Csms>,
    upload: Option<Upload>,
}

impl Rest {
    fn keep(mut self) {
        self.upload = None;
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else {
            return;
        };
        let csms = self.csms.clone();
        tokio::spawn(async move {
            let gone = async {
                let mut db = csms.pool.acquire().await?;
                files::abandon(&mut db, upload.file).await
            };
            if let Err(error) = gone.await {
                tracing::debug!(%error, "the rest of an upload is cleared away later");
            }
        });
    }
}
