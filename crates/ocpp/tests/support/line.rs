//! An output of the Link as one line of text.

use ocpp::Output;

/// As the tests compare it.
pub fn line(output: Output) -> String {
    match output {
        Output::Send(frame) => format!("send {frame}"),
        Output::Asked {
            id,
            action,
            payload,
        } => format!("asked {} {action} {payload}", id.token()),
        Output::Answered {
            id,
            outcome: Ok(payload),
        } => format!("answered {id} {payload}"),
        Output::Answered {
            id,
            outcome: Err(failure),
        } => format!("failed {id} {failure}"),
        Output::Ignored(reason) => format!("ignored {reason}"),
    }
}
