//! The durable floor of `make bench`: what the least possible server must do to keep what stations say. One narrow table,
//! one batched insert, no keys. It exists to be compared with, and is compiled for tests and benches only.

use sqlx::PgConnection;

use crate::Result;

/// One CALL.
#[derive(Debug, Clone)]
pub struct Row {
    /// The station's identity.
    pub station: String,
    /// The CALL's action.
    pub action: String,
    /// The CALL's payload.
    pub payload: String,
}

/// Makes the table.
pub async fn prepare(db: &mut PgConnection) -> Result<()> {
    sqlx::query("create table if not exists floor (at timestamptz not null default now(), station text, action text, payload text)")
        .execute(db)
        .await?;
    Ok(())
}

/// Writes the rows; they are durable when it returns.
pub async fn insert(db: &mut PgConnection, rows: &[Row]) -> Result<()> {
    let column =
        |of: fn(&Row) -> &String| rows.iter().map(|row| of(row).as_str()).collect::<Vec<_>>();
    sqlx::query("insert into floor (station, action, payload) select * from unnest($1::text[], $2::text[], $3::text[])")
        .bind(column(|row| &row.station))
        .bind(column(|row| &row.action))
        .bind(column(|row| &row.payload))
        .execute(db)
        .await?;
    Ok(())
}
