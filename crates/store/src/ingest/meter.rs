//! Wide meter values: one row per station, EVSE, connector, charger time and context, filled column by column.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;
use crate::copy::{self, Encoder, by_partition, partition_of};

/// What a meter said at one instant. Units are those of the columns' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterRow {
    /// The station.
    pub station_id: Uuid,
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// 1.6: the connectorId; 0 is the station's main meter.
    pub evse: i32,
    /// 1.6: always 1, but for connectorId 0.
    pub connector: i32,
    /// One of the type `reading_context`.
    pub context: &'static str,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// The charger's clock is so far off that no partition can be relied on to hold the row.
    pub odd: bool,
    /// The transaction, if it is known.
    pub transaction_id: Option<Uuid>,
    /// The import register, Wh.
    pub energy_wh: Option<i64>,
    /// Import power, W.
    pub power_w: Option<i32>,
    /// Current of each phase, mA.
    pub current_ma: [Option<i32>; 3],
    /// Voltage of each phase, mV.
    pub voltage_mv: [Option<i32>; 3],
    /// State of charge, per mille.
    pub soc_pm: Option<i16>,
    /// Temperature, tenths of a degree Celsius.
    pub temperature_dc: Option<i16>,
    /// Power offered, W.
    pub offered_w: Option<i32>,
    /// Current offered, mA.
    pub offered_ma: Option<i32>,
    /// Readings with no column of their own, JSON text.
    pub rest: Option<String>,
    /// What was mended: `kwh_as_wh`, …
    pub flags: Option<Vec<String>>,
}

/// The statement for one of the two tables. A second message fills columns that are still empty; where it contradicts a
/// filled one, the first value stands, the second goes to `rest`, and the row is flagged. A row that says nothing new is
/// not touched. (`do nothing` would lose a measurand sent in a second message of the same instant.)
macro_rules! upsert_into {
    ($table:literal) => {
        concat!(
            "insert into ", $table, " as t (
               station_id, at, evse, connector, context, received_at, transaction_id, energy_wh, power_w,
               current_l1_ma, current_l2_ma, current_l3_ma, voltage_l1_mv, voltage_l2_mv, voltage_l3_mv,
               soc_pm, temperature_dc, offered_w, offered_ma, rest, flags)
             select station_id, at, evse, connector, context::reading_context, received_at, transaction_id, energy_wh,
               power_w, c1, c2, c3, v1, v2, v3, soc_pm, temperature_dc, offered_w, offered_ma, rest,
               string_to_array(flags, ',')
             from unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::integer[], $5::text[], $6::timestamptz[],
               $7::uuid[], $8::bigint[], $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[],
               $14::integer[], $15::integer[], $16::smallint[], $17::smallint[], $18::integer[], $19::integer[],
               $20::text[], $21::text[])
               as said (station_id, at, evse, connector, context, received_at, transaction_id, energy_wh, power_w,
               c1, c2, c3, v1, v2, v3, soc_pm, temperature_dc, offered_w, offered_ma, rest, flags)
             on conflict (station_id, at, evse, connector, context) do update set
               transaction_id = coalesce(t.transaction_id, excluded.transaction_id),
               energy_wh = coalesce(t.energy_wh, excluded.energy_wh),
               power_w = coalesce(t.power_w, excluded.power_w),
               current_l1_ma = coalesce(t.current_l1_ma, excluded.current_l1_ma),
               current_l2_ma = coalesce(t.current_l2_ma, excluded.current_l2_ma),
               current_l3_ma = coalesce(t.current_l3_ma, excluded.current_l3_ma),
               voltage_l1_mv = coalesce(t.voltage_l1_mv, excluded.voltage_l1_mv),
               voltage_l2_mv = coalesce(t.voltage_l2_mv, excluded.voltage_l2_mv),
               voltage_l3_mv = coalesce(t.voltage_l3_mv, excluded.voltage_l3_mv),
               soc_pm = coalesce(t.soc_pm, excluded.soc_pm),
               temperature_dc = coalesce(t.temperature_dc, excluded.temperature_dc),
               offered_w = coalesce(t.offered_w, excluded.offered_w),
               offered_ma = coalesce(t.offered_ma, excluded.offered_ma),
               rest = nullif(concat_ws(E'\\n', t.rest,
                 case when excluded.rest is distinct from t.rest then excluded.rest end,
                 nullif(concat_ws(' ',
                   'energy_wh=' || case when t.energy_wh <> excluded.energy_wh then excluded.energy_wh end,
                   'power_w=' || case when t.power_w <> excluded.power_w then excluded.power_w end,
                   'soc_pm=' || case when t.soc_pm <> excluded.soc_pm then excluded.soc_pm end,
                   'temperature_dc=' || case when t.temperature_dc <> excluded.temperature_dc then excluded.temperature_dc end,
                   'offered_w=' || case when t.offered_w <> excluded.offered_w then excluded.offered_w end,
                   'offered_ma=' || case when t.offered_ma <> excluded.offered_ma then excluded.offered_ma end,
                   'current_l1_ma=' || case when t.current_l1_ma <> excluded.current_l1_ma then excluded.current_l1_ma end,
                   'current_l2_ma=' || case when t.current_l2_ma <> excluded.current_l2_ma then excluded.current_l2_ma end,
                   'current_l3_ma=' || case when t.current_l3_ma <> excluded.current_l3_ma then excluded.current_l3_ma end,
                   'voltage_l1_mv=' || case when t.voltage_l1_mv <> excluded.voltage_l1_mv then excluded.voltage_l1_mv end,
                   'voltage_l2_mv=' || case when t.voltage_l2_mv <> excluded.voltage_l2_mv then excluded.voltage_l2_mv end,
                   'voltage_l3_mv=' || case when t.voltage_l3_mv <> excluded.voltage_l3_mv then excluded.voltage_l3_mv end
                 ), '')), ''),
               flags = case when t.energy_wh <> excluded.energy_wh or t.power_w <> excluded.power_w
                              or t.soc_pm <> excluded.soc_pm or t.temperature_dc <> excluded.temperature_dc
                              or t.offered_w <> excluded.offered_w or t.offered_ma <> excluded.offered_ma
                              or t.current_l1_ma <> excluded.current_l1_ma or t.current_l2_ma <> excluded.current_l2_ma
                              or t.current_l3_ma <> excluded.current_l3_ma or t.voltage_l1_mv <> excluded.voltage_l1_mv
                              or t.voltage_l2_mv <> excluded.voltage_l2_mv or t.voltage_l3_mv <> excluded.voltage_l3_mv
                            then array_append(array_remove(t.flags, 'contradicted'), 'contradicted')
                            else coalesce(t.flags, excluded.flags) end
             where (t.energy_wh, t.power_w, t.current_l1_ma, t.current_l2_ma, t.current_l3_ma, t.voltage_l1_mv,
                    t.voltage_l2_mv, t.voltage_l3_mv, t.soc_pm, t.temperature_dc, t.offered_w, t.offered_ma, t.rest)
               is distinct from
                   (excluded.energy_wh, excluded.power_w, excluded.current_l1_ma, excluded.current_l2_ma,
                    excluded.current_l3_ma, excluded.voltage_l1_mv, excluded.voltage_l2_mv, excluded.voltage_l3_mv,
                    excluded.soc_pm, excluded.temperature_dc, excluded.offered_w, excluded.offered_ma, excluded.rest)
               or (t.transaction_id is null and excluded.transaction_id is not null)"
        )
    };
}

/// Writes rows that are most likely not there yet, those of believable time; it is an error if one is. Answers the rest.
pub(super) async fn copy<'r>(
    db: &mut PgConnection,
    rows: &[&'r MeterRow],
) -> Result<Vec<&'r MeterRow>> {
    let (odd, mut even): (Vec<&MeterRow>, Vec<&MeterRow>) =
        rows.iter().copied().partition(|row| row.odd);
    sort(&mut even);
    for (partition, rows) in by_partition("meter_values", &even, |row| row.at) {
        copy::copy(db, &partition, COLUMNS, &rows, encode).await?;
    }
    Ok(odd)
}

const COLUMNS: &[&str] = &[
    "station_id",
    "at",
    "evse",
    "connector",
    "context",
    "received_at",
    "transaction_id",
    "energy_wh",
    "power_w",
    "current_l1_ma",
    "current_l2_ma",
    "current_l3_ma",
    "voltage_l1_mv",
    "voltage_l2_mv",
    "voltage_l3_mv",
    "soc_pm",
    "temperature_dc",
    "offered_w",
    "offered_ma",
    "rest",
    "flags",
];

fn encode(out: &mut Encoder, row: &MeterRow) -> Result<()> {
    out.value(row.station_id)?
        .value(row.at)?
        .value(row.evse)?
        .value(row.connector)?
        .value(row.context)?
        .value(row.received_at)?
        .value(row.transaction_id)?
        .value(row.energy_wh)?
        .value(row.power_w)?
        .value(row.current_ma[0])?
        .value(row.current_ma[1])?
        .value(row.current_ma[2])?
        .value(row.voltage_mv[0])?
        .value(row.voltage_mv[1])?
        .value(row.voltage_mv[2])?
        .value(row.soc_pm)?
        .value(row.temperature_dc)?
        .value(row.offered_w)?
        .value(row.offered_ma)?
        .value(row.rest.as_deref())?
        .value(row.flags.as_ref())?;
    Ok(())
}

/// Always in the order of the key: two lanes can never wait for each other.
fn sort(rows: &mut [&MeterRow]) {
    rows.sort_unstable_by_key(|row| (row.station_id, row.at, row.evse, row.connector, row.context));
}

/// Writes the rows, those of believable time and the odd ones each to their table. Where `partitions` are told, what has
/// none among them is odd too: it is kept all the same, and spoils nothing of what it came with.
pub(super) async fn upsert(
    db: &mut PgConnection,
    rows: &[&MeterRow],
    partitions: Option<&HashSet<String>>,
) -> Result<()> {
    let has_none = |row: &MeterRow| {
        partitions.is_some_and(|known| !known.contains(&partition_of("meter_values", row.at)))
    };
    let (odd, even): (Vec<&MeterRow>, Vec<&MeterRow>) = rows
        .iter()
        .copied()
        .partition(|row| row.odd || has_none(row));
    upsert_rows(db, upsert_into!("meter_values"), even).await?;
    upsert_rows(db, upsert_into!("meter_values_odd"), odd).await
}

async fn upsert_rows(
    db: &mut PgConnection,
    statement: &'static str,
    mut rows: Vec<&MeterRow>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sort(&mut rows);
    fn column<T>(rows: &[&MeterRow], of: impl Fn(&MeterRow) -> T) -> Vec<T> {
        rows.iter().map(|row| of(row)).collect()
    }
    sqlx::query(statement)
        .bind(column(&rows, |row| row.station_id))
        .bind(column(&rows, |row| row.at))
        .bind(column(&rows, |row| row.evse))
        .bind(column(&rows, |row| row.connector))
        .bind(column(&rows, |row| row.context))
        .bind(column(&rows, |row| row.received_at))
        .bind(column(&rows, |row| row.transaction_id))
        .bind(column(&rows, |row| row.energy_wh))
        .bind(column(&rows, |row| row.power_w))
        .bind(column(&rows, |row| row.current_ma[0]))
        .bind(column(&rows, |row| row.current_ma[1]))
        .bind(column(&rows, |row| row.current_ma[2]))
        .bind(column(&rows, |row| row.voltage_mv[0]))
        .bind(column(&rows, |row| row.voltage_mv[1]))
        .bind(column(&rows, |row| row.voltage_mv[2]))
        .bind(column(&rows, |row| row.soc_pm))
        .bind(column(&rows, |row| row.temperature_dc))
        .bind(column(&rows, |row| row.offered_w))
        .bind(column(&rows, |row| row.offered_ma))
        .bind(column(&rows, |row| row.rest.clone()))
        .bind(column(&rows, |row| {
            row.flags.as_ref().map(|flags| flags.join(","))
        }))
        .execute(db)
        .await?;
    Ok(())
}
