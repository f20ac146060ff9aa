//! Prices by the hour that somebody else makes. A [`Provider`] says them; [`CsvFeed`] reads them from a file or a URL.
//! `jobs::prices` asks when it is time, and `store::price_feeds` keeps what was said.

pub mod csv;

use std::path::{Component, Path, PathBuf};

use service::outbound::Outbound;
use store::price_feeds::{Hour, Kind, NewFeed};

/// More than ten years of hours.
const LONGEST: usize = 8 << 20;

/// Somebody who says prices.
pub trait Provider {
    /// The hours that it knows, in order, each once.
    fn hours(&self) -> impl Future<Output = Result<Vec<Hour>, Problem>> + Send;
}

/// Why there are no prices.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// What was read is not as it must be.
    #[error(transparent)]
    Flaw(#[from] csv::Flaw),
    /// The file cannot be read.
    #[error("{location}: {why}; expected is a file below {folder}", folder = .folder.display())]
    File {
        /// As people said it.
        location: String,
        /// The system's words.
        why: String,
        /// Where it must be.
        folder: PathBuf,
    },
    /// The server does not answer as it should.
    #[error("{location}: {why}")]
    Server {
        /// As people said it, without a password.
        location: String,
        /// What it said, or why it cannot be asked.
        why: String,
    },
}

/// How feeds are reached.
#[derive(Debug, Clone)]
pub struct Reach {
    /// CSV files are below this folder: people who name a file must not read others by it.
    pub folder: PathBuf,
    /// Other servers.
    pub outbound: Outbound,
}

/// A feed of CSV.
#[derive(Debug, Clone, Copy)]
pub struct CsvFeed<'a> {
    /// What people said of it.
    pub feed: &'a NewFeed,
    /// How it is reached.
    pub reach: &'a Reach,
}

impl Provider for CsvFeed<'_> {
    async fn hours(&self) -> Result<Vec<Hour>, Problem> {
        let bytes = match self.feed.kind {
            Kind::Csv => read_file(&self.reach.folder, &self.feed.location).await,
            Kind::Http => ask(&self.reach.outbound, &self.feed.location).await,
        }?;
        Ok(csv::parse(&String::from_utf8_lossy(&bytes), self.feed)?)
    }
}

async fn read_file(folder: &Path, location: &str) -> Result<Vec<u8>, Problem> {
    let problem = |why: &str| Problem::File {
        location: location.to_owned(),
        why: why.to_owned(),
        folder: folder.to_owned(),
    };
    let below = Path::new(location)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if location.is_empty() || !below {
        return Err(problem("not a name below the folder"));
    }
    // A link may lead out of the folder.
    let whole = async { tokio::fs::canonicalize(folder.join(location)).await };
    let (path, root) = tokio::join!(whole, tokio::fs::canonicalize(folder));
    let path = path.map_err(|error| problem(&error.to_string()))?;
    if !root.is_ok_and(|root| path.starts_with(root)) {
        return Err(problem("it leads out of the folder"));
    }
    let about = tokio::fs::metadata(&path)
        .await
        .map_err(|error| problem(&error.to_string()))?;
    if !about.is_file() {
        return Err(problem("not a file"));
    }
    if about.len() > LONGEST as u64 {
        return Err(problem("longer than 8 MiB"));
    }
    tokio::fs::read(&path)
        .await
        .map_err(|error| problem(&error.to_string()))
}

async fn ask(outbound: &Outbound, location: &str) -> Result<Vec<u8>, Problem> {
    outbound
        .get(location, LONGEST)
        .await
        .map_err(|error| Problem::Server {
            location: service::outbound::without_password(location),
            why: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_name_leads_out_of_the_folder() {
        let folder = std::env::temp_dir().join(format!("feeds-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("inner/a.csv"), "x").unwrap();
        let _ = std::fs::remove_file(folder.join("link"));
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        let read = async |name: &str| read_file(&folder, name).await;
        assert_eq!(read("inner/a.csv").await.unwrap(), b"x");
        for name in [
            "../passwd",
            "/etc/passwd",
            "",
            "inner/../../x",
            "link",
            "inner",
            "none",
        ] {
            let problem = read(name).await.unwrap_err().to_string();
            assert!(problem.contains("expected is a file below"), "{problem}");
            assert!(!problem.contains("root:"), "{problem}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
