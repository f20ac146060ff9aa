//! Line icons as SVG paths on a 16 by 16 grid, drawn by us.

/// Hollow circle: free.
pub const CIRCLE: &str = "M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3Z";
/// Plug: a cable is in.
pub const PLUG: &str = "M6 2v3M10 2v3M4 5h8v3a4 4 0 0 1-8 0ZM8 12v2.5";
/// Bolt: it charges.
pub const BOLT: &str = "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8Z";
/// Two bars: it pauses.
pub const PAUSE: &str = "M6 3.5v9M10 3.5v9";
/// Check: done.
pub const CHECK: &str = "M3 8.5 6.5 12 13 4.5";
/// Clock: booked.
pub const CLOCK: &str = "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 1 0 0-11ZM8 5v3l2 1.5";
/// Slashed circle: not in service.
pub const SLASH: &str = "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 1 0 0-11ZM4.2 4.2l7.6 7.6";
/// Triangle with a bang: broken.
pub const TRIANGLE: &str = "M8 2 1.5 13.5h13ZM8 6.5v3.2M8 11.6v.1";
/// Crossed-out cloud: nobody there.
pub const CLOUD_OFF: &str = "M5 6.5a3 3 0 0 0-.5 6h7a2.8 2.8 0 0 0 1.8-.7M7 4.2a3.5 3.5 0 0 1 5 3.3 2.5 2.5 0 0 1 1.9 1.5M2.5 2.5l11 11";
/// A question mark in a circle: a word that we do not know.
pub const QUESTION: &str = "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 1 0 0-11ZM6.3 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.9.7-.9 1.3M8 11.2v.1";
/// Bars: figures at a glance.
pub const BARS: &str = "M2.5 13.5v-5M6.2 13.5v-8M9.8 13.5V9M13.5 13.5v-11";
/// A charging station.
pub const STATION: &str = "M3 14V3.5A1.5 1.5 0 0 1 4.5 2h4A1.5 1.5 0 0 1 10 3.5V14M2 14h9M10 8h1.5v3.2a1.2 1.2 0 0 0 2.4 0V6L12 4M6.8 4.8 5.2 7.5h2.6L6.2 10.2";
/// A price tag.
pub const TAG: &str =
    "M8.2 2H13a1 1 0 0 1 1 1v4.8L8.3 13.5a1 1 0 0 1-1.4 0L2.5 9.1a1 1 0 0 1 0-1.4ZM11 5v.1";
/// A page with lines: an invoice.
pub const PAGE: &str = "M4 1.8h5.5L12.5 5v9.2H4ZM9.2 2v3.2h3.2M6.2 8.2h4.2M6.2 11h4.2";
/// A page with a minus: a credit note.
pub const CREDIT: &str = "M4 1.8h5.5L12.5 5v9.2H4ZM9.2 2v3.2h3.2M6.2 9.4h4.2";
/// Coins: a payment.
pub const COINS: &str = "M2.5 4.5c0-1.2 2-2 4.5-2s4.5.8 4.5 2-2 2-4.5 2-4.5-.8-4.5-2ZM2.5 4.5V8c0 1.2 2 2 4.5 2M2.5 8v3.4c0 1.2 2 2 4.5 2M8.2 10.4c0-1 1.2-1.6 2.8-1.6s2.8.6 2.8 1.6-1.2 1.6-2.8 1.6-2.8-.6-2.8-1.6ZM8.2 10.4v2.2c0 1 1.2 1.6 2.8 1.6s2.8-.6 2.8-1.6v-2.2M11.5 4.5V7";
/// A chain: a mapping.
pub const CHAIN: &str = "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2A2.6 2.6 0 0 0 9 3.3L8.2 4.1M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9A2.6 2.6 0 0 0 7 12.7l.8-.8";
/// A list: events.
pub const LIST: &str = "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4v.1M2.5 8v.1M2.5 12v.1";
/// Two arrows in a circle: synchronisation.
pub const SYNC: &str =
    "M13 6.5A5.2 5.2 0 0 0 3.6 5M3 2.5V5h2.5M3 9.5A5.2 5.2 0 0 0 12.4 11M13 13.5V11h-2.5";
/// A falling and rising line: reports.
pub const CHART: &str = "M2.5 2.5v11h11M5 10.5l2.6-3 2.2 1.8L13 5.5";
/// People.
pub const PEOPLE: &str = "M6 7.5a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8ZM1.8 13.3c0-2.4 1.8-3.9 4.2-3.9s4.2 1.5 4.2 3.9M10.4 3a2.3 2.3 0 0 1 0 4.4M11.6 9.7c1.6.4 2.6 1.7 2.6 3.6";
/// A card: id tokens and their groups.
pub const CARD: &str = "M2 4.2A1.2 1.2 0 0 1 3.2 3h9.6A1.2 1.2 0 0 1 14 4.2v7.6a1.2 1.2 0 0 1-1.2 1.2H3.2A1.2 1.2 0 0 1 2 11.8ZM2 6.4h12M4.5 10.4h3";
/// Sliders: settings.
pub const SLIDERS: &str = "M2.5 4.5h6M12 4.5h1.5M2.5 11.5H4M7.5 11.5h6M8.5 4.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0ZM4 11.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0Z";
/// A box with a lid: put away.
pub const ARCHIVE: &str = "M2 3h12v3H2ZM3 6v7.5h10V6M6.3 9h3.4";
/// Three lines: the rest of the menu.
pub const MENU: &str = "M2.5 4h11M2.5 8h11M2.5 12h11";
