//! What a document is, and where it stands.

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A customer's sessions of a month.
    #[default]
    Statement,
    /// One session.
    Receipt,
    /// Sessions whose price changed after they were invoiced.
    Correction,
    /// Takes back an invoice, or some of its sessions; its amounts are negative.
    CreditNote,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Statement,
        Self::Receipt,
        Self::Correction,
        Self::CreditNote,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Receipt => "receipt",
            Self::Correction => "correction",
            Self::CreditNote => "credit_note",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The series that numbers it.
    pub fn series(self) -> &'static str {
        match self {
            Self::CreditNote => "credit_note",
            _ => "invoice",
        }
    }
}

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Issued, not yet due, not yet paid.
    Issued,
    /// Nothing is open.
    Paid,
    /// Due, and not paid.
    Overdue,
    /// A credit note takes all of it back.
    Void,
    /// It is a credit note.
    CreditNote,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Issued,
        Self::Paid,
        Self::Overdue,
        Self::Void,
        Self::CreditNote,
    ];

    /// As it stands in URLs and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Paid => "paid",
            Self::Overdue => "overdue",
            Self::Void => "void",
            Self::CreditNote => "credit_note",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}
