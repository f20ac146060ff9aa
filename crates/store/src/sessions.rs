//! Charging sessions as people and programs read them: lists, totals over a filter, one session with its curve.
//! They are written in `ingest`, with their transactions.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Error, Result, Scoped};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It charges, or its stop has not come yet.
    Active,
    /// It has ended.
    Ended,
    /// A stop came for a transaction that nobody knows; an operator decides.
    Orphan,
}

impl State {
    /// Every state.
    pub const ALL: [State; 3] = [State::Active, State::Ended, State::Orphan];

    /// As stored, as the API says it, as it stands in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Ended => "ended",
            State::Orphan => "orphan",
        }
    }

    /// The reverse of [`State::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A charging session. While it is active its figures are those of the last meter value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id; that of its transaction too.
    pub id: Uuid,
    /// The transactionId that the station was given; none if a person entered the session.
    pub transaction_id: Option<i64>,
    /// The station's id.
    pub station_id: Option<Uuid>,
    /// The station's identity.
    pub station: Option<String>,
    /// The site at its start; moving a station moves no history.
    pub site_id: Option<Uuid>,
    /// That site's name.
    pub site: Option<String>,
    /// IANA name of the zone in which its times are shown.
    pub time_zone: Option<String>,
    /// 1.6: the connectorId.
    pub evse: i32,
    /// 1.6: the connectorId too.
    pub connector: i32,
    /// Verbatim; empty if the station named none.
    pub id_token: String,
    /// Where it stands.
    pub state: State,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The charger's time.
    pub ended_at: Option<DateTime<Utc>>,
    /// Wh since the start.
    pub energy_wh: Option<i64>,
    /// W, the highest sample.
    pub max_power_w: Option<i32>,
    /// Per mille, first believable reading.
    pub soc_start_pm: Option<i16>,
    /// Per mille, last reading.
    pub soc_end_pm: Option<i16>,
    /// W, the last sample; of active sessions only.
    pub power_w: Option<i32>,
    /// The charger's time of the last meter value; of active sessions only.
    pub sampled_at: Option<DateTime<Utc>>,
    /// Verbatim; none if the station gave none (which means Local) or it has not stopped.
    pub stop_reason: Option<String>,
    /// What is odd about it: `invalid_token`, `meter_ran_backwards`, …
    pub flags: Vec<String>,
}

impl Session {
    /// How long it took, or has taken until `now`.
    pub fn duration(&self, now: DateTime<Utc>) -> chrono::TimeDelta {
        self.ended_at.unwrap_or(now) - self.started_at
    }
}

/// Which sessions; the empty filter is every session of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Started at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Started before this instant.
    pub to: Option<DateTime<Utc>>,
    /// At one of these stations: identities in any case. Empty: at any.
    pub stations: Vec<String>,
    /// At this site.
    pub site_id: Option<Uuid>,
    /// In this state.
    pub state: Option<State>,
    /// Only those that wait for a person before they are billed.
    pub held: bool,
    /// Of this id token, whatever the case.
    pub id_token: Option<String>,
}

impl Filter {
    /// Identities as they are compared; none if any station will do.
    pub(crate) fn identities(&self) -> Option<Vec<String>> {
        (!self.stations.is_empty()).then(|| {
            self.stations
                .iter()
                .map(|station| station.to_lowercase())
                .collect()
        })
    }

    pub(crate) fn state(&self) -> Option<&'static str> {
        self.state.map(State::as_str)
    }
}

impl From<&Session> for Cursor {
    fn from(session: &Session) -> Self {
        Cursor {
            at: session.started_at,
            id: session.id,
        }
    }
}

/// Sums over every session of a filter, not over one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub count: i64,
    /// Wh of those whose energy is known.
    pub energy_wh: i64,
    /// Seconds, of those that have ended.
    pub average_duration_s: Option<i64>,
}

/// One session as the database has it.
struct Row {
    id: Uuid,
    number: Option<i64>,
    station_id: Option<Uuid>,
    station: Option<String>,
    site_id: Option<Uuid>,
    site: Option<String>,
    time_zone: Option<String>,
    evse: i32,
    connector: i32,
    id_token: String,
    state: String,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    energy_wh: Option<i64>,
    max_power_w: Option<i32>,
    soc_start_pm: Option<i16>,
    soc_end_pm: Option<i16>,
    power_w: Option<i32>,
    sampled_at: Option<DateTime<Utc>>,
    stop_reason: Option<String>,
    flags: Vec<String>,
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = State::parse(&row.state).ok_or_else(|| Error::Corrupt {
            table: "charging_sessions",
            column: "state",
            row: row.id.to_string(),
            value: row.state.clone(),
        })?;
        Ok(Session {
            id: row.id,
            transaction_id: row.number,
            station_id: row.station_id,
            station: row.station,
            site_id: row.site_id,
            site: row.site,
            time_zone: row.time_zone,
            evse: row.evse,
            connector: row.connector,
            id_token: row.id_token,
            state,
            started_at: row.started_at,
            ended_at: row.ended_at,
            energy_wh: row.energy_wh,
            max_power_w: row.max_power_w,
            soc_start_pm: row.soc_start_pm,
            soc_end_pm: row.soc_end_pm,
            power_w: row.power_w,
            sampled_at: row.sampled_at,
            stop_reason: row.stop_reason,
            flags: row.flags,
        })
    }
}

/// The sessions of the filter after `after`, newest first, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Session>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id as "id!", number, station_id, station as "station?", site_id, site as "site?",
                  time_zone as "time_zone?", evse as "evse!", connector as "connector!", id_token as "id_token!",
                  state as "state!", started_at as "started_at!", ended_at, energy_wh, max_power_w, soc_start_pm,
                  soc_end_pm, power_w, sampled_at, stop_reason, flags as "flags!"
           from sessions_as_read
           where started_at >= coalesce($1::timestamptz, '-infinity') and started_at < coalesce($2::timestamptz, 'infinity')
             and ($3::text[] is null
                  or station_id = any (array(select id from stations where lower(identity) = any ($3))))
             and ($4::uuid is null or site_id = $4)
             and ($5::text is null or state = $5)
             and (not $9 or id in (select session_id from held_sessions))
             and ($10::text is null or lower(id_token) = lower($10))
             and (started_at, id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by started_at desc, id desc limit $8"#,
        filter.from,
        filter.to,
        filter.identities() as Option<Vec<String>>,
        filter.site_id,
        filter.state(),
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit,
        filter.held,
        filter.id_token
    )
    .fetch_all(&mut **db)
    .await?;
    rows.into_iter().map(Session::try_from).collect()
}

/// Sums over every session of the filter.
pub async fn totals(db: &mut Scoped<'_>, filter: &Filter) -> Result<Totals> {
    Ok(sqlx::query_as!(
        Totals,
        r#"select count(*) as "count!", coalesce(sum(energy_wh), 0)::bigint as "energy_wh!",
                  round(extract(epoch from avg(ended_at - started_at) filter (where state = 'ended')))::bigint
                    as average_duration_s
           from sessions_as_read
           where started_at >= coalesce($1::timestamptz, '-infinity') and started_at < coalesce($2::timestamptz, 'infinity')
             and ($3::text[] is null
                  or station_id = any (array(select id from stations where lower(identity) = any ($3))))
             and ($4::uuid is null or site_id = $4)
             and ($5::text is null or state = $5)
             and (not $6 or id in (select session_id from held_sessions))
             and ($7::text is null or lower(id_token) = lower($7))"#,
        filter.from,
        filter.to,
        filter.identities() as Option<Vec<String>>,
        filter.site_id,
        filter.state(),
        filter.held,
        filter.id_token
    )
    .fetch_one(&mut **db)
    .await?)
}

/// One session of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Session>> {
    sqlx::query_as!(
        Row,
        r#"select id as "id!", number, station_id, station as "station?", site_id, site as "site?",
                  time_zone as "time_zone?", evse as "evse!", connector as "connector!", id_token as "id_token!",
                  state as "state!", started_at as "started_at!", ended_at, energy_wh, max_power_w, soc_start_pm,
                  soc_end_pm, power_w, sampled_at, stop_reason, flags as "flags!"
           from sessions_as_read where id = $1"#,
        id
    )
    .fetch_optional(&mut **db)
    .await?
    .map(Session::try_from)
    .transpose()
}

/// What the meter said at one instant of a session. Nothing is filled in: what was not measured is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// The import register, Wh: as said, not since the start.
    pub energy_wh: Option<i64>,
    /// W.
    pub power_w: Option<i32>,
    /// mA of each phase.
    pub current_ma: [Option<i32>; 3],
    /// mV of each phase.
    pub voltage_mv: [Option<i32>; 3],
    /// Per mille.
    pub soc_pm: Option<i16>,
    /// W that the station offered.
    pub offered_w: Option<i32>,
    /// mA that the station offered.
    pub offered_ma: Option<i32>,
}

impl Sample {
    /// The current of the phase that carries most, mA.
    pub fn highest_current_ma(&self) -> Option<i32> {
        self.current_ma.into_iter().flatten().max()
    }

    /// The mean voltage of the phases, mV. Where none was said it follows from power and current, if those are large
    /// enough to tell and the result is a voltage that chargers have (spec portal 1.4, 10).
    pub fn mean_voltage_mv(&self) -> Option<i32> {
        let said: Vec<i64> = self
            .voltage_mv
            .into_iter()
            .flatten()
            .map(i64::from)
            .collect();
        if let Ok(phases @ 1..) = i64::try_from(said.len()) {
            return i32::try_from(said.iter().sum::<i64>() / phases).ok();
        }
        let current_ma: i64 = self.current_ma.into_iter().flatten().map(i64::from).sum();
        let power_w = i64::from(self.power_w?);
        if current_ma <= 100 {
            return None;
        }
        let derived = power_w * 1_000_000 / current_ma;
        (50_000..=1_200_000)
            .contains(&derived)
            .then(|| i32::try_from(derived).ok())?
    }
}

/// The samples of a session in the order of the charger's time. Rows of one instant (of several contexts) are one sample.
pub async fn samples(db: &mut Scoped<'_>, session: &Session) -> Result<Vec<Sample>> {
    let Some(station_id) = session.station_id else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query!(
        r#"select at as "at!", max(energy_wh) as energy_wh, max(power_w) as power_w,
                  max(current_l1_ma) as c1, max(current_l2_ma) as c2, max(current_l3_ma) as c3,
                  max(voltage_l1_mv) as v1, max(voltage_l2_mv) as v2, max(voltage_l3_mv) as v3,
                  max(soc_pm) as soc_pm, max(offered_w) as offered_w, max(offered_ma) as offered_ma
           from (select * from meter_values
                 where station_id = $1 and transaction_id = $2
                   and at between $3::timestamptz - interval '1 day' and coalesce($4::timestamptz, 'infinity') + interval '1 day'
                 union all
                 select * from meter_values_odd where station_id = $1 and transaction_id = $2) said
           group by at order by at"#,
        station_id,
        session.id,
        session.started_at,
        session.ended_at
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Sample {
            at: row.at,
            energy_wh: row.energy_wh,
            power_w: row.power_w,
            current_ma: [row.c1, row.c2, row.c3],
            voltage_mv: [row.v1, row.v2, row.v3],
            soc_pm: row.soc_pm,
            offered_w: row.offered_w,
            offered_ma: row.offered_ma,
        })
        .collect())
}

/// Something that happened in the course of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// The charger's time; ours where the charger has no say.
    pub at: DateTime<Utc>,
    /// What it was.
    pub what: What,
}

/// The kinds of [`Happening`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// StartTransaction.
    Started {
        /// The register, Wh.
        meter_wh: i64,
    },
    /// StopTransaction.
    Stopped {
        /// The register, Wh.
        meter_wh: i64,
        /// Verbatim.
        reason: Option<String>,
        /// Who stopped it, if not who started it.
        id_token: Option<String>,
    },
    /// A second stop, or one that fits no transaction: kept, never billed by itself.
    OddStop {
        /// The register, Wh.
        meter_wh: i64,
        /// `second_stop` or `unknown_transaction`.
        why: String,
    },
    /// The connector, or the station (connector 0), changed its state.
    Status {
        /// 1.6: the connectorId; 0 is the station itself.
        connector: i32,
        /// Verbatim.
        status: String,
        /// Verbatim.
        error_code: String,
        /// The charger's remark.
        info: Option<String>,
    },
    /// Somebody asked the station for something.
    Command {
        /// The command.
        id: Uuid,
        /// The OCPP action.
        action: String,
        /// How far it came.
        status: String,
    },
}

/// What happened in the course of a session, first to last, at most 500 lines: its start and stop, the states of its
/// connector from ten minutes before to ten minutes after, and the commands sent to the station in that time.
pub async fn happenings(db: &mut Scoped<'_>, session: &Session) -> Result<Vec<Happening>> {
    let mut found = Vec::new();
    if let Some(transaction) = sqlx::query!(
        "select started_at, meter_start_wh, stopped_at, meter_stop_wh, stop_reason, id_token, stop_id_token
         from transactions where id = $1",
        session.id
    )
    .fetch_optional(&mut **db)
    .await?
    {
        found.push(Happening {
            at: transaction.started_at,
            what: What::Started {
                meter_wh: transaction.meter_start_wh,
            },
        });
        if let (Some(at), Some(meter_wh)) = (transaction.stopped_at, transaction.meter_stop_wh) {
            found.push(Happening {
                at,
                what: What::Stopped {
                    meter_wh,
                    reason: transaction.stop_reason,
                    id_token: transaction
                        .stop_id_token
                        .filter(|token| !token.eq_ignore_ascii_case(&transaction.id_token)),
                },
            });
        }
    }
    let odd = sqlx::query!(
        "select stopped_at, meter_stop_wh, why from odd_stops where id = $1 or transaction_id = $1
         order by stopped_at limit 50",
        session.id
    )
    .fetch_all(&mut **db)
    .await?;
    found.extend(odd.into_iter().map(|row| Happening {
        at: row.stopped_at,
        what: What::OddStop {
            meter_wh: row.meter_stop_wh,
            why: row.why,
        },
    }));
    let statuses = sqlx::query!(
        "select at, evse, status, error_code, info from connector_history
         where station_id = $1 and evse in (0, $2)
           and received_at >= $3::timestamptz - interval '1 day'
           and at between $3::timestamptz - interval '10 minutes'
                      and coalesce($4::timestamptz, 'infinity') + interval '10 minutes'
         order by at limit 400",
        session.station_id,
        session.evse,
        session.started_at,
        session.ended_at
    )
    .fetch_all(&mut **db)
    .await?;
    found.extend(statuses.into_iter().map(|row| Happening {
        at: row.at,
        what: What::Status {
            connector: row.evse,
            status: row.status,
            error_code: row.error_code,
            info: row.info,
        },
    }));
    let commands = sqlx::query!(
        "select id, action, status, created_at from commands
         where station_id = $1 and created_at between $2::timestamptz - interval '10 minutes'
                      and coalesce($3::timestamptz, 'infinity') + interval '10 minutes'
         order by created_at limit 50",
        session.station_id,
        session.started_at,
        session.ended_at
    )
    .fetch_all(&mut **db)
    .await?;
    found.extend(commands.into_iter().map(|row| Happening {
        at: row.created_at,
        what: What::Command {
            id: row.id,
            action: row.action,
            status: row.status,
        },
    }));
    // Stable: of one instant, the start stands before what it caused.
    found.sort_by_key(|happening| happening.at);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(power_w: i32, current_ma: [Option<i32>; 3]) -> Sample {
        Sample {
            at: DateTime::UNIX_EPOCH,
            energy_wh: None,
            power_w: Some(power_w),
            current_ma,
            voltage_mv: [None; 3],
            soc_pm: None,
            offered_w: None,
            offered_ma: None,
        }
    }

    #[test]
    fn voltage_follows_from_power_and_current_only_where_that_makes_sense() {
        let dc = sample(50_000, [Some(125_000), None, None]);
        assert_eq!(dc.mean_voltage_mv(), Some(400_000));
        let three_phases = sample(11_040, [Some(16_000), Some(16_000), Some(16_000)]);
        assert_eq!(three_phases.mean_voltage_mv(), Some(230_000));
        assert_eq!(
            sample(50_000, [Some(100), None, None]).mean_voltage_mv(),
            None
        );
        assert_eq!(
            sample(50_000, [Some(10_000), None, None]).mean_voltage_mv(),
            None
        );
        let said = Sample {
            voltage_mv: [Some(229_000), Some(231_000), None],
            ..three_phases
        };
        assert_eq!(said.mean_voltage_mv(), Some(230_000));
    }
}
