//! Where a private cluster lives, who owns it, and a folder short enough for its socket.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Gid, Uid, User, chown, geteuid};
use sha2::{Digest, Sha256};

use super::{Error, run_as};

/// Clusters of data folders that the `postgres` user cannot reach.
const SHARED: &str = "/var/lib/forecourt";
/// In the data folder: the path of a cluster that had to go elsewhere.
const POINTER: &str = "postgres.location";
/// `sockaddr_un` has room for 107 bytes; the socket's file name takes 15 of them.
const LONGEST_SOCKET_FOLDER: usize = 85;

/// The user that the server must run as, when we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub uid: Uid,
    pub gid: Gid,
}

/// The folders of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// What the user named.
    pub data: PathBuf,
    /// Holds `pgdata`, `run`, `postgres.log` and `lock`.
    pub base: PathBuf,
    pub owner: Option<Owner>,
}

impl Place {
    /// The place for `data`, with its folders made and owned rightly.
    pub fn prepare(data: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data).map_err(Error::io("create", data))?;
        if let Some(place) = Self::find(data)?
            && place.pgdata().exists()
        {
            return Ok(place);
        }
        let data = data.canonicalize().map_err(Error::io("read", data))?;
        let mut place = Self {
            base: data.join("postgres"),
            owner: first_owner()?,
            data,
        };
        let fresh = !place.base.exists();
        place.make_private(&place.base)?;
        if !place.reachable()? {
            if fresh {
                fs::remove_dir(&place.base).map_err(Error::io("remove", &place.base))?;
            }
            place.move_out()?;
        }
        Ok(place)
    }

    /// The place that `data` has already, if any. Makes nothing.
    pub fn find(data: &Path) -> Result<Option<Self>, Error> {
        let Ok(data) = data.canonicalize() else {
            return Ok(None);
        };
        let pointer = data.join(POINTER);
        let base = match fs::read_to_string(&pointer) {
            Ok(path) => PathBuf::from(path.trim_end()),
            Err(error) if error.kind() == ErrorKind::NotFound => data.join("postgres"),
            Err(error) => return Err(Error::io("read", &pointer)(error)),
        };
        match fs::metadata(&base) {
            Ok(metadata) => {
                let owner = owner_of(&base, metadata.uid(), metadata.gid())?;
                Ok(Some(Self { data, base, owner }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &base)(error)),
        }
    }

    pub fn pgdata(&self) -> PathBuf {
        self.base.join("pgdata")
    }

    pub fn log(&self) -> PathBuf {
        self.base.join("postgres.log")
    }

    /// The major version that made the cluster; `None` if there is none yet.
    pub fn major(&self) -> Result<Option<u32>, Error> {
        let path = self.pgdata().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(version) => version.trim().parse().map(Some).map_err(|_| {
                Error::io("understand", &path)(std::io::Error::new(
                    ErrorKind::InvalidData,
                    format!("{version:?} is not a major version"),
                ))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// A 0700 folder for the socket: beside the cluster, or below /tmp when that path is too long or odd.
    pub fn socket(&self) -> Result<PathBuf, Error> {
        let beside = self.base.join("run");
        let folder = if fits_a_socket(&beside) {
            beside
        } else {
            Path::new("/tmp").join(format!("forecourt-{}", digest(&self.base)))
        };
        self.make_private(&folder)?;
        Ok(folder)
    }

    /// Makes `folder`, or checks that it is ours, and lets nobody else in.
    pub fn make_private(&self, folder: &Path) -> Result<(), Error> {
        let us = geteuid();
        let (uid, gid) = match &self.owner {
            Some(owner) => (owner.uid, Some(owner.gid)),
            None => (us, None),
        };
        match fs::create_dir(folder) {
            Ok(()) if self.owner.is_some() => {
                chown(folder, Some(uid), gid)
                    .map_err(|errno| Error::io("change the owner of", folder)(errno.into()))?;
            }
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Not `metadata`: a link that a stranger put there must not be followed.
                let found = fs::symlink_metadata(folder).map_err(Error::io("read", folder))?;
                if !found.is_dir() || found.uid() != uid.as_raw() {
                    return Err(Error::Foreign {
                        data: folder.to_owned(),
                        owner: found.uid(),
                        us: uid.as_raw(),
                    });
                }
            }
            Err(error) => return Err(Error::io("create", folder)(error)),
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(Error::io("close off", folder))
    }

    /// Can the owner write to the base folder? Asked of the kernel, as that user: modes alone do not tell.
    fn reachable(&self) -> Result<bool, Error> {
        if self.owner.is_none() {
            return Ok(true);
        }
        let program = Path::new("/usr/bin/test");
        let mut command: Command = run_as(program, self.owner.as_ref());
        let status = command
            .arg("-w")
            .arg(&self.base)
            .status()
            .map_err(Error::io("run", program))?;
        Ok(status.success())
    }

    fn move_out(&mut self) -> Result<(), Error> {
        let shared = Path::new(SHARED);
        fs::create_dir_all(shared).map_err(Error::io("create", shared))?;
        self.base = shared.join(digest(&self.data));
        self.make_private(&self.base)?;
        let pointer = self.data.join(POINTER);
        fs::write(&pointer, format!("{}\n", self.base.display()))
            .map_err(Error::io("write", &pointer))?;
        tracing::debug!(
            place = %self.base.display(),
            "running as root, and the `postgres` user cannot reach {}: the database goes elsewhere",
            self.data.display(),
        );
        Ok(())
    }
}

/// Sixteen hexadecimal digits that stand for `path`.
fn digest(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}

/// The setting is a comma-separated list with quoting rules of its own: odd characters stay out of it.
fn fits_a_socket(folder: &Path) -> bool {
    let text = folder.to_string_lossy();
    text.len() <= LONGEST_SOCKET_FOLDER
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c))
}

/// Who a new cluster belongs to: us, or `postgres` if we are root.
fn first_owner() -> Result<Option<Owner>, Error> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    match User::from_name("postgres") {
        Ok(Some(user)) => Ok(Some(Owner {
            uid: user.uid,
            gid: user.gid,
        })),
        _ => Err(Error::NoPostgresUser),
    }
}

/// Who an existing cluster belongs to; an error if that is neither us nor within root's reach.
fn owner_of(base: &Path, uid: u32, gid: u32) -> Result<Option<Owner>, Error> {
    let us = geteuid();
    if us.is_root() {
        return match uid {
            0 => first_owner(),
            _ => Ok(Some(Owner {
                uid: uid.into(),
                gid: gid.into(),
            })),
        };
    }
    if us.as_raw() == uid {
        return Ok(None);
    }
    Err(Error::Foreign {
        data: base.to_owned(),
        owner: uid,
        us: us.as_raw(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_paths_are_no_place_for_a_socket() {
        assert!(fits_a_socket(Path::new("/srv/forecourt/data/postgres/run")));
        assert!(!fits_a_socket(Path::new(&format!("/{}", "x".repeat(90)))));
        assert!(!fits_a_socket(Path::new("/srv/a,b/run")));
        assert!(!fits_a_socket(Path::new("/srv/my data/run")));
    }
}
