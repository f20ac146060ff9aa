//! Forgets what the retention policies no longer cover, and makes the partitions of the months to come.

use chrono::{DateTime, Utc};
use service::config::Retention;
use store::{Connection, partitions, retention};

/// Brings the policies in line with the settings and obeys them; answers what it did, in words.
///
/// # Errors
/// Those of the database, and a policy that nobody knows how to obey.
pub async fn run(
    db: &mut Connection,
    settings: Retention,
    now: DateTime<Utc>,
) -> store::Result<String> {
    partitions::ensure(db, settings.meter_values, now).await?;
    retention::set_days(db, "ocpp_messages", settings.messages).await?;
    retention::set_days(db, "meter_values", settings.meter_values).await?;
    let mut done = Vec::new();
    for policy in retention::policies(db).await? {
        let gone = retention::apply(db, &policy, now).await?;
        if gone > 0 {
            done.push(format!("{}: {gone}", policy.entity));
        }
    }
    Ok(if done.is_empty() {
        "nothing to forget".to_owned()
    } else {
        done.join(", ")
    })
}
