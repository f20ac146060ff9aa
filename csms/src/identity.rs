//! The identity of a station, out of the path of its URL (OCPP-J 1.6 3.1.1; quirk 4). Nothing else is read from a URL.

use percent_encoding::percent_decode_str;

/// The last segment that is not empty, percent-decoded once. `None` where no station could have that name.
pub(crate) fn from_path(path: &str) -> Option<String> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let last = segments.next_back()?;
    // A path of one segment is the door itself, without a name on it.
    segments.next()?;
    let decoded = percent_decode_str(last).decode_utf8().ok()?;
    store::stations::is_identity(&decoded).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_names_the_station() {
        for (path, identity) in [
            ("/ocpp/CP001", Some("CP001")),
            ("/ocpp/CP001/", Some("CP001")),
            ("//ocpp//CP001", Some("CP001")),
            ("/some/prefix/ocpp/CP.1|a", Some("CP.1|a")),
            ("/ocpp/RDAM%20123", Some("RDAM 123")),
            ("/ocpp/%E2%82%AC1", Some("€1")),
            ("/ocpp/", None),
            ("/", None),
            ("/ocpp/%2F", None),
            ("/ocpp/a%2Fb", None),
            ("/ocpp/%00", None),
            ("/ocpp/..%2f", None),
            ("/ocpp/..", None),
            ("/ocpp/%FF", None),
            ("/ocpp/a:b", None),
            ("/ocpp/a%0d%0ab", None),
        ] {
            assert_eq!(from_path(path).as_deref(), identity, "{path}");
        }
        assert_eq!(from_path(&format!("/ocpp/{}", "x".repeat(256))), None);
    }
}
