//! A golden frame through the Link into its type.

use std::time::Duration;

use ocpp::{Finding, Limits, Link, Output, Version, check_request, decode};
use serde::de::DeserializeOwned;

/// A frame as it came over the wire: it must be handed up, never refused.
#[track_caller]
pub fn read<T: DeserializeOwned>(frame: &str) -> (T, Vec<Finding>) {
    let mut link = Link::new(Version::V16, Limits::default());
    let outputs = link.receive(Duration::ZERO, frame);
    let [
        Output::Asked {
            action, payload, ..
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}")
    };
    (
        decode(payload).unwrap(),
        check_request(Version::V16, action, payload).unwrap(),
    )
}

/// The same, for a frame that is as it should be but for its payload.
#[track_caller]
pub fn call<T: DeserializeOwned>(action: &str, payload: &str) -> (T, Vec<Finding>) {
    read(&format!("[2,\"1\",\"{action}\",{payload}]"))
}
