//! What a document says: priced sessions become lines whose amounts add up to its totals. Pure: nothing is loaded here.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use store::{
    Currency, Rounding,
    invoices::{Billable, LineOf, SessionOf},
    legal_entities::TaxPer,
};
use uuid::Uuid;

use crate::{
    price::{Line, LineKind},
    tariff::Source,
};

/// The sessions and lines of a document, and their sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// In the order given.
    pub sessions: Vec<SessionOf>,
    /// In the order of the sessions.
    pub lines: Vec<LineOf>,
    /// The lines' sum.
    pub net: Decimal,
    /// The lines' sum.
    pub tax: Decimal,
    /// The lines' sum.
    pub total: Decimal,
}

/// A price that cannot be read, or does not add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the price of session {session} cannot be invoiced: {why}")]
pub struct Unreadable {
    /// Whose price.
    pub session: Uuid,
    /// What is wrong with it.
    pub why: String,
}

/// How a seller reckons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// From which sum tax is reckoned.
    pub tax_per: TaxPer,
    /// How a half is rounded.
    pub rounding: Rounding,
    /// Of the document.
    pub currency: Currency,
}

/// A bill of these sessions.
///
/// # Errors
/// When a price cannot be read.
pub fn reckon(sessions: &[Billable], rules: Rules) -> Result<Bill, Unreadable> {
    let mut bill = Bill::default();
    // Rate and whether prices include the tax, and the lines that share them.
    let mut groups: BTreeMap<(Decimal, bool), Vec<usize>> = BTreeMap::new();
    for (position, session) in (1_i32..).zip(sessions) {
        let lines = read(session, rules.currency)?;
        bill.sessions.push(SessionOf {
            saved: saved(&lines, session.prices_include_tax, rules),
            ..session_of(session, position)
        });
        for line in lines {
            groups
                .entry((line.tax_rate.normalize(), session.prices_include_tax))
                .or_default()
                .push(bill.lines.len());
            bill.lines.push(line_of(&line, position));
        }
    }
    if rules.tax_per == TaxPer::Rate {
        for ((rate, included), group) in &groups {
            tax_together(&mut bill.lines, group, *rate, *included, rules);
        }
    }
    add_up(&mut bill);
    Ok(bill)
}

/// The bill that takes lines back: all amounts and quantities negative.
pub fn reverse(sessions: &[SessionOf], lines: &[LineOf]) -> Bill {
    let mut bill = Bill {
        sessions: sessions
            .iter()
            .map(|session| SessionOf {
                saved: None,
                ..session.clone()
            })
            .collect(),
        lines: lines
            .iter()
            .map(|line| LineOf {
                quantity: -line.quantity,
                net: -line.net,
                tax: -line.tax,
                total: -line.total,
                ..line.clone()
            })
            .collect(),
        ..Bill::default()
    };
    add_up(&mut bill);
    bill
}

fn add_up(bill: &mut Bill) {
    bill.net = bill.lines.iter().map(|line| line.net).sum();
    bill.tax = bill.lines.iter().map(|line| line.tax).sum();
    bill.total = bill.lines.iter().map(|line| line.total).sum();
}

/// Net and tax of each rate, by rate.
pub fn taxes(lines: &[LineOf]) -> Vec<(Decimal, Decimal, Decimal)> {
    let mut by_rate: BTreeMap<Decimal, (Decimal, Decimal)> = BTreeMap::new();
    for line in lines {
        let sums = by_rate.entry(line.tax_rate.normalize()).or_default();
        sums.0 += line.net;
        sums.1 += line.tax;
    }
    by_rate
        .into_iter()
        .map(|(rate, (net, tax))| (rate, net, tax))
        .collect()
}

fn read(session: &Billable, currency: Currency) -> Result<Vec<Line>, Unreadable> {
    let wrong = |why: String| Unreadable {
        session: session.session_id,
        why,
    };
    let lines: Vec<Line> =
        serde_json::from_value(session.lines.clone()).map_err(|error| wrong(error.to_string()))?;
    if session.currency != currency.code() {
        return Err(wrong(format!("it is in {}", session.currency)));
    }
    let minor = currency.exponent();
    for line in &lines {
        let amounts = [line.net, line.tax, line.total];
        if line.net + line.tax != line.total
            || amounts
                .iter()
                .any(|amount| amount.normalize().scale() > minor)
        {
            return Err(wrong(format!(
                "{} + {} is not {} {currency}",
                line.net, line.tax, line.total
            )));
        }
    }
    Ok(lines)
}

fn session_of(session: &Billable, position: i32) -> SessionOf {
    SessionOf {
        position,
        session_id: session.session_id,
        revision: session.revision,
        site_id: session.site_id,
        site: session.site.clone(),
        time_zone: session.time_zone.clone(),
        station: session.station.clone(),
        connector: session.connector,
        id_token: session.id_token.clone(),
        started_at: session.started_at,
        ended_at: session.ended_at,
        energy_wh: session.energy_wh,
        register_start_wh: session.register_start_wh,
        register_stop_wh: session.register_stop_wh,
        prices_include_tax: session.prices_include_tax,
        signed: session.signed.clone(),
        saved: None,
    }
}

fn line_of(line: &Line, position: i32) -> LineOf {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let kind = serde_json::to_value(line.kind).expect("a word is always JSON");
    LineOf {
        position,
        kind: word(kind),
        source: line
            .source
            .map(|source| word(serde_json::to_value(source).expect("a word is always JSON"))),
        quantity: line.quantity,
        unit_price: line.unit_price,
        tax_rate: line.tax_rate,
        net: line.net,
        tax: line.tax,
        total: line.total,
        from: line.from,
        to: line.to,
    }
}

/// Taxes lines of one rate by their sum: the tax is rounded once and then shared out so that each line still shows its
/// own. Who gets the odd minor units is decided by the largest remainder, so that no line is off by a whole one.
fn tax_together(
    lines: &mut [LineOf],
    group: &[usize],
    rate: Decimal,
    included: bool,
    rules: Rules,
) {
    let minor = rules.currency.exponent();
    let unit = Decimal::new(1, minor);
    let divisor = if included {
        Decimal::ONE_HUNDRED + rate
    } else {
        Decimal::ONE_HUNDRED
    };
    let base = |line: &LineOf| if included { line.total } else { line.net };
    let sum: Decimal = group.iter().map(|n| base(&lines[*n])).sum();
    let tax = rules.rounding.round(sum * rate / divisor, minor);
    let mut shares: Vec<(usize, Decimal, Decimal)> = group
        .iter()
        .map(|n| {
            let exact = base(&lines[*n]) * rate / divisor;
            let whole = exact
                .round_dp_with_strategy(minor, rust_decimal::RoundingStrategy::ToNegativeInfinity);
            (*n, whole, exact - whole)
        })
        .collect();
    let mut odd = tax - shares.iter().map(|share| share.1).sum::<Decimal>();
    shares.sort_by(|one, other| other.2.cmp(&one.2).then(one.0.cmp(&other.0)));
    for n in (0..shares.len()).cycle() {
        if odd.is_zero() {
            break;
        }
        let step = if odd.is_sign_positive() { unit } else { -unit };
        shares[n].1 += step;
        odd -= step;
    }
    for (n, tax, _) in shares {
        let line = &mut lines[n];
        line.tax = tax;
        if included {
            line.net = line.total - tax;
        } else {
            line.total = line.net + tax;
        }
    }
}

/// What energy from the sun saved against the same energy from the grid, tax included. Known where the session has prices
/// of both (spec solar 2.6).
fn saved(lines: &[Line], prices_include_tax: bool, rules: Rules) -> Option<Decimal> {
    let energy = |source| {
        lines
            .iter()
            .filter(move |line| line.kind == LineKind::Energy && line.source == Some(source))
    };
    let grid: Vec<&Line> = energy(Source::Grid).collect();
    let grid_kwh: Decimal = grid.iter().map(|line| line.quantity).sum();
    if grid_kwh.is_zero() || energy(Source::Solar).next().is_none() {
        return None;
    }
    let grid_price = grid
        .iter()
        .map(|line| line.quantity * line.unit_price)
        .sum::<Decimal>()
        / grid_kwh;
    let saved: Decimal = energy(Source::Solar)
        .map(|line| {
            let difference = line.quantity * (grid_price - line.unit_price);
            if prices_include_tax {
                difference
            } else {
                difference * (Decimal::ONE_HUNDRED + line.tax_rate) / Decimal::ONE_HUNDRED
            }
        })
        .sum();
    let rounded = rules.rounding.round(saved, rules.currency.exponent());
    (rounded > Decimal::ZERO).then_some(rounded)
}
