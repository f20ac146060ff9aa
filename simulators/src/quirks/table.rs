//! The table of quirks.

use super::{Change, Handshake, Quirk, changes as c, hearing as h, samples as s};

macro_rules! table {
    ($($name:literal $row:literal $about:literal = $change:expr;)*) => {
        /// Every quirk, in the order of the rows they answer.
        pub const TABLE: &[Quirk] = &[$(Quirk {
            name: $name,
            row: $row,
            about: $about,
            change: $change,
        },)*];
    };
}

use Change::{Answer, Asked, Beside, Id, Payload, Swallow, Text};

table! {
    "no-subprotocol" 1 "offers no Sec-WebSocket-Protocol" = Change::Handshake(Handshake { protocols: "", suffix: "" });
    "many-subprotocols" 2 "offers versions that do not exist beside 1.6" = Change::Handshake(Handshake { protocols: "ocpp0.1, ocpp9.9, ocpp1.6", suffix: "" });
    "trailing-slash" 4 "ends its URL in slashes" = Change::Handshake(Handshake { protocols: "ocpp1.6", suffix: "//" });
    "no-status" 9 "never sends StatusNotification" = Swallow("StatusNotification", c::nothing);
    "no-trigger" 9 "answers TriggerMessage NotSupported" = Asked(h::no_trigger);
    "empty-frames" 12 "sends an empty frame before each" = Text(c::empty_first);
    "binary-frames" 12 "sends its text in binary frames" = Text(c::binary);
    "bom-and-nul" 12 "puts a byte order mark before and a NUL after its frames" = Text(c::bom_and_nul);
    "leading-commas" 13 "starts its frames with a comma too many" = Text(c::leading_commas);
    "null-payloads" 14 "sends null as the payload of a Heartbeat" = Text(c::null_payload);
    "no-payloads" 14 "sends no payload with a Heartbeat" = Text(c::no_payload);
    "number-message-ids" 15 "numbers its messages with numbers" = Id(c::number_id);
    "reused-ids" 15 "gives every message the same id" = Id(c::same_id);
    "long-message-ids" 15 "has message ids of 60 characters" = Id(c::long_id);
    "doubled-answers" 16 "answers twice" = Text(c::doubled_answers);
    "status-before-boot" 18 "sends a StatusNotification before it was accepted" = Beside(c::status_before_boot);
    "clock-1970" 19 "never set its clock" = Payload(c::clock_1970);
    "local-time-timestamps" 19 "sends local time (two hours ahead) as UTC" = Payload(c::local_time);
    "no-zone-timestamps" 19 "leaves out the time zone" = Payload(c::no_zone);
    "no-millis" 19 "leaves out milliseconds" = Payload(c::no_millis);
    "february-29" 19 "stops on a day that does not exist" = Payload(c::february_29);
    "repeated-start" 20 "repeats a start under a new message id" = Beside(c::repeated_start);
    "second-start" 21 "starts twice, two seconds apart, with another register" = Beside(c::second_start);
    "no-start" 22 "never sends StartTransaction" = Swallow("StartTransaction", c::no_start);
    "stop-tx-zero" 23 "stops transaction 0" = Payload(c::stop_tx_zero);
    "stop-tx-minus-one" 23 "stops transaction -1" = Payload(c::stop_tx_minus_one);
    "stop-before-start" 23 "stops a session that nobody knows before it starts one" = Beside(c::stop_before_start);
    "no-tx-id-in-metervalues" 24 "names no transaction in MeterValues" = Payload(s::no_tx_id);
    "zero-tx-id-in-metervalues" 24 "names transaction 0 in MeterValues" = Payload(s::zero_tx_id);
    "meter-after-stop" 25 "sends the last MeterValues after the stop" = Beside(c::meter_after_stop);
    "stop-without-tag" 26 "stops without an idTag" = Payload(c::stop_without_tag);
    "stop-foreign-tag" 26 "stops with a tag that nobody knows" = Payload(c::stop_foreign_tag);
    "repeated-stop" 27 "repeats a stop under a new message id" = Beside(c::repeated_stop);
    "meter-rollover" 28 "its register starts from 0 within the session" = Payload(s::meter_rollover);
    "meter-reset" 28 "its register starts from 0 after the start" = Payload(s::meter_reset);
    "meter-start-zero" 28 "starts at 0 and stops at the register of its life" = Payload(s::meter_start_zero);
    "no-begin-sample" 29 "has no sample of the transaction's begin" = Payload(s::no_begin_sample);
    "wh-as-kwh-string" 30 "sends energy in kWh with three decimals" = Payload(s::wh_as_kwh_string);
    "kwh-unlabelled" 30 "sends energy in kWh without saying so" = Payload(s::kwh_unlabelled);
    "apparent-units" 30 "labels energy VAh" = Payload(s::apparent_units);
    "empty-units" 30 "leaves units empty" = Payload(s::empty_units);
    "comma-decimals" 31 "writes decimals with a comma" = Payload(s::comma_decimals);
    "numeric-values" 31 "sends values as numbers" = Payload(s::numeric_values);
    "nan-values" 31 "sends nan for what it does not measure" = Payload(s::nan_values);
    "empty-meter-values" 32 "sends MeterValues without samples" = Payload(s::empty_meter_values);
    "no-meter-timestamps" 33 "sends meter values without a time" = Payload(s::no_meter_timestamps);
    "phase-l1-n" 34 "puts phase L1-N on a current" = Payload(s::phase_l1_n);
    "per-phase-only" 34 "sends only phases, no sums" = Payload(s::per_phase_only);
    "clock-and-periodic" 35 "sends each sample as Sample.Clock too" = Payload(s::clock_and_periodic);
    "long-serial" 36 "has a serial number of 33 characters" = Payload(c::long_serial);
    "tag-garbage" 36 "sends tags with unprintable characters behind" = Payload(c::tag_garbage);
    "own-error-code" 37 "has an errorCode of its own" = Payload(c::own_error_code);
    "extra-fields" 38 "sends fields that the standard does not have" = Payload(c::extra_fields);
    "typed-configuration" 39 "reports configuration values as numbers and booleans" = Answer(h::typed_configuration);
    "short-key-lists" 40 "fails at GetConfiguration of all or many keys" = Asked(h::short_key_lists);
    "connector-0-only" 41 "reports all statuses for connector 0" = Payload(c::connector_0_only);
    "repeated-status" 41 "sends each status twice" = Beside(c::repeated_status);
    "no-connector-0-profiles" 42 "refuses charging profiles for connector 0" = Asked(h::no_connector_0_profiles);
    "only-amps" 42 "refuses charging profiles in watts" = Asked(h::only_amps);
    "only-watts" 42 "refuses charging profiles in amperes" = Asked(h::only_watts);
    "remote-start-needs-connector" 44 "refuses a remote start without a connector" = Asked(h::remote_start_needs_connector);
    "fixed-cable" 46 "answers UnlockConnector NotSupported" = Asked(h::fixed_cable);
    "no-soft-reset" 46 "refuses soft resets" = Asked(h::no_soft_reset);
    "no-availability" 47 "does not implement ChangeAvailability" = Asked(h::no_availability);
    "minute-samples" 48 "accepts short sample intervals and keeps to a minute" = Asked(h::minute_samples);
    "tag-suffix" 49 "sends tags with a serial number behind" = Payload(c::tag_suffix);
    "tag-lower-case" 49 "sends tags in lower case" = Payload(c::tag_lower_case);
    "tag-separators" 49 "sends tags with colons between the bytes" = Payload(c::tag_separators);
    "version-as-vendor" 51 "gives its version as its vendor, and neither model nor serial" = Payload(c::version_as_vendor);
    "private-tunnel" 52 "tunnels ISO 15118 messages through DataTransfer" = Beside(c::private_tunnel);
    "idle-statuses" 53 "sends firmware and diagnostics status Idle unasked" = Beside(c::idle_statuses);
    "reservation-zero" 58 "starts with reservation 0" = Payload(c::reservation_zero);
}
