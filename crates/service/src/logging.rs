//! Sets up the process's log: lines to standard error, for people or as JSON. Id tokens and addresses are never
//! logged in clear.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Begins to log. Later calls change nothing.
///
/// # Errors
/// When the filter (`LOG`) cannot be read.
pub fn init(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second subscriber is refused; the first one, a test's perhaps, stays.
    let _already = match log.format {
        LogFormat::Text => subscriber.finish().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_refused() {
        let log = |filter: &str| Log {
            filter: filter.to_owned(),
            format: LogFormat::Text,
        };
        assert!(init(&log("info,csms=verbose")).is_err());
        assert!(init(&log("info,csms=debug")).is_ok());
    }
}
