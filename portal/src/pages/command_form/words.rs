//! Words of command forms: labels, hints, and what is dangerous. They are ours, not the standard's.

use ocpp::schema::{Field, Kind};
use serde_json::Value;

/// A field's name for people: `csChargingProfiles` as `Cs charging profiles`.
pub(super) fn label(name: &str) -> String {
    let mut label = String::new();
    for letter in name.chars() {
        if label.is_empty() {
            label.extend(letter.to_uppercase());
        } else if letter.is_uppercase() {
            label.push(' ');
            label.extend(letter.to_lowercase());
        } else {
            label.push(letter);
        }
    }
    label
}

/// What a field does, and what it may hold.
pub(super) fn hint(field: &Field, kind: Kind) -> String {
    let holds = match kind {
        Kind::Choice(_) | Kind::Boolean => String::new(),
        Kind::Integer => "A whole number.".to_owned(),
        Kind::DateTime => "A day and time in UTC.".to_owned(),
        Kind::List { .. } => "One on each line.".to_owned(),
        Kind::Text { max: Some(max) } => format!("At most {max} characters."),
        Kind::Text { max: None } | Kind::Object(_) => String::new(),
        Kind::Uri => "An address such as https://host/path.".to_owned(),
        Kind::Decimal { places } => match places {
            Some(places) => format!("A number with at most {places} decimals."),
            None => "A number.".to_owned(),
        },
    };
    let needed = if field.required {
        ""
    } else {
        "May be left empty."
    };
    [about(field.name), &holds, needed]
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn about(name: &str) -> &'static str {
    match name {
        "connectorId" => "Counted from 1; 0 is the station as a whole.",
        "idTag" => "The card on whose account it is.",
        "parentIdTag" => "The group that the card belongs to.",
        "transactionId" => "The number that the station knows the charge by; any may be sent.",
        "reservationId" => "Names the reservation from now on.",
        "expiryDate" => "It ends by itself then.",
        "key" => "The name of a configuration key, in the station's spelling.",
        "value" => "Numbers and switches too are written as text; it may be empty.",
        "location" => "Where the station fetches or puts the file.",
        "remoteLocation" => "Where the station puts the log.",
        "retries" => "How often it tries again.",
        "retryInterval" => "Seconds between two tries.",
        "retrieveDate" | "retrieveDateTime" => "From when on it may fetch the file.",
        "installDateTime" => "From when on it may install it.",
        "listVersion" => "Must be higher than the one that the station has.",
        "updateType" => "Full replaces the list, Differential adds to it.",
        "stackLevel" => "Of profiles for the same purpose the highest wins.",
        "chargingRateUnit" => "Amperes of each phase, or watts in all.",
        "startPeriod" => "Seconds from the start of the schedule.",
        "duration" => "Seconds.",
        "limit" => "In the unit of the schedule.",
        "numberPhases" => "3 if it is not given.",
        "minChargingRate" => "Below it the vehicle charges badly.",
        "vendorId" => "Whose message it is.",
        "requestId" => "The station names it in what it says of this job.",
        "certificate" | "certificateChain" | "signingCertificate" => "PEM.",
        "signature" => "Base64.",
        "type" => "What exactly is asked for.",
        _ => "",
    }
}

/// Why a command is asked for twice; `None` if it is not.
pub(crate) fn danger(action: &str, payload: &Value) -> Option<&'static str> {
    let is = |name: &str, word: &str| payload[name].as_str() == Some(word);
    match action {
        "Reset" if is("type", "Hard") => Some(
            "A hard reset ends what is charging, and may lose what the station has not sent yet.",
        ),
        "ClearCache" => {
            Some("The station forgets every card that it would let charge while it is offline.")
        }
        "UpdateFirmware" | "SignedUpdateFirmware" => {
            Some("The station installs other firmware and restarts. It may not come back.")
        }
        "ChangeAvailability" if is("type", "Inoperative") => {
            Some("Nobody can charge there until it is made operative again.")
        }
        "SendLocalList" if is("updateType", "Full") => {
            Some("The station forgets every card of its list that is not in this one.")
        }
        "ClearChargingProfile" if payload.as_object().is_some_and(serde_json::Map::is_empty) => {
            Some("All charging profiles go, and with them every limit of the site.")
        }
        "DeleteCertificate" | "InstallCertificate" | "CertificateSigned" => {
            Some("With a wrong certificate the station cannot connect any more.")
        }
        "ChangeConfiguration"
            if payload["key"].as_str().is_some_and(|key| {
                key.eq_ignore_ascii_case("AuthorizationKey")
                    || key.eq_ignore_ascii_case("SecurityProfile")
            }) =>
        {
            Some("With a wrong value the station cannot connect any more.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(label("connectorId"), "Connector id");
        assert_eq!(label("csChargingProfiles"), "Cs charging profiles");
        assert_eq!(label("key"), "Key");
    }
}
