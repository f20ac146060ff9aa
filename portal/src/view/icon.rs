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
