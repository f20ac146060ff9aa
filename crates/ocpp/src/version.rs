//! The OCPP versions spoken here and their WebSocket subprotocol names.

use std::fmt;

/// A version of OCPP-J. The subprotocol of the handshake decides it, never the URL (OCPP-J 2.0.1 part 4, 3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// OCPP 1.6J, with the security extension of the whitepaper.
    V16,
    /// OCPP 2.0.1.
    V201,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 2] = [Version::V16, Version::V201];

    /// The name in `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Version::V16 => "ocpp1.6",
            Version::V201 => "ocpp2.0.1",
        }
    }

    /// The version of one name in `Sec-WebSocket-Protocol`; chargers vary its case.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.subprotocol().eq_ignore_ascii_case(name.trim()))
    }

    /// The number alone: `1.6`, `2.0.1`.
    pub const fn number(self) -> &'static str {
        match self {
            Version::V16 => "1.6",
            Version::V201 => "2.0.1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subprotocol_names_its_version() {
        for (name, expected) in [
            ("ocpp1.6", Some(Version::V16)),
            (" OCPP1.6 ", Some(Version::V16)),
            ("ocpp2.0.1", Some(Version::V201)),
            ("ocpp2.0", None),
            ("", None),
        ] {
            assert_eq!(Version::from_subprotocol(name), expected, "{name}");
        }
    }
}
