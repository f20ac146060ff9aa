//! What goes in and comes out of a charge point.

use alloc::{string::String, vec::Vec};

use crate::{
    connector::Reading,
    ocpp::{
        msg16::{ErrorCode, Reason, Registration, Status, TagStatus},
        security::SecurityEvent,
    },
    smart::Offer,
    time::Millis,
    work::{Done, Work},
};

/// One thing that happened to the charge point. Connectors count from 1.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time passed.
    Tick,
    /// The WebSocket is open (the answer to [`Output::Connect`]).
    LinkUp,
    /// The WebSocket is closed, or could not be opened.
    LinkDown,
    /// A text frame arrived.
    Text(&'a str),
    /// The server answered an [`Output::Ping`].
    Pong,
    /// A cable joined a vehicle to the connector.
    Plug(u32),
    /// The cable was taken out.
    Unplug(u32),
    /// A card was held to the reader of a connector.
    Swipe {
        /// Which connector it is for.
        connector: u32,
        /// The tag, at most 20 characters.
        id_tag: &'a str,
    },
    /// The user pressed the connector's stop button.
    StopButton(u32),
    /// The meter's newest reading.
    Meter(u32, Reading),
    /// Whether the vehicle wants energy.
    VehicleReady(u32, bool),
    /// A fault appeared (`NoError`: it went away).
    Fault(u32, ErrorCode),
    /// What came of the work of a number.
    Done(u32, Done<'a>),
    /// Something that the security log and the server must hear of.
    SecurityEvent(SecurityEvent, Option<&'a str>),
    /// Send a DataTransfer.
    DataTransfer {
        /// Whose extension.
        vendor: &'a str,
        /// Which message of it.
        message: Option<&'a str>,
        /// Its text.
        data: Option<&'a str>,
    },
}

/// How a charge point is to be rebooted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebootKind {
    /// Transactions have been ended.
    Soft,
    /// At once.
    Hard,
}

/// One thing the host is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Open the WebSocket; answer with `LinkUp` or `LinkDown`.
    Connect,
    /// Close the WebSocket; answer with `LinkDown`.
    Disconnect,
    /// Send a text frame.
    Send(String),
    /// Send a WebSocket ping; its answer is an [`Input::Pong`].
    Ping,
    /// Close (true) or open the contactor of a connector.
    Relay(u32, bool),
    /// Offer so much to the vehicle at a connector from now on.
    Offer(u32, Offer),
    /// Do this, and give an [`Input::Done`] of the number.
    Work(u32, Work),
    /// The work of this number is not needed any more.
    CallOff(u32),
    /// From now on this is the password.
    Password(Vec<u8>),
    /// From now on connect by this security profile.
    SecurityProfile(u8),
    /// [`crate::ChargePoint::journal`] has changed: store it before going on.
    Persist,
    /// Reboot: make a new charge point from the journal.
    Reboot(RebootKind),
    /// For logs and tests.
    Event(Event),
}

/// Something a person or a test may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// BootNotification was answered.
    Boot {
        /// How.
        status: Registration,
        /// Seconds given with it.
        interval: u64,
    },
    /// A tag was answered for (or judged from the cache while offline).
    Authorized {
        /// On which connector.
        connector: u32,
        /// The tag.
        id_tag: String,
        /// The verdict.
        status: TagStatus,
    },
    /// A connector's status changed.
    Status(u32, Status),
    /// A transaction started at the charge point.
    Started {
        /// On which connector.
        connector: u32,
        /// Our number of it.
        local: u32,
    },
    /// The server acknowledged a start.
    StartAcknowledged {
        /// Our number of the transaction.
        local: u32,
        /// The server's.
        transaction_id: i64,
        /// What it thinks of the tag.
        status: TagStatus,
    },
    /// A transaction ended at the charge point.
    Stopped {
        /// On which connector.
        connector: u32,
        /// Our number of the transaction.
        local: u32,
        /// Why.
        reason: Reason,
        /// Energy delivered, Wh.
        energy_wh: u64,
    },
    /// The server acknowledged a stop.
    StopAcknowledged {
        /// Our number of the transaction.
        local: u32,
        /// The server's (-1 if its start was never accepted).
        transaction_id: i64,
    },
    /// The server acknowledged meter values.
    MeterAcknowledged,
    /// The server answered CALLERROR, or something unreadable.
    Refused {
        /// Our message.
        action: &'static str,
        /// Its code.
        code: String,
        /// Its words.
        description: String,
    },
    /// No answer in time.
    Unanswered(&'static str),
    /// A transaction message was set aside after all attempts.
    GaveUp(&'static str),
    /// A frame that is none, or an answer to nothing asked.
    Unexpected(String),
    /// Something that belongs into the security log.
    Security(SecurityEvent),
    /// The server asked for something.
    Asked {
        /// Its message.
        action: String,
        /// Our answer's payload, or `code: description`.
        answer: String,
    },
}

/// What one poll yields.
#[derive(Debug, Default)]
pub struct Outputs {
    /// To do, in this order.
    pub todo: Vec<Output>,
    /// Poll again by then, even if nothing happens.
    pub next_wakeup: Option<Millis>,
}

impl Outputs {
    pub(crate) fn event(&mut self, event: Event) {
        self.todo.push(Output::Event(event));
    }
}
