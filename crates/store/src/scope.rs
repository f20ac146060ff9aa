//! Whose rows a reader may see. No read of site-bound rows compiles without a [`Scoped`] transaction.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, PgTransaction};
use uuid::Uuid;

use crate::{Error, Pool, Result};

/// The sites that a reader may see. The default is nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Every site, and what belongs to none: admins, the command line.
    All,
    /// These sites only.
    Sites(Vec<Uuid>),
    /// Nothing.
    #[default]
    Nothing,
}

impl Scope {
    /// Opens a read of this scope. Postgres itself is told, so that a query that forgets the scope finds no rows.
    ///
    /// # Errors
    /// [`Error::Unbound`] for anything less than [`Scope::All`] on a pool whose role the row policies do not bind: it
    /// would be shown everything.
    pub async fn begin<'p>(&self, pool: &'p Pool) -> Result<Scoped<'p>> {
        let mut transaction = pool.begin().await?;
        let bound = sqlx::query_scalar!(
            r#"select row_security_active('stations') as "bound!" from set_config('forecourt.sites', $1, true)"#,
            self.setting()
        )
        .fetch_one(&mut *transaction)
        .await?;
        if !bound && *self != Scope::All {
            return Err(Error::Unbound);
        }
        Ok(Scoped { transaction })
    }

    /// Whether a row of `site` may be seen; a row of no site is for [`Scope::All`] alone.
    pub fn allows(&self, site: Option<Uuid>) -> bool {
        match (self, site) {
            (Scope::All, _) => true,
            (Scope::Sites(sites), Some(site)) => sites.contains(&site),
            _ => false,
        }
    }

    /// The value of `forecourt.sites`, as the row policies read it.
    fn setting(&self) -> String {
        match self {
            Scope::All => "*".to_owned(),
            Scope::Sites(sites) => sites
                .iter()
                .map(Uuid::to_string)
                .collect::<Vec<_>>()
                .join(","),
            Scope::Nothing => String::new(),
        }
    }
}

/// A transaction in which Postgres shows the rows of one [`Scope`] only. Dropping it undoes what was not committed.
pub struct Scoped<'p> {
    transaction: PgTransaction<'p>,
}

impl Scoped<'_> {
    /// Keeps what was written.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Scoped<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Scoped<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sees_nothing() {
        let site = Uuid::from_u128(1);
        assert!(!Scope::default().allows(Some(site)));
        assert!(!Scope::Sites(vec![site]).allows(None));
        assert!(!Scope::Sites(vec![site]).allows(Some(Uuid::from_u128(2))));
        assert!(Scope::Sites(vec![site]).allows(Some(site)));
        assert!(Scope::All.allows(None));
    }
}
