//! Live pages: `GET /events` sends what changed of a page as HTML fragments (server-sent events). One reader of the
//! outbox serves all viewers; each viewer's stream looks again through that viewer's own scope, at most once a second.
//! Any event of the viewer's sites is a reason to look: what is kept of a station changes with the event of the command
//! that changed it. What makes no event is seen by looking from time to time.

use std::collections::{HashMap, VecDeque, hash_map::DefaultHasher};
use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::stream;
use store::{
    Pool, Scope, Scoped,
    bell::Doorbell,
    events::{self, CHANNEL, Event, Position},
};
use tokio::{
    sync::broadcast::{self, Receiver, Sender, error::RecvError},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    AppState, Error, Result,
    pages::{
        asked::{Parameters, refuse},
        frame::Frame,
        messages, overview, session, sessions, station, stations, tasks,
    },
};

/// An element is renewed at most this often.
const COALESCE: Duration = Duration::from_secs(1);
/// Power changes without an event: meter values make none. So a page is looked at this often anyway.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The reader looks this often even if nobody rings.
const POLL: Duration = Duration::from_secs(2);
/// A stream ends after this, and the browser opens another: so a login that ended is noticed.
const LONGEST: Duration = Duration::from_secs(300);
/// Events that wait for a slow viewer; one that lags behind simply looks again.
const BACKLOG: usize = 256;
/// Events read at a time.
const BATCH: i64 = 500;

/// A fragment of a page that changes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    name: &'static str,
    html: String,
}

impl Part {
    /// Renders a block of a page under the name that the page's `sse-swap` gives it.
    pub(crate) fn render(name: &'static str, block: &impl Template) -> Result<Self> {
        let html = block
            .render()
            .map_err(|error| Error::Broken(format!("the block {name}: {error}")))?;
        Ok(Part { name, html })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.html.hash(&mut hasher);
        hasher.finish()
    }
}

/// Where live pages hear what happened. Its reader runs while anybody listens.
#[derive(Debug, Default)]
pub struct Hub {
    sender: Mutex<Option<Sender<Arc<Event>>>>,
    closed: CancellationToken,
}

impl Hub {
    /// Ends all streams: the server shuts down, and a stream would otherwise keep it waiting.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// What happens from now on, of all sites: the caller filters by scope.
    fn listen(app: &AppState) -> Receiver<Arc<Event>> {
        let hub = &app.live;
        let mut slot = hub.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = slot.as_ref() {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BACKLOG);
        *slot = Some(sender.clone());
        tokio::spawn(read(app.clone(), sender));
        receiver
    }

    /// Whether nobody listens any more; then the reader is forgotten, and the next listener starts another.
    fn is_deserted(&self, sender: &Sender<Arc<Event>>) -> bool {
        let mut slot = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let deserted = sender.receiver_count() == 0;
        if deserted {
            *slot = None;
        }
        deserted
    }
}

/// Reads the outbox from now on and tells everybody who listens.
async fn read(app: AppState, sender: Sender<Arc<Event>>) {
    let mut bell = Doorbell::new(&app.pool, &[CHANNEL]);
    let mut position = None;
    while !app.live.is_deserted(&sender) && !app.live.closed.is_cancelled() {
        match news(&app.pool, position).await {
            Ok((events, at)) => {
                position = Some(at);
                for event in events {
                    // Nobody listening is no error: the loop ends.
                    let _ = sender.send(Arc::new(event));
                }
            }
            Err(error) => tracing::warn!(%error, "live pages cannot read the events; trying again"),
        }
        bell.wait(POLL).await;
    }
}

/// The events after `position`, and where to read on; without a position nothing but where we are.
async fn news(pool: &Pool, position: Option<Position>) -> store::Result<(Vec<Event>, Position)> {
    let mut db = Scope::All.begin(pool).await?;
    let Some(position) = position else {
        return Ok((Vec::new(), events::now(&mut db).await?));
    };
    let events = events::after(&mut db, position, BATCH).await?;
    let at = events.last().map_or(position, |event| event.position);
    Ok((events, at))
}

/// What a stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Overview,
    Stations,
    Station,
    Sessions,
    Session(Uuid),
    Messages,
    Task(Uuid),
}

impl Topic {
    fn read(name: &str, parameters: &Parameters) -> Result<Self> {
        match name {
            "overview" => Ok(Topic::Overview),
            "stations" => Ok(Topic::Stations),
            "station" => Ok(Topic::Station),
            "sessions" => Ok(Topic::Sessions),
            "messages" => Ok(Topic::Messages),
            "session" => parameters.id("id")?.map(Topic::Session).ok_or_else(|| {
                refuse(
                    "id",
                    "",
                    "the id of a session, which the topic session takes",
                )
            }),
            "task" => parameters
                .id("id")?
                .map(Topic::Task)
                .ok_or_else(|| refuse("id", "", "the id of a task, which the topic task takes")),
            other => Err(refuse(
                "topics",
                other,
                "one of overview, stations, station, sessions, session, messages, task",
            )),
        }
    }

    async fn parts(
        self,
        app: &AppState,
        db: &mut Scoped<'_>,
        frame: Frame,
        parameters: &Parameters,
    ) -> Result<Vec<Part>> {
        let now = app.clock.now();
        match self {
            Topic::Overview => overview::parts(db, frame, now).await,
            Topic::Stations => stations::parts(app, db, frame, parameters).await,
            Topic::Sessions => sessions::parts(app, db, &frame, parameters).await,
            Topic::Messages => messages::parts(db, &frame, parameters).await,
            Topic::Station => station::parts(app, db, frame, parameters).await,
            Topic::Session(id) => session::parts(db, frame, id, now).await,
            Topic::Task(id) => tasks::parts(app, db, frame, id, parameters).await,
        }
    }
}

/// `GET /events?topics=…`: named events with HTML. Besides `topics` it takes the query of the page that it keeps live,
/// and `since`, where that page stood. What happened since (or since `Last-Event-ID`) is sent at once.
pub async fn stream(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response> {
    let topics = parameters
        .first("topics")
        .unwrap_or_default()
        .split(',')
        .map(|name| Topic::read(name.trim(), &parameters))
        .collect::<Result<Vec<_>>>()?;
    let position = position(&parameters, &headers)?;
    let events = Hub::listen(&app);
    let mut viewer = Viewing {
        topics,
        parameters,
        frame,
        events,
        position,
        sent: HashMap::new(),
        ready: VecDeque::new(),
        looked_at: None,
        ends_at: Instant::now() + LONGEST,
        app,
    };
    // A refusal (a session of somebody else, a filter that is none) is an answer, not a silent stream.
    if viewer.missed_something().await? {
        viewer.look().await?;
    }
    let stream = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let mut response = Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response();
    // Proxies that gather answers would hold back a stream.
    response.headers_mut().insert(
        "x-accel-buffering",
        axum::http::HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// Where the viewer stands: the browser's word first, which is newer than the page's.
fn position(parameters: &Parameters, headers: &HeaderMap) -> Result<Option<Position>> {
    let expected = "a position such as 812-3";
    if let Some(id) = headers.get("last-event-id") {
        let id = id.to_str().unwrap_or_default();
        return match id.parse() {
            Ok(position) => Ok(Some(position)),
            Err(()) => Err(refuse("Last-Event-ID", id, expected)),
        };
    }
    parameters.read("since", expected, |text| text.parse().ok())
}

/// One viewer's stream.
struct Viewing {
    app: AppState,
    topics: Vec<Topic>,
    parameters: Parameters,
    frame: Frame,
    events: Receiver<Arc<Event>>,
    position: Option<Position>,
    /// What this stream sent last, by part.
    sent: HashMap<&'static str, u64>,
    ready: VecDeque<sse::Event>,
    looked_at: Option<Instant>,
    ends_at: Instant,
}

impl Viewing {
    /// The next event to send; none when the stream ends.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.reason_to_look().await?;
            if let Some(looked_at) = self.looked_at {
                sleep_until(looked_at + COALESCE).await;
            }
            if let Err(error) = self.look().await {
                let problem = error.problem();
                if problem.status != StatusCode::SERVICE_UNAVAILABLE {
                    return None;
                }
            }
        }
    }

    /// Waits until something of this viewer's happened, or it is time anyway; none when the stream ends.
    async fn reason_to_look(&mut self) -> Option<()> {
        let again_at = self.looked_at.unwrap_or_else(Instant::now) + LOOK_EVERY;
        let closed = self.app.live.closed.clone();
        loop {
            tokio::select! {
                () = closed.cancelled() => return None,
                () = sleep_until(self.ends_at) => return None,
                () = sleep_until(again_at) => return Some(()),
                event = self.events.recv() => match event {
                    Ok(event) if !self.frame.scope.allows(event.site_id) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    // The reader ended; looking again from time to time still works.
                    Err(RecvError::Closed) => self.events = Hub::listen(&self.app),
                },
            }
        }
    }

    /// Whether anything of this viewer's happened since its position; of an unknown position that is to be assumed.
    async fn missed_something(&self) -> Result<bool> {
        let Some(position) = self.position else {
            return Ok(true);
        };
        let mut db = self.frame.scope.begin(&self.app.pool).await?;
        Ok(!events::after(&mut db, position, 1).await?.is_empty())
    }

    /// Looks again and makes ready what changed.
    async fn look(&mut self) -> Result<()> {
        self.looked_at = Some(Instant::now());
        let mut db = self.frame.scope.begin(&self.app.pool).await?;
        let position = events::now(&mut db).await?;
        for topic in &self.topics {
            let parts = topic
                .parts(&self.app, &mut db, self.frame.clone(), &self.parameters)
                .await?;
            for part in parts {
                let hash = part.hash();
                if self.sent.insert(part.name, hash) != Some(hash) {
                    let event = sse::Event::default()
                        .event(part.name)
                        .id(position.to_string())
                        .data(part.html);
                    self.ready.push_back(event);
                }
            }
        }
        self.position = Some(position);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_position_counts_more_than_the_pages() {
        let page = Parameters::from(vec![("since".to_owned(), "7-1".to_owned())]);
        let mut headers = HeaderMap::new();
        assert_eq!(
            position(&page, &headers).unwrap(),
            Some(Position { tx: 7, id: 1 })
        );
        headers.insert("last-event-id", "9-2".parse().unwrap());
        assert_eq!(
            position(&page, &headers).unwrap(),
            Some(Position { tx: 9, id: 2 })
        );
        headers.insert("last-event-id", "x".parse().unwrap());
        assert!(position(&page, &headers).is_err());
    }
}
