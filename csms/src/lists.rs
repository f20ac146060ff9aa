//! Local lists on their way to stations: what differs is sent, in parts if it must be, until nothing differs. What is sent is
//! decided by pure functions; the rows are the truth, so that a restart changes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::limits::is_id_tag;
use ocpp::v16::{
    AuthorizationData, AuthorizationStatus, IdTagInfo, SendLocalListRequest, UpdateType,
};
use store::commands::NewCommand;
use store::local_lists::{self, Due, Entry, List, Refused};

/// Tokens of one message where the station did not say how many it takes.
const AT_ONCE: usize = 100;
/// A push waits so long for its station; then it is worked out anew.
const EXPIRES: TimeDelta = TimeDelta::days(1);
/// Between a push that failed and the next; doubled with each, up to a day.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// How much a station takes, as far as it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    /// In one message.
    at_once: usize,
    /// In all.
    in_all: Option<usize>,
}

/// What to do about a list.
#[derive(Debug, Clone, PartialEq)]
enum Plan {
    /// It is as it should be.
    Nothing,
    /// The station holds fewer tokens than it should.
    TooMany,
    /// This brings it nearer.
    Send(SendLocalListRequest),
}

/// When a push that ended with `word` is tried again, after `failures` before it; `None`: at once. A station that holds
/// another version than we believe gets the whole list, the first time without delay.
pub(crate) fn next_try(word: &str, failures: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if word == "VersionMismatch" && failures == 0 {
        return None;
    }
    let doubled = PATIENCE * 2_i32.pow(u32::try_from(failures).unwrap_or(0).min(9));
    Some(now + doubled.min(TimeDelta::days(1)))
}

/// The next message that makes `held` more like `wanted`. The first of a full list that is too long for one message takes
/// the place of what was there; the rest follows as differences.
fn plan(list: &List, held: &[Entry], wanted: &[Entry], limits: Limits) -> Plan {
    if limits.in_all.is_some_and(|most| wanted.len() > most) {
        return Plan::TooMany;
    }
    let next = |version: i32| i64::from(version) + 1;
    if list.want_full {
        let known = list.version.max(list.station_version.unwrap_or(0));
        // A station that never had a list needs no empty one.
        if wanted.is_empty() && known == 0 {
            return Plan::Nothing;
        }
        return Plan::Send(SendLocalListRequest {
            list_version: next(known),
            local_authorization_list: wanted.iter().take(limits.at_once).map(row).collect(),
            update_type: UpdateType::Full,
        });
    }
    let same = |one: &Entry, other: &Entry| one.token.eq_ignore_ascii_case(&other.token);
    let gone = held
        .iter()
        .filter(|entry| !wanted.iter().any(|wanted| same(wanted, entry)))
        .map(|entry| AuthorizationData {
            id_tag: entry.token.clone(),
            id_tag_info: None,
        });
    let new = wanted.iter().filter(|entry| {
        let known = held.iter().find(|held| same(held, entry));
        known.is_none_or(|known| {
            (&known.status, &known.parent, known.expires_at)
                != (&entry.status, &entry.parent, entry.expires_at)
        })
    });
    let changes: Vec<AuthorizationData> = gone.chain(new.map(row)).take(limits.at_once).collect();
    if changes.is_empty() {
        return Plan::Nothing;
    }
    Plan::Send(SendLocalListRequest {
        list_version: next(list.version),
        local_authorization_list: changes,
        update_type: UpdateType::Differential,
    })
}

fn row(entry: &Entry) -> AuthorizationData {
    AuthorizationData {
        id_tag: entry.token.clone(),
        id_tag_info: Some(IdTagInfo {
            expiry_date: entry.expires_at.map(Into::into),
            parent_id_tag: entry.parent.clone(),
            status: AuthorizationStatus::from(entry.status.as_str()),
        }),
    }
}

/// Compares the lists that may differ, and queues what is missing.
pub(crate) async fn push(pool: &store::Pool, now: DateTime<Utc>) -> store::Result<()> {
    give_up(pool, now).await?;
    loop {
        let mut tx = pool.begin().await?;
        let Some(due) = local_lists::next_due(&mut tx, now).await? else {
            return Ok(());
        };
        push_one(&mut tx, &due, now).await?;
        tx.commit().await?;
    }
}

/// Pushes whose command got no answer: expired for a station that was away, or lost with its socket.
async fn give_up(pool: &store::Pool, now: DateTime<Utc>) -> store::Result<()> {
    let mut tx = pool.begin().await?;
    for push in local_lists::unanswered(&mut tx).await? {
        // A station that was only away is not to be punished for it.
        let was_away = push.status == "expired";
        let refused = Refused {
            answer: &push.status,
            unsupported: false,
            next_try_at: (!was_away)
                .then(|| next_try(&push.status, push.failures, now))
                .flatten(),
        };
        local_lists::refused(&mut tx, push.station_id, &refused, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn push_one(db: &mut store::Connection, due: &Due, now: DateTime<Utc>) -> store::Result<()> {
    let station = due.station_id;
    let mut wanted = local_lists::wanted(db, station).await?;
    for entry in &mut wanted {
        // One that is longer than OCPP 1.6 can carry is left out, here and not where it is sent: else it differs for ever.
        entry.parent.take_if(|parent| !is_id_tag(parent));
    }
    let held = local_lists::held(db, station).await?;
    let (mut command, mut failure) = (None, None);
    match plan(&due.list, &held, &wanted, limits(db, station).await?) {
        Plan::Nothing => {}
        Plan::TooMany => failure = Some("more tokens than the station holds"),
        Plan::Send(message) => {
            let payload = ocpp::encode(&message);
            let new = NewCommand {
                station_id: station,
                site_id: due.site_id,
                action: "SendLocalList",
                payload: &payload,
                raw: false,
                actor_kind: "system",
                actor_id: None,
                expires_at: now + EXPIRES,
                rerun_of: None,
                task_id: None,
            };
            command = Some(store::commands::queue(db, &new, now).await?);
        }
    }
    local_lists::looked(db, station, command, failure, now).await
}

async fn limits(db: &mut store::Connection, station: uuid::Uuid) -> store::Result<Limits> {
    let keys = ["SendLocalListMaxLength", "LocalAuthListMaxLength"];
    let said = store::configuration::values(db, station, &keys).await?;
    let number = |key: &str| {
        said.iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .and_then(|(_, value)| value.trim().trim_matches('"').parse::<usize>().ok())
            .filter(|most| *most > 0)
    };
    Ok(Limits {
        at_once: number(keys[0]).unwrap_or(AT_ONCE),
        in_all: number(keys[1]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(token: &str) -> Entry {
        Entry {
            token: token.to_owned(),
            status: "Accepted".to_owned(),
            parent: None,
            expires_at: None,
        }
    }

    const WIDE: Limits = Limits {
        at_once: 100,
        in_all: None,
    };

    fn known(version: i32) -> List {
        List {
            want_full: false,
            version,
            ..List::default()
        }
    }

    fn sent(plan: Plan) -> (i64, String, Vec<(String, bool)>) {
        let Plan::Send(message) = plan else {
            panic!("{plan:?}")
        };
        let rows = message.local_authorization_list.into_iter();
        (
            message.list_version,
            message.update_type.to_string(),
            rows.map(|row| (row.id_tag, row.id_tag_info.is_some()))
                .collect(),
        )
    }

    fn holds(token: &str) -> (String, bool) {
        (token.to_owned(), true)
    }

    #[test]
    fn the_first_list_is_full_and_of_version_one() {
        let first = plan(&List::default(), &[], &[entry("A"), entry("B")], WIDE);
        assert_eq!(
            sent(first),
            (1, "Full".to_owned(), vec![holds("A"), holds("B")])
        );
        assert_eq!(plan(&List::default(), &[], &[], WIDE), Plan::Nothing);
        let other = List {
            station_version: Some(7),
            ..List::default()
        };
        assert_eq!(
            sent(plan(&other, &[], &[], WIDE)),
            (8, "Full".to_owned(), vec![])
        );
    }

    #[test]
    fn a_difference_holds_only_what_changed_and_the_next_version() {
        let held = [entry("A"), entry("b"), entry("C")];
        let wanted = [
            entry("a"),
            Entry {
                parent: Some("P".to_owned()),
                ..entry("B")
            },
            entry("D"),
        ];
        assert_eq!(
            sent(plan(&known(4), &held, &wanted, WIDE)),
            (
                5,
                "Differential".to_owned(),
                vec![("C".to_owned(), false), holds("B"), holds("D")]
            )
        );
        assert_eq!(plan(&known(4), &held, &held, WIDE), Plan::Nothing);
    }

    #[test]
    fn what_is_too_long_for_one_message_goes_in_parts_and_what_is_too_long_for_the_station_not_at_all()
     {
        let wanted: Vec<Entry> = ["A", "B", "C"].map(entry).to_vec();
        let narrow = Limits {
            at_once: 2,
            in_all: Some(3),
        };
        let first = sent(plan(&List::default(), &[], &wanted, narrow));
        assert_eq!(first, (1, "Full".to_owned(), vec![holds("A"), holds("B")]));
        let rest = sent(plan(&known(1), &wanted[..2], &wanted, narrow));
        assert_eq!(rest, (2, "Differential".to_owned(), vec![holds("C")]));
        let small = Limits {
            in_all: Some(2),
            ..narrow
        };
        assert_eq!(plan(&known(1), &[], &wanted, small), Plan::TooMany);
    }

    #[test]
    fn a_failed_push_is_tried_later_and_later_but_a_mismatch_at_once() {
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let minutes =
            |word, failures| next_try(word, failures, now).map(|at| (at - now).num_minutes());
        assert_eq!(minutes("VersionMismatch", 0), None);
        assert_eq!(minutes("VersionMismatch", 1), Some(10));
        assert_eq!(minutes("Failed", 0), Some(5));
        assert_eq!(minutes("Failed", 3), Some(40));
        assert_eq!(minutes("Failed", 99), Some(24 * 60));
    }
}
