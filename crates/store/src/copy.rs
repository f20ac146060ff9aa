//! COPY in Postgres's binary format: many rows of one kind at a third of what an INSERT costs.
//!
//! COPY takes no ON CONFLICT and no relation with row policies of its own. It writes to partitions, by their own names:
//! the policies are on their parents, and people's role has no rights on a partition.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use sqlx::encode::IsNull;
use sqlx::postgres::{PgArgumentBuffer, Postgres};
use sqlx::{Encode, PgConnection};

use crate::Result;

/// What a binary COPY begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// And ends with.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// So many bytes are sent at once.
const PIECE: usize = 64 * 1024;

/// Encoded rows that are not sent yet.
pub(crate) struct Encoder(PgArgumentBuffer);

impl Encoder {
    /// The row's next value.
    pub(crate) fn value<'q, T: Encode<'q, Postgres>>(&mut self, value: T) -> Result<&mut Self> {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        let null = value
            .encode_by_ref(&mut self.0)
            .map_err(sqlx::Error::Encode)?;
        let length = match null {
            IsNull::Yes => -1,
            IsNull::No => i32::try_from(self.0.len() - start - 4)
                .map_err(|error| sqlx::Error::Encode(error.into()))?,
        };
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(self)
    }
}

/// Writes rows to a partition; `encode` gives each row a value for each of `columns`, in their order. If this is dropped
/// before it returns, the connection is of no more use.
pub(crate) async fn copy<T: Sync>(
    db: &mut PgConnection,
    partition: &str,
    columns: &'static [&'static str],
    rows: &[&T],
    encode: fn(&mut Encoder, &T) -> Result<()>,
) -> Result<()> {
    let count = i16::try_from(columns.len()).expect("tables have few columns");
    let columns = columns.join(", ");
    let statement = format!("copy {partition} ({columns}) from stdin with (format binary)");
    let mut copy = db.copy_in_raw(&statement).await?;
    let mut encoder = Encoder(PgArgumentBuffer::default());
    encoder.0.reserve(PIECE + PIECE / 8);
    encoder.0.extend_from_slice(HEADER);
    for row in rows {
        encoder.0.extend_from_slice(&count.to_be_bytes());
        if let Err(error) = encode(&mut encoder, row) {
            copy.abort("a value cannot be encoded").await?;
            return Err(error);
        }
        if encoder.0.len() >= PIECE {
            copy.send(&encoder.0[..]).await?;
            encoder.0.clear();
        }
    }
    encoder.0.extend_from_slice(&TRAILER);
    copy.send(&encoder.0[..]).await?;
    copy.finish().await?;
    Ok(())
}

/// Rows by the partition of `parent` that each belongs to; `at` is what it is partitioned by.
pub(crate) fn by_partition<'r, T>(
    parent: &str,
    rows: &[&'r T],
    at: fn(&T) -> DateTime<Utc>,
) -> Vec<(String, Vec<&'r T>)> {
    let mut partitions: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for row in rows {
        let partition = partition_of(parent, at(row));
        partitions.entry(partition).or_default().push(row);
    }
    partitions.into_iter().collect()
}

/// The partition of `parent` for a row of this time, whether it is there or not.
pub(crate) fn partition_of(parent: &str, at: DateTime<Utc>) -> String {
    format!("{parent}_{:04}_{:02}", at.year(), at.month())
}
