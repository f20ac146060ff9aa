//! Finds the Postgres server programs that are installed on this machine. Nothing is downloaded.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::Error;

/// The oldest Postgres that Forecourt runs on.
pub const MIN_MAJOR: u32 = 15;
const DEBIAN: &str = "/usr/lib/postgresql";

/// A folder with `postgres`, `initdb` and their like, of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub dir: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

impl Binaries {
    /// The programs to use: `explicit` if given, else the highest Debian version that fits, else those in PATH.
    /// `wanted` is the major version of the cluster in `data`, if there is one already.
    pub(super) fn find(
        explicit: Option<&Path>,
        wanted: Option<u32>,
        data: &Path,
    ) -> Result<Self, Error> {
        let candidates = match explicit {
            Some(dir) => vec![Self::of(dir).ok_or_else(|| Error::NotBinaries(dir.to_owned()))?],
            None => installed(),
        };
        choose(candidates, wanted, data)
    }

    fn of(dir: &Path) -> Option<Self> {
        let output = Command::new(dir.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let major = major(&String::from_utf8_lossy(&output.stdout))?;
        dir.join("initdb").exists().then(|| Self {
            dir: dir.to_owned(),
            major,
        })
    }
}

fn installed() -> Vec<Binaries> {
    let debian = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<_> = std::env::split_paths(&path).collect();
    debian
        .chain(in_path)
        .filter(|dir| dir.join("postgres").exists())
        .filter_map(|dir| Binaries::of(&dir))
        .collect()
}

/// The highest version wins; of equal ones the first.
fn choose(candidates: Vec<Binaries>, wanted: Option<u32>, data: &Path) -> Result<Binaries, Error> {
    let found: Vec<_> = candidates
        .iter()
        .map(|binaries| binaries.major.to_string())
        .collect();
    let best = candidates
        .into_iter()
        .filter(|binaries| wanted.is_none_or(|wanted| wanted == binaries.major))
        .rev()
        .max_by_key(|binaries| binaries.major);
    match (best, wanted) {
        (Some(best), _) if best.major < MIN_MAJOR => Err(Error::TooOld {
            found: best.major,
            dir: best.dir,
        }),
        (Some(best), _) => Ok(best),
        (None, Some(wanted)) if !found.is_empty() => Err(Error::WrongMajor {
            data: data.to_owned(),
            wanted,
            found: found.join(", "),
        }),
        (None, _) => Err(Error::NoBinaries),
    }
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `… 18beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dir: &str, major: u32) -> Binaries {
        Binaries {
            dir: dir.into(),
            major,
        }
    }

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 19beta2\n"), Some(19));
        assert_eq!(major("mysqld 8\n"), None);
    }

    #[test]
    fn takes_the_highest_version_or_the_clusters_own() {
        let data = Path::new("/data/pgdata");
        let all = || vec![at("/15", 15), at("/17", 17), at("/path", 17), at("/16", 16)];
        assert_eq!(choose(all(), None, data).unwrap(), at("/17", 17));
        assert_eq!(choose(all(), Some(15), data).unwrap(), at("/15", 15));
    }

    #[test]
    fn says_what_to_install() {
        let data = Path::new("/data/pgdata");
        let missing = choose(Vec::new(), None, data).unwrap_err().to_string();
        assert!(missing.contains("apt-get install postgresql"), "{missing}");
        let missing = choose(Vec::new(), Some(15), data).unwrap_err();
        assert!(matches!(missing, Error::NoBinaries), "{missing}");
        let other = choose(vec![at("/15", 15)], Some(17), data)
            .unwrap_err()
            .to_string();
        assert!(
            other.contains("apt-get install postgresql-17") && other.contains("15"),
            "{other}"
        );
        let old = choose(vec![at("/13", 13)], None, data)
            .unwrap_err()
            .to_string();
        assert!(old.contains("13") && old.contains("15 or newer"), "{old}");
    }
}
