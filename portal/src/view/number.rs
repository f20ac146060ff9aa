//! Numbers for people. Units are not part of them: those stand in the column's head or beside the figure.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use store::Currency;

/// A whole number with thousands set apart: `12,345`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Thousandths of a unit with two decimals, rounded half up: Wh as kWh, W as kW.
pub fn kilo(thousandths: i64) -> String {
    let hundredths = (thousandths.unsigned_abs() + 5) / 10;
    let whole = count(i64::try_from(hundredths / 100).unwrap_or(i64::MAX));
    let sign = if thousandths < 0 && hundredths > 0 {
        "−"
    } else {
        ""
    };
    format!("{sign}{whole}.{:02}", hundredths % 100)
}

/// [`kilo`] of what may be unknown: an empty text, never a zero that nobody measured.
pub fn kilo_or_blank(thousandths: Option<impl Into<i64>>) -> String {
    thousandths.map_or_else(String::new, |value| kilo(value.into()))
}

/// An amount with the decimals of its currency, and more if it has more: `1,234.50`. The currency stands beside it.
pub fn money(amount: Decimal, currency: &str) -> String {
    let exponent = currency.parse().map_or(2, Currency::exponent);
    let mut shown = amount.abs().normalize();
    shown.rescale(shown.scale().max(exponent));
    let text = shown.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let sign = if amount.is_sign_negative() && !amount.is_zero() {
        "−"
    } else {
        ""
    };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{rest}")
}

/// Per mille as whole per cent, rounded half up.
pub fn percent(per_mille: i16) -> String {
    ((i32::from(per_mille) + 5) / 10).to_string()
}

/// A state of charge from and to, in per cent: `18 → 81`; what is unknown is a question mark.
pub fn soc_range(start: Option<i16>, end: Option<i16>) -> String {
    let side = |value: Option<i16>| value.map_or_else(|| "?".to_owned(), percent);
    match (start, end) {
        (None, None) => String::new(),
        (start, end) => format!("{} → {}", side(start), side(end)),
    }
}

/// Hours and minutes: `1:05`, and days as hours: `49:00`.
pub fn hours(duration: TimeDelta) -> String {
    let minutes = (duration.num_seconds().max(0) + 30) / 60;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// A duration in words of at most two units: `38 min 12 s`, `3 h 5 min`, `2 d 4 h`.
pub fn spell(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How long ago, in one unit: `12 s`, `5 min`, `3 h`, `2 d`.
pub fn age(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// [`age`] in minutes at the least: seconds would make every line of a live page change all the time.
pub fn age_by_the_minute(duration: TimeDelta) -> String {
    if duration.num_seconds() < 60 {
        "< 1 min".to_owned()
    } else {
        age(duration)
    }
}

/// The change from `before` to `now` in whole per cent, with its sign; nothing to compare with is no change.
pub fn change(now: i64, before: i64) -> Option<String> {
    if before <= 0 {
        return None;
    }
    let per_cent = (now - before).saturating_mul(100) / before;
    Some(match per_cent {
        0 => "±0 %".to_owned(),
        1.. => format!("+{} %", count(per_cent)),
        _ => format!("−{} %", count(-per_cent)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "−1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn energy_and_power_have_two_decimals_rounded_half_up() {
        for (value, text) in [
            (0, "0.00"),
            (4, "0.00"),
            (5, "0.01"),
            (32_418, "32.42"),
            (61_240, "61.24"),
            (999_995, "1,000.00"),
            (-1_500, "−1.50"),
            (-4, "0.00"),
        ] {
            assert_eq!(kilo(value), text);
        }
        assert_eq!(kilo_or_blank(None::<i64>), "");
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (amount, currency, text) in [
            ("1234.5", "EUR", "1,234.50"),
            ("-0.455", "EUR", "−0.455"),
            ("120", "JPY", "120"),
            ("1.5", "KWD", "1.500"),
            ("-0.00", "EUR", "0.00"),
            (
                "12345678901234567890123.4",
                "EUR",
                "12345678901234567890123.40",
            ),
        ] {
            assert_eq!(money(amount.parse().unwrap(), currency), text);
        }
    }

    #[test]
    fn state_of_charge_shows_what_is_not_known() {
        assert_eq!(soc_range(Some(180), Some(810)), "18 → 81");
        assert_eq!(soc_range(None, Some(815)), "? → 82");
        assert_eq!(soc_range(None, None), "");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let of = TimeDelta::seconds;
        assert_eq!(hours(of(3_899)), "1:05");
        assert_eq!(hours(of(49 * 3600)), "49:00");
        assert_eq!(hours(of(-5)), "0:00");
        assert_eq!(spell(of(2_292)), "38 min 12 s");
        assert_eq!(spell(of(100_800)), "1 d 4 h");
        assert_eq!(age(of(59)), "59 s");
        assert_eq!(age(of(7_300)), "2 h");
    }

    #[test]
    fn a_change_needs_something_to_compare_with() {
        assert_eq!(change(10, 0), None);
        assert_eq!(change(150, 100).as_deref(), Some("+50 %"));
        assert_eq!(change(50, 100).as_deref(), Some("−50 %"));
        assert_eq!(change(100, 100).as_deref(), Some("±0 %"));
    }
}
