//! Charging profiles that stations accepted. Which of them another one replaces, and which a ClearChargingProfile takes
//! away, is decided here in pure functions; what they come to is in `ocpp::charging`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

mod capability;

pub use capability::{Capability, capability};

use crate::{Result, Scoped, ids};

/// What decides how profiles stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// 0: the charge point as a whole; `None`: that of a transaction which is still to begin.
    pub connector: Option<i32>,
    /// The chargingProfileId.
    pub number: i32,
    /// The higher one leads.
    pub stack_level: i32,
    /// ChargePointMaxProfile, TxDefaultProfile, TxProfile.
    pub purpose: String,
    /// The transactionId that a TxProfile is for.
    pub transaction_number: Option<i64>,
}

impl Place {
    /// Whether a station that accepts `self` drops `old`: the same id, or the same place in the stack.
    pub fn replaces(&self, old: &Place) -> bool {
        let same_stack = self.connector == old.connector
            && self.stack_level == old.stack_level
            && self.purpose == old.purpose
            && self.transaction_number == old.transaction_number;
        self.number == old.number || same_stack
    }
}

/// Which profiles a ClearChargingProfile names: those that fit all that is given; nothing given means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The chargingProfileId.
    pub number: Option<i64>,
    /// 0: those of the charge point as a whole.
    pub connector: Option<i64>,
    /// ChargePointMaxProfile, TxDefaultProfile, TxProfile.
    pub purpose: Option<String>,
    /// The stack level.
    pub stack_level: Option<i64>,
}

impl Criteria {
    /// Whether the profile is among them.
    pub fn fits(&self, place: &Place) -> bool {
        let is = |wanted: Option<i64>, value: Option<i32>| {
            wanted.is_none_or(|wanted| value.map(i64::from) == Some(wanted))
        };
        is(self.number, Some(place.number))
            && is(self.connector, place.connector)
            && is(self.stack_level, Some(place.stack_level))
            && self
                .purpose
                .as_ref()
                .is_none_or(|purpose| *purpose == place.purpose)
    }
}

/// A profile as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where it stands.
    pub place: Place,
    /// Absolute, Recurring, Relative.
    pub kind: String,
    /// Whose transaction it waits for (RemoteStart).
    pub awaits: Option<String>,
    /// csChargingProfiles as JSON text.
    pub profile: String,
    /// `A` or `W`.
    pub unit: String,
}

/// A profile that holds, or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub place: Place,
    /// Absolute, Recurring, Relative.
    pub kind: String,
    /// Whose transaction it waits for.
    pub awaits: Option<String>,
    /// The session that it is for.
    pub transaction_id: Option<Uuid>,
    /// When that began.
    pub transaction_started_at: Option<DateTime<Utc>>,
    /// csChargingProfiles as JSON text.
    pub profile: String,
    /// When it was accepted.
    pub set_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// cleared, replaced, transaction.
    pub ended_why: Option<String>,
}

/// The station accepted a profile.
pub async fn set(
    db: &mut PgConnection,
    station_id: Uuid,
    command_id: Uuid,
    sent: &Sent,
    now: DateTime<Utc>,
) -> Result<()> {
    let old = live_places(db, station_id).await?;
    let replaced = old.iter().filter(|(_, place)| sent.place.replaces(place));
    let replaced: Vec<Uuid> = replaced.map(|(id, _)| *id).collect();
    end(db, &replaced, "replaced", now).await?;
    // A TxProfile without a transactionId is for the one that runs on its connector.
    sqlx::query!(
        "insert into charging_profiles (id, station_id, connector, number, stack_level, purpose, kind, transaction_number,
           transaction_id, awaits, profile, set_at, command_id)
         select $1, $2, $3, $4, $5, $6, $7, coalesce($8, x.number), x.id, $9, $10, $11, $12
         from (select 1) as one left join lateral (
           select id, number from transactions
           where $6 = 'TxProfile' and $9::text is null and station_id = $2
             and case when $8::bigint is null then connector = $3 and stopped_at is null else number = $8 end
           order by started_at desc limit 1) x on true",
        ids::new_id(now),
        station_id,
        sent.place.connector,
        sent.place.number,
        sent.place.stack_level,
        sent.place.purpose,
        sent.kind,
        sent.place.transaction_number,
        sent.awaits,
        sent.profile,
        now,
        command_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station cleared profiles: exactly those that fit are gone.
pub async fn clear(
    db: &mut PgConnection,
    station_id: Uuid,
    criteria: &Criteria,
    now: DateTime<Utc>,
) -> Result<()> {
    let live = live_places(db, station_id).await?;
    let gone = live.iter().filter(|(_, place)| criteria.fits(place));
    let gone: Vec<Uuid> = gone.map(|(id, _)| *id).collect();
    end(db, &gone, "cleared", now).await
}

async fn live_places(db: &mut PgConnection, station_id: Uuid) -> Result<Vec<(Uuid, Place)>> {
    Ok(sqlx::query!(
        "select id, connector, number, stack_level, purpose, transaction_number
         from charging_profiles where station_id = $1 and ended_at is null for update",
        station_id
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let place = Place {
            connector: row.connector,
            number: row.number,
            stack_level: row.stack_level,
            purpose: row.purpose,
            transaction_number: row.transaction_number,
        };
        (row.id, place)
    })
    .collect())
}

async fn end(db: &mut PgConnection, ids: &[Uuid], why: &str, now: DateTime<Utc>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update charging_profiles set ended_at = $2, ended_why = $3 where id = any ($1)",
        ids,
        now,
        why
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Follows transactions: profiles of a RemoteStart get the transaction that it led to, and those of ended transactions end.
pub async fn follow_transactions(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update charging_profiles p set
           transaction_id = x.id, transaction_number = x.number, connector = x.connector, awaits = null
         from charging_profiles q
         join lateral (
           select id, number, connector from transactions
           where station_id = q.station_id and start_received_at >= q.set_at and lower(id_token) = lower(q.awaits)
             and (q.connector is null or connector = q.connector)
           order by start_received_at limit 1) x on true
         where p.id = q.id and q.ended_at is null and q.awaits is not null",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update charging_profiles p set ended_at = x.stopped_at, ended_why = 'transaction'
         from transactions x
         where p.ended_at is null and p.transaction_id = x.id and x.stopped_at is not null"
    )
    .execute(&mut *db)
    .await?;
    // A RemoteStart that led to nothing: its profile waits for no later transaction.
    sqlx::query!(
        "update charging_profiles set ended_at = $1, ended_why = 'transaction'
         where ended_at is null and awaits is not null and set_at < $1::timestamptz - interval '1 hour'",
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a station said to a profile of some sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `A` or `W`.
    pub unit: String,
    /// It was for connector 0.
    pub whole: bool,
    /// Its stack level was above 0.
    pub stacked: bool,
    /// Accepted, Rejected, NotSupported.
    pub answer: String,
    /// How often.
    pub times: i64,
}

/// Counts an answer.
pub async fn note_answer(
    db: &mut PgConnection,
    station_id: Uuid,
    sent: &Sent,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into charging_profile_answers as a (station_id, unit, whole, stacked, answer, last_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (station_id, unit, whole, stacked, answer) do update set times = a.times + 1, last_at = excluded.last_at",
        station_id,
        sent.unit,
        sent.place.connector == Some(0),
        sent.place.stack_level > 0,
        answer,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the stations of this one's model said so far, those of the scope: what one takes, all take.
pub async fn answers(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Answer>> {
    answers_of_model(db, station_id).await
}

/// The same of all stations; the csms goes by it.
pub async fn answers_of_model(db: &mut PgConnection, station_id: Uuid) -> Result<Vec<Answer>> {
    Ok(sqlx::query_as!(
        Answer,
        r#"select a.unit, a.whole, a.stacked, a.answer, sum(a.times)::bigint as "times!"
           from stations me
           join stations s on s.id = me.id
             or (me.model <> '' and lower(s.model) = lower(me.model)
                 and lower(coalesce(s.vendor, '')) = lower(coalesce(me.vendor, '')))
           join charging_profile_answers a on a.station_id = s.id
           where me.id = $1
           group by a.unit, a.whole, a.stacked, a.answer order by a.unit, a.whole, a.stacked, a.answer"#,
        station_id
    )
    .fetch_all(db)
    .await?)
}

/// How a station feeds what charges there, as far as it said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fed {
    /// Its connectors, if it told of any.
    pub connectors: i64,
    /// From phase to neutral, mV: the latest reading.
    pub voltage_mv: Option<i32>,
    /// How many phases that reading was of.
    pub phases: i32,
}

/// What is known of a station's supply since `since`.
pub async fn fed(db: &mut PgConnection, station_id: Uuid, since: DateTime<Utc>) -> Result<Fed> {
    Ok(sqlx::query_as!(
        Fed,
        r#"select (select count(*) from connectors c where c.station_id = $1 and c.evse > 0) as "connectors!",
                  m.voltage_l1_mv as voltage_mv,
                  num_nonnulls(m.voltage_l1_mv, m.voltage_l2_mv, m.voltage_l3_mv) as "phases!"
           from (select) as one
           left join lateral (
             select voltage_l1_mv, voltage_l2_mv, voltage_l3_mv from meter_values
             where station_id = $1 and at >= $2 and voltage_l1_mv is not null order by at desc limit 1) as m on true"#,
        station_id,
        since
    )
    .fetch_one(db)
    .await?)
}

/// The profiles of a station: those that hold first, then the latest that ended, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    with_ended: bool,
    limit: i64,
) -> Result<Vec<Profile>> {
    let rows = sqlx::query!(
        r#"select p.id, p.connector, p.number, p.stack_level, p.purpose, p.kind, p.transaction_number, p.transaction_id,
                  p.awaits, p.profile, p.set_at, x.shown_at as "transaction_started_at?",
                  coalesce(p.ended_at, x.stopped_at) as ended_at,
                  case when p.ended_at is null and x.stopped_at is not null then 'transaction' else p.ended_why end as ended_why
           from charging_profiles p left join transactions x on x.id = p.transaction_id
           where p.station_id = $1 and ($2 or (p.ended_at is null and x.stopped_at is null))
           order by coalesce(p.ended_at, x.stopped_at) desc nulls first, p.connector, p.purpose, p.stack_level desc, p.id
           limit $3"#,
        station_id,
        with_ended,
        limit
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Profile {
            id: row.id,
            place: Place {
                connector: row.connector,
                number: row.number,
                stack_level: row.stack_level,
                purpose: row.purpose,
                transaction_number: row.transaction_number,
            },
            kind: row.kind,
            awaits: row.awaits,
            transaction_id: row.transaction_id,
            transaction_started_at: row.transaction_started_at,
            profile: row.profile,
            set_at: row.set_at,
            ended_at: row.ended_at,
            ended_why: row.ended_why,
        })
        .collect())
}

/// The transaction that runs at a connector, if any: its transactionId and when it began.
pub async fn running(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    connector: i32,
) -> Result<Option<(i64, DateTime<Utc>)>> {
    Ok(sqlx::query!(
        "select number, shown_at from transactions
         where station_id = $1 and connector = $2 and stopped_at is null order by started_at desc limit 1",
        station_id,
        connector
    )
    .fetch_optional(&mut **db)
    .await?
    .map(|row| (row.number, row.shown_at)))
}

/// A GetCompositeSchedule that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was asked, JSON text.
    pub payload: String,
    /// What the station answered, JSON text.
    pub answer: String,
    /// When.
    pub answered_at: DateTime<Utc>,
}

/// The last of a station's own composite schedules, the newest first.
pub async fn composites(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Asked>> {
    Ok(sqlx::query_as!(
        Asked,
        r#"select payload, answer as "answer!", answered_at as "answered_at!" from commands
           where station_id = $1 and action = 'GetCompositeSchedule' and status = 'answered'
             and answer is not null and answered_at is not null
           order by created_at desc, id desc limit 20"#,
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(
        connector: Option<i32>,
        number: i32,
        stack: i32,
        purpose: &str,
        tx: Option<i64>,
    ) -> Place {
        Place {
            connector,
            number,
            stack_level: stack,
            purpose: purpose.to_owned(),
            transaction_number: tx,
        }
    }

    #[test]
    fn a_profile_replaces_the_same_id_and_the_same_place_in_the_stack() {
        let old = place(Some(1), 7, 0, "TxDefaultProfile", None);
        for (new, replaces) in [
            (place(Some(2), 7, 3, "TxProfile", Some(9)), true),
            (place(Some(1), 8, 0, "TxDefaultProfile", None), true),
            (place(Some(1), 8, 1, "TxDefaultProfile", None), false),
            (place(Some(0), 8, 0, "TxDefaultProfile", None), false),
            (place(Some(1), 8, 0, "TxProfile", None), false),
        ] {
            assert_eq!(new.replaces(&old), replaces, "{new:?}");
        }
        let running = place(Some(1), 7, 0, "TxProfile", Some(9));
        assert!(!place(Some(1), 8, 0, "TxProfile", Some(10)).replaces(&running));
    }

    #[test]
    fn clearing_takes_exactly_what_fits_all_that_is_given() {
        let all = [
            place(Some(0), 1, 0, "ChargePointMaxProfile", None),
            place(Some(1), 2, 0, "TxDefaultProfile", None),
            place(Some(1), 3, 1, "TxProfile", Some(5)),
            place(None, 4, 1, "TxProfile", None),
        ];
        let cleared = |criteria: Criteria| -> Vec<i32> {
            all.iter()
                .filter(|place| criteria.fits(place))
                .map(|place| place.number)
                .collect()
        };
        let none = Criteria::default;
        assert_eq!(cleared(none()), [1, 2, 3, 4], "nothing given means all");
        assert_eq!(
            cleared(Criteria {
                number: Some(2),
                ..none()
            }),
            [2]
        );
        assert_eq!(
            cleared(Criteria {
                number: Some(9),
                ..none()
            }),
            [0; 0]
        );
        assert_eq!(
            cleared(Criteria {
                connector: Some(0),
                ..none()
            }),
            [1]
        );
        assert_eq!(
            cleared(Criteria {
                connector: Some(1),
                ..none()
            }),
            [2, 3]
        );
        assert_eq!(
            cleared(Criteria {
                stack_level: Some(1),
                ..none()
            }),
            [3, 4]
        );
        let tx = Some("TxProfile".to_owned());
        assert_eq!(
            cleared(Criteria {
                purpose: tx.clone(),
                ..none()
            }),
            [3, 4]
        );
        assert_eq!(
            cleared(Criteria {
                purpose: tx,
                connector: Some(1),
                stack_level: Some(1),
                number: None
            }),
            [3]
        );
        assert_eq!(
            cleared(Criteria {
                number: Some(2),
                connector: Some(2),
                ..none()
            }),
            [0; 0],
            "the id alone is not enough where more is given"
        );
    }
}
