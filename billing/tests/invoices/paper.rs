//! The PDF: readable as text, the same bytes for the same document, a head on each page.

use std::{path::Path, process::Command};

use billing::{
    invoice::{Party, paper::Paper, reckon},
    pdf,
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use store::{
    invoices::{Kind, LineOf, SessionOf},
    shop,
};
use uuid::Uuid;

use super::{at, day};

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A statement of so many sessions, at stations with names from all over.
pub fn statement(sessions: i64) -> Paper {
    let mut made = Vec::new();
    let places = [
        "Hafen Köln-Mülheim",
        "Λιμάνι Πειραιά",
        "Набережная 12",
        "Želivského ž",
    ];
    for n in 0..sessions {
        let place = places[usize::try_from(n).unwrap() % 4];
        let start = at("2026-10-01T05:15:00Z") + TimeDelta::minutes(n * 700);
        let session = SessionOf {
            position: i32::try_from(n).unwrap() + 1,
            session_id: Uuid::from_u128(
                0x0199_aaaa_bbbb_7ccc_8ddd_0000_0000_0000 + u128::try_from(n).unwrap(),
            ),
            revision: 1,
            site_id: None,
            site: place.to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            station: format!("HC-DC-{:02}", n % 9 + 1),
            connector: 1,
            id_token: "04A1".to_owned(),
            started_at: start,
            ended_at: start + TimeDelta::minutes(83),
            energy_wh: Some(16_700),
            register_start_wh: Some(1_284_037 + n * 16_700),
            register_stop_wh: Some(1_300_737 + n * 16_700),
            prices_include_tax: n % 2 == 1,
            signed: if n % 3 == 0 {
                vec![
                    "ab12cd34ef56ab12cd34".to_owned(),
                    "99887766554433221100".to_owned(),
                ]
            } else {
                Vec::new()
            },
            saved: (n == 0).then(|| dec("4.46")),
        };
        let line = |kind: &str, source: Option<&str>, quantity, price, net, tax| LineOf {
            position: session.position,
            kind: kind.to_owned(),
            source: source.map(str::to_owned),
            quantity: dec(quantity),
            unit_price: dec(price),
            tax_rate: dec("19"),
            net: dec(net),
            tax: dec(tax),
            total: dec(net) + dec(tax),
            from: session.started_at,
            to: session.ended_at,
        };
        let lines = vec![
            line("start", None, "1", "0.35", "0.35", "0.07"),
            line("energy", Some("solar"), "12.5", "0.29", "3.63", "0.69"),
            line("energy", Some("grid"), "4.2", "0.585", "2.46", "0.47"),
        ];
        made.push((session, lines));
    }
    let lines: Vec<LineOf> = made.iter().flat_map(|(_, lines)| lines.clone()).collect();
    let sum = |of: fn(&LineOf) -> Decimal| lines.iter().map(of).sum();
    let fields = shop::fields("Hafen Laden GmbH", "EUR");
    Paper {
        kind: Kind::Statement,
        number: "HC-000123".to_owned(),
        seller: Party {
            name: fields.name,
            address: fields.address,
            country: fields.country,
            tax_id: fields.tax_id,
            email: fields.email,
            payment_details:
                "Hafenbank Hamburg\nIBAN DE02 1203 0000 0000 2020 51 · BIC BYLADEM1001".to_owned(),
        },
        logo: None,
        buyer: Party {
            name: "Αφοί Παπαδόπουλοι Ο.Ε.".to_owned(),
            address: "Λεωφόρος Συγγρού 112\n117 41 Αθήνα".to_owned(),
            country: "GR".to_owned(),
            tax_id: "EL123456789".to_owned(),
            ..Party::default()
        },
        issued_at: at("2026-11-02T09:00:00Z"),
        issued_on: day("2026-11-02"),
        due_on: day("2026-11-16"),
        month: Some(day("2026-10-01")),
        currency: "EUR".parse().unwrap(),
        taxes: reckon::taxes(&lines),
        net: sum(|line| line.net),
        tax: sum(|line| line.tax),
        total: sum(|line| line.total),
        sessions: made,
        corrects: None,
        replaces: None,
        reason: String::new(),
    }
}

/// The file as text, as readers and screen readers get it.
fn text(file: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!(
        "invoice-{}-{}.pdf",
        std::process::id(),
        Uuid::new_v4()
    ));
    std::fs::write(&path, file).unwrap();
    let output = Command::new("pdftotext")
        .args(["-layout"])
        .arg(&path)
        .arg("-")
        .output();
    std::fs::remove_file(&path).unwrap();
    let output =
        output.expect("pdftotext is missing: apt-get install poppler-utils, or scripts/setup dev");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Keeps a file for people to look at.
fn keep(name: &str, file: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artefacts/papers");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), file).unwrap();
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn a_statement_says_everything_and_its_head_comes_again() {
    let paper = statement(17);
    let file = pdf::render(&paper).unwrap();
    keep("statement.pdf", &file);
    let text = text(&file);
    let pages: Vec<&str> = text
        .split('\u{c}')
        .filter(|page| !page.trim().is_empty())
        .collect();
    assert_eq!(pages.len(), 3, "{text}");
    for (n, page) in pages.iter().enumerate() {
        has(
            page,
            &[
                &format!("page {} of 3", n + 1),
                "HC-000123",
                "Hafen Laden GmbH · Tax id DE123456789",
            ],
        );
    }
    has(pages[1], &["Charging session", "Unit price", "Amount EUR"]);
    has(
        pages[0],
        &[
            "Invoice for October 2026",
            "Αφοί Παπαδόπουλοι Ο.Ε.",
            "Λεωφόρος Συγγρού 112",
            "2 November 2026",
            "16 November 2026",
            "Hafen Köln-Mülheim · HC-DC-01 / 1",
            "Λιμάνι Πειραιά",
            "Набережная 12",
            "1 Oct 2026 07:15 – 08:38 CEST",
            "Meter 1,284.037 kWh to 1,300.737 kWh",
            "sha256: ab12cd34ef56, 998877665544",
            "Energy, solar",
            "12.500 kWh",
            "0.585",
            "unit prices include tax",
        ],
    );
    has(
        pages[2],
        &[
            "Net",
            "109.48",
            "Tax 19 % on 109.48",
            "Total EUR",
            "130.39",
            "Energy of all sessions: 283.900 kWh",
            "EUR 4.46",
            "Please pay EUR 130.39 by 16 November 2026, quoting HC-000123.",
            "IBAN DE02 1203 0000 0000 2020 51",
        ],
    );
}

#[test]
fn the_same_document_is_the_same_bytes() {
    let paper = statement(3);
    let file = pdf::render(&paper).unwrap();
    assert_eq!(file, pdf::render(&paper).unwrap());
    assert!(file.len() < 120_000, "{} bytes", file.len());
    let other = Paper {
        number: "HC-000124".to_owned(),
        ..paper
    };
    assert_ne!(file, pdf::render(&other).unwrap());
}

#[test]
fn a_credit_note_says_what_it_takes_back() {
    let invoice = statement(1);
    let (sessions, lines): (Vec<SessionOf>, Vec<Vec<LineOf>>) =
        invoice.sessions.iter().cloned().unzip();
    let back = reckon::reverse(&sessions, &lines.concat());
    let paper = Paper {
        kind: Kind::CreditNote,
        number: "HC-C000007".to_owned(),
        month: None,
        corrects: Some("HC-000123".to_owned()),
        reason: "Goodwill".to_owned(),
        taxes: reckon::taxes(&back.lines),
        net: back.net,
        tax: back.tax,
        total: back.total,
        sessions: vec![(back.sessions[0].clone(), back.lines.clone())],
        ..invoice
    };
    let file = pdf::render(&paper).unwrap();
    keep("credit-note.pdf", &file);
    let text = text(&file);
    has(
        &text,
        &[
            "Credit note",
            "HC-C000007",
            "Takes back what is listed below of invoice HC-000123. Goodwill.",
            "\u{2212}7.67",
            // Its start fee, once taken back, with the sign that amounts have.
            " \u{2212}1 ",
            "EUR 7.67 is set off against what is open of invoice HC-000123, or paid back.",
        ],
    );
    assert!(!text.contains("Please pay"), "{text}");
}

/// Names that do not fit are cut, control characters vanish, and a logo that is none gives way to the name.
#[test]
fn nothing_that_people_type_breaks_the_page() {
    let mut paper = statement(2);
    paper.seller.name = "Very ".repeat(80);
    paper.buyer.name = "W".repeat(500);
    paper.buyer.address = "line\u{0}\u{7}\n".repeat(40);
    paper.sessions[0].0.site = "Site ".repeat(100);
    paper.sessions[0].0.signed = vec!["f".repeat(64); 60];
    paper.logo = Some(b"no picture".to_vec());
    paper.seller.payment_details = "IBAN ".repeat(300);
    let file = pdf::render(&paper).unwrap();
    keep("stress.pdf", &file);
    let text = text(&file);
    has(&text, &["Very Very", "WWWW", "…", "page 1 of"]);
}

/// A name of usual length is printed whole, above the sender's line of the window, and a country by its name; a short
/// month is one page.
#[test]
fn what_people_are_called_is_printed_whole() {
    let mut paper = statement(3);
    paper.seller.name = "Wesermaas Laadnetwerk & Partners B.V.".to_owned();
    paper.seller.address = "Strevelsweg 700\n3083 AS Rotterdam".to_owned();
    paper.seller.country = "NL".to_owned();
    let file = pdf::render(&paper).unwrap();
    keep("names.pdf", &file);
    let text = text(&file);
    let order = [
        "Wesermaas Laadnetwerk & Partners B.V.",
        "Netherlands",
        "Wesermaas Laadnetwerk & Partners B.V. · Strevelsweg 700 · 3083 AS Rotterdam",
        "Αφοί Παπαδόπουλοι Ο.Ε.",
        "Greece",
        "Invoice for October 2026",
        "Total EUR",
        "page 1 of 1",
    ];
    let mut rest = text.as_str();
    for words in order {
        let Some(place) = rest.find(words) else {
            panic!("{words:?} does not follow in:\n{text}");
        };
        rest = &rest[place + words.len()..];
    }
    assert!(!text.contains('…'), "{text}");
}

/// Who pays must be named whole: what is too long for a line goes on in the next, smaller if there are many.
#[test]
fn long_names_and_addresses_are_printed_whole() {
    let mut paper = statement(1);
    paper.seller.country = "DE".to_owned();
    let name =
        "Gesellschaft für Ladeinfrastruktur und Flottenmanagement in Süddeutschland mbH & Co. KG";
    paper.buyer.name = name.to_owned();
    paper.buyer.address = format!(
        "{}\nGebäude 7, Eingang Süd, dritter Stock, bei der Buchhaltung abzugeben\n{}",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsallee 12",
        "Zu Händen von Frau Dr.-Ing. Anna-Maria Freifrau von und zu Musterhausen-Langenstein\n70173 Stuttgart"
    );
    paper.buyer.country = "AT".to_owned();
    let file = pdf::render(&paper).unwrap();
    keep("long-names.pdf", &file);
    let text = text(&file);
    assert!(!text.contains('…'), "{text}");
    for word in [name, &paper.buyer.address]
        .iter()
        .flat_map(|text| text.split_whitespace())
    {
        let end: String = word.chars().rev().take(6).collect();
        let end: String = end.chars().rev().collect();
        assert!(
            text.contains(&end),
            "{end:?} of {word:?} is missing in:\n{text}"
        );
    }
    assert!(text.contains("Austria"), "{text}");
}

/// However many there are: a page goes on with a session, never in the middle of one.
#[test]
fn a_session_is_kept_together() {
    let file = pdf::render(&statement(60)).unwrap();
    let text = text(&file);
    let mut pages = 0;
    for page in text.split('\u{c}').filter(|page| page.contains("Quantity")) {
        let (_, below) = page.split_once("Amount EUR").unwrap();
        let first = below.lines().find(|line| !line.trim().is_empty());
        assert!(first.unwrap().contains(" / 1 "), "{page}");
        pages += 1;
    }
    assert!(pages > 5, "{pages} pages");
}
