//! A firmware image goes out, whole or in the range that a station still lacks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use store::files::{self, CHUNK, File};
use tokio::sync::OwnedSemaphorePermit;

use super::line::{Line, Pulse};
use super::{Answer, BodyError, broken, said};
use crate::Csms;

pub(super) async fn fetch(
    csms: &Arc<Csms>,
    request: &Request<Incoming>,
    token: &str,
    line: &Line,
    turn: OwnedSemaphorePermit,
) -> Answer {
    let found = async {
        let mut db = csms.pool.acquire().await?;
        files::to_fetch(&mut db, token, csms.clock.now()).await
    };
    let file = match found.await {
        Ok(Some(file)) => file,
        Ok(None) => return said(StatusCode::NOT_FOUND, "There is no such file.\n"),
        Err(error) => return broken(&error),
    };
    let size = file.size.unsigned_abs();
    let etag = format!("\"{}\"", file.sha256);
    let (status, range) = match wanted(request.headers(), &etag, size) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    };
    let mut answer = if request.method() == Method::HEAD || range.is_empty() {
        said(status, "")
    } else {
        let leave = Leave {
            csms: csms.clone(),
            file: file.id,
            range: range.clone(),
            pulse: line.watch(csms.options.file_patience),
            _turn: turn,
        };
        let pieces = stream::try_unfold(leave, Leave::next);
        let mut answer = Response::new(StreamBody::new(pieces).boxed_unsync());
        *answer.status_mut() = status;
        answer
    };
    describe(answer.headers_mut(), &file, &etag, status, &range);
    answer
}

fn describe(
    headers: &mut HeaderMap,
    file: &File,
    etag: &str,
    status: StatusCode,
    range: &Range<u64>,
) {
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::CONTENT_DISPOSITION, "attachment".to_owned());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, etag.to_owned());
    set(
        header::CONTENT_LENGTH,
        (range.end - range.start).to_string(),
    );
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let (first, last) = (range.start, range.end - 1);
            let value = format!("bytes {first}-{last}/{}", file.size);
            set(header::CONTENT_RANGE, value);
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            set(header::CONTENT_RANGE, format!("bytes */{}", file.size));
        }
        _ => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// No byte of the range is there.
    Nothing,
}

/// What a request wants of a file (RFC 9110, 13 and 14). More than one range, or one that we do not understand, is all of it.
fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Wanted::All;
    };
    // A date never matches: we give none.
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|if_range| if_range.as_bytes() != etag.as_bytes())
    {
        return Wanted::All;
    }
    let spec = range.to_str().ok().and_then(|range| {
        let (unit, spec) = range.split_once('=')?;
        unit.trim().eq_ignore_ascii_case("bytes").then_some(spec)
    });
    let Some((first, last)) = spec.and_then(|spec| spec.trim().split_once('-')) else {
        return Wanted::All;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => return Wanted::All,
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(most)) if first.is_empty() => size.saturating_sub(most)..size,
        _ => return Wanted::All,
    };
    if range.is_empty() {
        Wanted::Nothing
    } else {
        Wanted::Part(range)
    }
}

/// What is still to be sent.
struct Leave {
    csms: Arc<Csms>,
    file: uuid::Uuid,
    range: Range<u64>,
    pulse: Pulse,
    _turn: OwnedSemaphorePermit,
}

impl Leave {
    /// The next piece. Asked for when the reader has taken the one before.
    async fn next(mut self) -> Result<Option<(Frame<Bytes>, Self)>, BodyError> {
        self.pulse.beat();
        if self.range.is_empty() {
            return Ok(None);
        }
        let chunk = CHUNK as u64;
        let n = i32::try_from(self.range.start / chunk)?;
        let bytes = async {
            let mut db = self.csms.pool.acquire().await?;
            files::chunk(&mut db, self.file, n).await
        };
        let bytes = Bytes::from(bytes.await?.ok_or("the image was removed")?);
        let begin = usize::try_from(self.range.start % chunk)?;
        let left = usize::try_from(self.range.end - self.range.start)?;
        let end = bytes.len().min(begin + left);
        if begin >= end {
            return Err("the image is shorter than it was".into());
        }
        self.range.start += (end - begin) as u64;
        Ok(Some((Frame::data(bytes.slice(begin..end)), self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_wants_it() {
        let etag = "\"aa\"";
        for (range, if_range, expected) in [
            (None, None, Wanted::All),
            (Some("bytes=0-9"), None, Wanted::Part(0..10)),
            (Some("bytes=90-"), None, Wanted::Part(90..100)),
            (Some("bytes=-10"), None, Wanted::Part(90..100)),
            (Some("bytes=-1000"), None, Wanted::Part(0..100)),
            (Some("bytes=0-1000"), None, Wanted::Part(0..100)),
            (
                Some("bytes=0-18446744073709551615"),
                None,
                Wanted::Part(0..100),
            ),
            (Some("bytes=100-"), None, Wanted::Nothing),
            (Some("bytes=-0"), None, Wanted::Nothing),
            (Some("bytes=9-0"), None, Wanted::All),
            (Some("bytes=0-1,5-6"), None, Wanted::All),
            (Some("lines=0-1"), None, Wanted::All),
            (Some("bytes=x-"), None, Wanted::All),
            (Some("bytes=90-"), Some("\"aa\""), Wanted::Part(90..100)),
            (Some("bytes=90-"), Some("\"bb\""), Wanted::All),
            (
                Some("bytes=90-"),
                Some("Thu, 26 Nov 2026 10:00:00 GMT"),
                Wanted::All,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::RANGE, range), (header::IF_RANGE, if_range)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(
                wanted(&headers, etag, 100),
                expected,
                "{range:?} {if_range:?}"
            );
        }
    }
}
