//! The table of sessions with their lines, whose head comes again on each page, and the totals below it.

use rust_decimal::Decimal;
use store::invoices::{LineOf, SessionOf};

use super::{
    LEFT, RIGHT, Sheet,
    paint::{Ink, Mark, Type, bold, grey, plain},
    words,
};
use crate::invoice::paper::Paper;

/// Right edges of the columns of numbers; the last is [`RIGHT`].
const QUANTITY: f32 = 303.0;
const PRICE: f32 = 362.0;
const RATE: f32 = 406.0;
const NET: f32 = 472.0;
const ROW: f32 = 13.5;
const NOTE: f32 = 11.0;
/// The line below a session stands so far above where the next row would.
const RULE: f32 = 6.5;
const TEXT: f32 = 8.5;

/// Every session with its lines.
pub(super) fn sessions(sheet: &mut Sheet, paper: &Paper) {
    head(sheet, paper);
    for (session, lines) in &paper.sessions {
        let notes = notes(session, sheet);
        let height = notes.iter().fold(ROW + 0.5 - RULE, |sum, _| sum + NOTE);
        let height = lines.iter().fold(height, |sum, _| sum + ROW);
        // A session is kept together, unless it is longer than a page.
        if !sheet.has_room(height.min(500.0)) {
            sheet.next_page();
            head(sheet, paper);
        }
        title(sheet, session);
        for note in notes {
            sheet.left(LEFT + 6.0, grey(7.0), &note);
            sheet.y += NOTE;
        }
        sheet.y += 1.5;
        for line in lines {
            if !sheet.has_room(ROW - RULE) {
                sheet.next_page();
                head(sheet, paper);
            }
            row(sheet, line, paper);
        }
        sheet.rule(LEFT, RIGHT - LEFT, sheet.y - RULE, Ink::Hairline);
        sheet.y += 8.0;
    }
}

fn head(sheet: &mut Sheet, paper: &Paper) {
    let face = Type {
        ink: Ink::Grey,
        ..bold(7.5)
    };
    sheet.put(Mark::Box {
        x: LEFT,
        y: sheet.y - 12.0,
        w: RIGHT - LEFT,
        h: 18.0,
        ink: Ink::Tint,
    });
    sheet.left(LEFT + 6.0, face, "Charging session");
    sheet.right(QUANTITY, face, "Quantity");
    sheet.right(PRICE, face, "Unit price");
    sheet.right(RATE, face, "Tax");
    sheet.right(NET, face, &format!("Net {}", paper.currency));
    sheet.right(RIGHT - 6.0, face, &format!("Amount {}", paper.currency));
    sheet.y += 22.0;
}

fn title(sheet: &mut Sheet, session: &SessionOf) {
    let face = bold(TEXT);
    let period = words::period(session.started_at, session.ended_at, &session.time_zone);
    let width = sheet.measure.width(&period, plain(TEXT));
    let place = format!(
        "{} · {} / {}",
        session.site, session.station, session.connector
    );
    let place = sheet.measure.fit(&place, face, RIGHT - LEFT - 24.0 - width);
    sheet.left(LEFT + 6.0, face, &place);
    sheet.right(RIGHT - 6.0, plain(TEXT), &period);
    sheet.y += ROW - 1.0;
}

/// The meter, and where its signed values are found.
fn notes(session: &SessionOf, sheet: &Sheet) -> Vec<String> {
    let mut notes = Vec::new();
    let registers = session.register_start_wh.zip(session.register_stop_wh);
    let mut parts = vec![format!("Session {}", session.session_id)];
    if let Some((start, stop)) = registers {
        parts.insert(
            0,
            format!(
                "Meter {} kWh to {} kWh",
                words::kwh(start),
                words::kwh(stop)
            ),
        );
    }
    if session.prices_include_tax {
        parts.push("unit prices include tax".to_owned());
    }
    notes.push(parts.join(" · "));
    if !session.signed.is_empty() {
        let text = format!(
            "Signed meter values, sha256: {}",
            words::signed(&session.signed)
        );
        notes.push(sheet.measure.fit(&text, grey(7.0), RIGHT - LEFT - 12.0));
    }
    notes
}

fn row(sheet: &mut Sheet, line: &LineOf, paper: &Paper) {
    let face = plain(TEXT);
    let currency = paper.currency;
    let name = sheet
        .measure
        .fit(&words::line(line), face, QUANTITY - LEFT - 80.0);
    sheet.left(LEFT + 6.0, face, &name);
    sheet.right(QUANTITY, face, &words::quantity(line));
    sheet.right(PRICE, face, &words::unit_price(line.unit_price, currency));
    sheet.right(RATE, face, &words::rate(line.tax_rate));
    sheet.right(NET, face, &words::amount(line.net, currency));
    sheet.right(RIGHT - 6.0, face, &words::amount(line.total, currency));
    sheet.y += ROW;
}

/// Net, the tax of each rate, the total, and what the sun saved.
pub(super) fn totals(sheet: &mut Sheet, paper: &Paper) {
    let height = paper.taxes.iter().fold(86.0, |sum, _| sum + 15.0);
    if !sheet.has_room(height) {
        sheet.next_page();
    }
    sheet.y += 6.0;
    let currency = paper.currency;
    let line = |sheet: &mut Sheet, name: &str, value: Decimal, face: Type| {
        sheet.left(320.0, face, name);
        sheet.right(RIGHT - 6.0, face, &words::amount(value, currency));
        sheet.y += 15.0;
    };
    line(sheet, "Net", paper.net, plain(9.0));
    for (rate, net, tax) in &paper.taxes {
        let name = format!(
            "Tax {} on {}",
            words::rate(*rate),
            words::amount(*net, currency)
        );
        line(sheet, &name, *tax, plain(9.0));
    }
    sheet.rule(320.0, RIGHT - 320.0, sheet.y - 9.0, Ink::Black);
    sheet.y += 5.0;
    line(sheet, &format!("Total {currency}"), paper.total, bold(11.5));
    let energy = paper.energy_wh();
    if energy > 0 {
        sheet.y = sheet.y.max(0.0);
        let text = format!("Energy of all sessions: {} kWh", words::kwh(energy));
        sheet.left(320.0, grey(8.0), &text);
        sheet.y += 12.0;
    }
    if let Some(saved) = paper.saved() {
        let text = format!(
            "Saved by solar energy against grid energy: {}",
            words::money(saved, currency)
        );
        for part in sheet.measure.wrap(&text, grey(8.0), RIGHT - 320.0) {
            sheet.left(320.0, grey(8.0), &part);
            sheet.y += 11.0;
        }
    }
}
