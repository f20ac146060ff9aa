//! Postgres's binary COPY format, for tables without a natural key: the cheapest way to write many rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// Rows in the making. Call [`Rows::row`], then one `put` per column.
pub struct Rows {
    bytes: Vec<u8>,
    columns: i16,
}

impl Rows {
    /// Rows of so many columns.
    pub fn new(columns: i16) -> Self {
        // Signature, flags, length of the header extension.
        let mut bytes = b"PGCOPY\n\xff\r\n\0".to_vec();
        bytes.extend([0; 8]);
        Rows { bytes, columns }
    }

    /// Begins a row.
    pub fn row(&mut self) {
        self.bytes.extend(self.columns.to_be_bytes());
    }

    /// A column that has no value.
    pub fn null(&mut self) {
        self.bytes.extend((-1_i32).to_be_bytes());
    }

    /// A column of type text.
    pub fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// A column of type text that may be null.
    pub fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A column of type uuid.
    pub fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// A column of type timestamptz: microseconds since 2000-01-01.
    pub fn time(&mut self, value: DateTime<Utc>) {
        const SECONDS_TO_2000: i64 = 946_684_800;
        let micros = value.timestamp_micros() - SECONDS_TO_2000 * 1_000_000;
        self.field(&micros.to_be_bytes());
    }

    fn field(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).expect("a column of at most 2 GiB");
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
    }

    /// Runs `copy … from stdin (format binary)` with the rows.
    pub async fn copy_into(
        mut self,
        db: &mut PgConnection,
        statement: &'static str,
    ) -> Result<u64> {
        self.bytes.extend((-1_i16).to_be_bytes());
        let mut copy = db.copy_in_raw(statement).await?;
        copy.send(self.bytes).await?;
        Ok(copy.finish().await?)
    }
}
