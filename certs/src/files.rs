//! Certificates and keys as files: a key is readable by its owner alone, and nothing is overwritten unasked.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Issued;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// It is there already.
    #[error("{0} exists already: pass --force to replace it")]
    Exists(PathBuf),
    /// The system refused.
    #[error("{path} cannot be written: {source}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: a key.
    Owner,
    /// Everybody: a certificate.
    All,
}

/// Writes `<folder>/<name>.pem` and `<folder>/<name>.key`; both or, if one exists and `force` is not given, none.
///
/// # Errors
/// When a file exists or cannot be written.
pub fn write_pair(
    folder: &Path,
    name: &str,
    issued: &Issued,
    force: bool,
) -> Result<[PathBuf; 2], NotWritten> {
    let paths = ["pem", "key"].map(|ending| folder.join(format!("{name}.{ending}")));
    if !force && let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(NotWritten::Exists(there.clone()));
    }
    let refused = |source| NotWritten::Refused {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(refused)?;
    write(&paths[1], &issued.key, Readers::Owner, force)?;
    write(&paths[0], &issued.certificate, Readers::All, force)?;
    Ok(paths)
}

/// Writes a file whole or not at all, with its mode from its first byte on.
///
/// # Errors
/// When it exists (and `force` is not given) or cannot be written.
pub fn write(path: &Path, text: &str, readers: Readers, force: bool) -> Result<(), NotWritten> {
    let refused = |source| NotWritten::Refused {
        path: path.to_owned(),
        source,
    };
    if !force && path.exists() {
        return Err(NotWritten::Exists(path.to_owned()));
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    // What an interrupted run left behind could have another mode.
    drop(fs::remove_file(&partial));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        })
        .open(&partial)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(refused)
}
