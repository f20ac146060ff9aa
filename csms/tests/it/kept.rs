//! What is kept of a station after it answered. Each file below tries one kind of it.

use serde_json::{Value, json};
use store::Pooled;
use uuid::Uuid;

use crate::support::{Server, Station};

mod charging;
mod configuration;
mod local_list;
mod reservations;

async fn station_id(server: &Server, identity: &str) -> Uuid {
    let mut db = connection(server).await;
    let found = store::lookup::stations(&mut db, &[identity.to_owned()])
        .await
        .unwrap();
    found[0].as_ref().unwrap().id
}

async fn connection(server: &Server) -> Pooled {
    server.db.pool.acquire().await.unwrap()
}

/// The next CALL must be this one; answers it.
async fn answer_next(station: &mut Station, action: &str, answer: Value) -> Value {
    let call = station.receive().await;
    assert_eq!(call[2], action, "{call}");
    station.send(&json!([3, call[1], answer]).to_string()).await;
    call[3].clone()
}
