//! States as chips: an icon, a word and a colour each, so that none of them carries the meaning alone.

use super::icon;

/// A state as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The class that colours it.
    pub class: &'static str,
    /// An SVG path of [`icon`].
    pub icon: &'static str,
    /// The word; a state that no standard knows is shown as the charger spelt it.
    pub word: String,
}

impl Chip {
    fn new(class: &'static str, icon: &'static str, word: impl Into<String>) -> Self {
        Chip {
            class,
            icon,
            word: word.into(),
        }
    }

    /// The state of a connector, by the wire's word or `Offline`.
    pub fn connector(status: &str) -> Self {
        match status {
            "Available" => Chip::new("available", icon::CIRCLE, "Available"),
            "Preparing" => Chip::new("preparing", icon::PLUG, "Preparing"),
            "Occupied" => Chip::new("preparing", icon::PLUG, "Occupied"),
            "Charging" => Chip::new("charging", icon::BOLT, "Charging"),
            "SuspendedEV" => Chip::new("suspended", icon::PAUSE, "Suspended EV"),
            "SuspendedEVSE" => Chip::new("suspended", icon::PAUSE, "Suspended EVSE"),
            "Finishing" => Chip::new("finishing", icon::CHECK, "Finishing"),
            "Reserved" => Chip::new("reserved", icon::CLOCK, "Reserved"),
            "Unavailable" => Chip::new("unavailable", icon::SLASH, "Unavailable"),
            "Faulted" => Chip::new("faulted", icon::TRIANGLE, "Faulted"),
            "Offline" => Chip::new("offline", icon::CLOUD_OFF, "Offline"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// Whether a station is there.
    pub fn presence(online: bool) -> Self {
        if online {
            Chip::new("available", icon::CHECK, "Online")
        } else {
            Chip::new("offline", icon::CLOUD_OFF, "Offline")
        }
    }

    /// Why a station is not served; nothing where it is.
    pub fn registration(registration: &str) -> Option<Self> {
        match registration {
            "pending" => Some(Chip::new("suspended", icon::PAUSE, "Registration pending")),
            "rejected" => Some(Chip::new(
                "unavailable",
                icon::SLASH,
                "Registration rejected",
            )),
            _ => None,
        }
    }

    /// Whether an id tag may charge.
    pub fn tag(status: &str, is_over: bool) -> Self {
        match status {
            "accepted" if is_over => Chip::new("suspended", icon::CLOCK, "Expired"),
            "accepted" => Chip::new("available", icon::CHECK, "Accepted"),
            "blocked" => Chip::new("faulted", icon::SLASH, "Blocked"),
            "expired" => Chip::new("suspended", icon::CLOCK, "Expired"),
            "invalid" => Chip::new("unavailable", icon::SLASH, "Invalid"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// What an answer says of itself.
    pub fn answer(status: &str) -> Self {
        match status {
            "Accepted" | "Unlocked" | "Answered" => Chip::new("available", icon::CHECK, status),
            "Scheduled" | "Pending" | "RebootRequired" => {
                Chip::new("preparing", icon::CLOCK, status)
            }
            other => Chip::new("suspended", icon::SLASH, other),
        }
    }

    /// The code of a CALLERROR.
    pub fn answer_error(code: &str) -> Self {
        Chip::new("faulted", icon::TRIANGLE, code)
    }

    /// A CALL that nobody answered.
    pub fn unanswered() -> Self {
        Chip::new("offline", icon::QUESTION, "No answer")
    }

    /// Where a command stands.
    pub fn command(status: &str) -> Self {
        match status {
            "queued" => Chip::new("preparing", icon::CLOCK, "Queued"),
            "sent" => Chip::new("charging", icon::BOLT, "Sent"),
            "answered" => Chip::new("available", icon::CHECK, "Answered"),
            "error" => Chip::new("faulted", icon::TRIANGLE, "Error"),
            "timeout" => Chip::new("faulted", icon::CLOCK, "No answer"),
            "expired" => Chip::new("unavailable", icon::CLOCK, "Too late"),
            "cancelled" => Chip::new("unavailable", icon::SLASH, "Cancelled"),
            "unknown" => Chip::new("suspended", icon::QUESTION, "Unknown"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// What a station said to a command, in its own word.
    pub fn verdict(word: &str, agreed: bool) -> Self {
        if agreed {
            Chip::new("available", icon::CHECK, word)
        } else {
            Chip::new("faulted", icon::SLASH, word)
        }
    }

    /// The server's own certificate, near its end or past it.
    pub fn certificate(is_over: bool) -> Self {
        match is_over {
            true => Chip::new("faulted", icon::TRIANGLE, "Certificate"),
            false => Chip::new("suspended", icon::CLOCK, "Certificate"),
        }
    }

    /// How a task stands.
    pub fn task(done: bool, cancelled: bool) -> Self {
        match (done, cancelled) {
            (_, true) => Chip::new("unavailable", icon::SLASH, "Cancelled"),
            (true, false) => Chip::new("available", icon::CHECK, "Done"),
            (false, false) => Chip::new("charging", icon::SYNC, "Running"),
        }
    }

    /// How a configuration key stands to what it should be; nothing where nobody says.
    pub fn standing(standing: store::configuration::drift::Standing) -> Option<Self> {
        use store::configuration::drift::Standing;
        Some(match standing {
            Standing::Free => return None,
            Standing::Same => Chip::new("available", icon::CHECK, "As it should be"),
            Standing::Differs => Chip::new("suspended", icon::TRIANGLE, "Differs"),
            Standing::Awaited => Chip::new("preparing", icon::CLOCK, "Set, not seen yet"),
            Standing::Fixed => Chip::new("unavailable", icon::SLASH, "Differs, read only"),
            Standing::Unknown => Chip::new("unavailable", icon::QUESTION, "Unknown to it"),
            Standing::Unread => Chip::new("unavailable", icon::QUESTION, "Never read"),
        })
    }

    /// The state of a reservation.
    pub fn reservation(status: &str) -> Self {
        match status {
            "requested" => Chip::new("preparing", icon::CLOCK, "Asked for"),
            "accepted" => Chip::new("reserved", icon::CLOCK, "Reserved"),
            "used" => Chip::new("charging", icon::BOLT, "Used"),
            "expired" => Chip::new("finishing", icon::CLOCK, "Expired"),
            "cancelled" => Chip::new("unavailable", icon::SLASH, "Cancelled"),
            "replaced" => Chip::new("unavailable", icon::SLASH, "Replaced"),
            "refused" => Chip::new("suspended", icon::SLASH, "Refused"),
            _ => Chip::new("offline", icon::QUESTION, "Unknown"),
        }
    }

    /// The state of a session.
    pub fn session(state: store::sessions::State) -> Self {
        match state {
            store::sessions::State::Active => Chip::new("charging", icon::BOLT, "Active"),
            store::sessions::State::Ended => Chip::new("finishing", icon::CHECK, "Ended"),
            store::sessions::State::Orphan => Chip::new("suspended", icon::QUESTION, "Orphan"),
        }
    }

    /// The state of a firmware update or a log upload.
    pub fn job(state: &str, succeeded: Option<bool>) -> Self {
        // As far as its command, and no further.
        if matches!(
            state,
            "queued" | "sent" | "timeout" | "unknown" | "expired" | "cancelled"
        ) {
            return Chip::command(state);
        }
        let (class, icon) = match succeeded {
            Some(true) => ("available", icon::CHECK),
            Some(false) => ("faulted", icon::TRIANGLE),
            None if state == "Queued" => ("preparing", icon::CLOCK),
            None => ("charging", icon::SYNC),
        };
        Chip::new(class, icon, plain(state))
    }

    /// The state of a tariff, of a version, of a place where it holds.
    pub fn tariff(word: &'static str) -> Self {
        let (class, icon) = match word {
            "in force" | "holds" => ("available", icon::CHECK),
            "later" => ("preparing", icon::CLOCK),
            "unassigned" => ("suspended", icon::QUESTION),
            "archived" => ("unavailable", icon::ARCHIVE),
            _ => ("unavailable", icon::SLASH),
        };
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        Chip::new(
            class,
            icon,
            first.into_iter().chain(letters).collect::<String>(),
        )
    }

    /// A price that a person has to look at before it counts.
    pub fn held() -> Self {
        Chip::new("suspended", icon::PAUSE, "Held")
    }

    /// Where an invoice stands.
    pub fn invoice(state: store::invoices::State) -> Self {
        use store::invoices::State;
        match state {
            State::Issued => Chip::new("charging", icon::PAGE, "Issued"),
            State::Paid => Chip::new("available", icon::CHECK, "Paid"),
            State::Overdue => Chip::new("faulted", icon::TRIANGLE, "Overdue"),
            State::Void => Chip::new("unavailable", icon::SLASH, "Void"),
            State::CreditNote => Chip::new("finishing", icon::CREDIT, "Credit note"),
        }
    }

    /// What became of a billing event.
    pub fn billing_event(status: &str) -> Self {
        match status {
            "pending" => Chip::new("preparing", icon::CLOCK, "Waits"),
            "sent" => Chip::new("available", icon::CHECK, "Sent"),
            "duplicate" => Chip::new("available", icon::CHECK, "Known already"),
            "rejected" => Chip::new("faulted", icon::TRIANGLE, "Refused"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// Where an invoice of Lago's stands.
    pub fn lago_invoice(status: &str) -> Self {
        match status {
            "draft" => Chip::new("preparing", icon::CLOCK, "Draft"),
            "finalized" => Chip::new("charging", icon::PAGE, "Finalized"),
            "voided" => Chip::new("unavailable", icon::SLASH, "Voided"),
            "failed" => Chip::new("faulted", icon::TRIANGLE, "Failed"),
            "pending" => Chip::new("preparing", icon::CLOCK, "Pending"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// Whether an invoice of Lago's is paid.
    pub fn lago_payment(status: &str, is_overdue: bool) -> Self {
        match status {
            "succeeded" => Chip::new("available", icon::CHECK, "Paid"),
            _ if is_overdue => Chip::new("faulted", icon::TRIANGLE, "Overdue"),
            "failed" => Chip::new("faulted", icon::TRIANGLE, "Payment failed"),
            "pending" => Chip::new("preparing", icon::CLOCK, "To be paid"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// How a run of the sync stands.
    pub fn run(status: &str) -> Self {
        match status {
            "running" => Chip::new("charging", icon::SYNC, "Running"),
            "completed" => Chip::new("available", icon::CHECK, "Completed"),
            "failed" => Chip::new("faulted", icon::TRIANGLE, "Failed"),
            other => Chip::new("unavailable", icon::QUESTION, other),
        }
    }

    /// The circuit to Lago.
    pub fn circuit(state: &str) -> Self {
        match state {
            "closed" => Chip::new("available", icon::CHECK, "Circuit closed"),
            "half-open" => Chip::new("suspended", icon::QUESTION, "Circuit half-open"),
            _ => Chip::new("faulted", icon::SLASH, "Circuit open"),
        }
    }

    /// Whether Lago's metric sums what we send.
    pub fn metric(ok: Option<bool>) -> Self {
        match ok {
            Some(true) => Chip::new("available", icon::CHECK, "Fits"),
            Some(false) => Chip::new("faulted", icon::TRIANGLE, "Does not fit"),
            None => Chip::new("unavailable", icon::QUESTION, "Not checked"),
        }
    }

    /// Why something needs a person.
    pub fn trouble(trouble: store::overview::Trouble) -> Self {
        use store::overview::Trouble;
        match trouble {
            Trouble::Faulted => Chip::new("faulted", icon::TRIANGLE, "Faulted"),
            Trouble::Offline => Chip::new("offline", icon::CLOUD_OFF, "Offline"),
            Trouble::NoMeterValues => Chip::new("suspended", icon::QUESTION, "Not measured"),
            Trouble::StuckPreparing => Chip::new("preparing", icon::PLUG, "Stuck preparing"),
            Trouble::StuckFinishing => Chip::new("finishing", icon::CHECK, "Stuck finishing"),
            Trouble::CommandFailed => Chip::new("faulted", icon::TRIANGLE, "Command failed"),
        }
    }
}

/// The states of a connector that a list can be filtered by, as they stand in URLs.
pub const CONNECTOR_STATES: [&str; 10] = [
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
    "Offline",
];

/// A word of the wire or of ours for people: `meter_ran_backwards` as `meter ran backwards`.
pub fn plain(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_chip_and_a_foreign_word_is_shown_as_it_is() {
        for state in CONNECTOR_STATES {
            assert_ne!(Chip::connector(state).icon, icon::QUESTION, "{state}");
        }
        assert_eq!(Chip::connector("Zapping").word, "Zapping");
        assert_eq!(Chip::connector("Zapping").icon, icon::QUESTION);
    }
}
