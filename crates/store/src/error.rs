//! What can go wrong between a query and its caller. Nothing here knows of HTTP or OCPP.

/// The result of every query.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be asked, or gave up; see [`Error::is_retryable`].
    #[error(transparent)]
    Database(sqlx::Error),
    /// The connection broke while committing: nobody knows whether the work was kept.
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(sqlx::Error),
    /// A named constraint refused the row; the name says which rule.
    #[error("the row breaks {0}")]
    Conflict(String),
    /// A scope was opened as a role that sees every row whatever the scope.
    #[error("row policies do not bind this pool's role; a scope takes one of Room::Portal")]
    Unbound,
    /// A stored value that no code of ours could have written.
    #[error("{table}.{column} of {row} holds {value:?}")]
    Corrupt {
        /// Where it stands.
        table: &'static str,
        /// In which column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What was found.
        value: String,
    },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error
            .as_database_error()
            .and_then(|database| database.constraint())
        {
            Some(name) => Error::Conflict(name.to_owned()),
            None => Error::Database(error),
        }
    }
}

impl Error {
    /// What an error of COMMIT means: an answer of the database is a plain no, anything else leaves it open. So does an
    /// answer with which it ends the connection: it may have been told to end just after it had committed.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|database| database.code());
        if code.is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08")) {
            error.into()
        } else {
            Error::Unknown(error)
        }
    }

    /// Whether the same work may succeed a moment later: deadlock, serialization, too many connections, shutdown, crash,
    /// time-out, a socket that broke. Everything else is the data's fault.
    pub fn is_retryable(&self) -> bool {
        let Error::Database(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Database(database) => {
                database.code().is_some_and(|code| is_retryable_code(&code))
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        }
    }

    /// Whether a row is of a time that its table has no partition for.
    pub(crate) fn is_no_partition(&self) -> bool {
        let Error::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // A check violation of no constraint is the table's own.
        error.code().is_some_and(|code| code == "23514")
    }

    /// Whether the named constraint refused the row.
    pub fn is_conflict(&self, constraint: &str) -> bool {
        matches!(self, Error::Conflict(name) if name == constraint)
    }
}

/// The SQLSTATEs of spec fault-plan R07.
fn is_retryable_code(code: &str) -> bool {
    matches!(
        code,
        "40001" | "40P01" | "57014" | "25P02" | "25006" | "55P03"
    ) || ["08", "53", "57P", "58", "XX"]
        .iter()
        .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_another_try() {
        for code in [
            "40001", "40P01", "53300", "53100", "57P01", "57P03", "57014", "08006",
        ] {
            assert!(is_retryable_code(code), "{code}");
        }
        for code in ["22021", "22003", "23505", "23514", "42P01"] {
            assert!(!is_retryable_code(code), "{code}");
        }
    }
}
