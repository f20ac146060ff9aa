//! Rules of look that need no browser: contrast, weight, and that nothing comes from elsewhere or slips past escaping.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use portal::assets;

/// Relative luminance (WCAG 2.2) of `#RRGGBB`.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// `--name: light-dark(#light, #dark);`
fn tokens() -> BTreeMap<String, (String, String)> {
    let css = file("app.css");
    css.lines()
        .filter_map(|line| {
            let (name, value) = line
                .trim()
                .strip_prefix("--")?
                .split_once(": light-dark(")?;
            let (light, dark) = value.strip_suffix(");")?.split_once(", ")?;
            Some((name.to_owned(), (light.to_owned(), dark.to_owned())))
        })
        .collect()
}

fn file(name: &str) -> String {
    String::from_utf8(assets::file(name).unwrap().data.into_owned()).unwrap()
}

#[test]
fn every_pair_of_colours_that_carries_text_is_legible_in_light_and_dark() {
    let tokens = tokens();
    let mut pairs = vec![
        ("text", "bg", 7.0),
        ("text", "surface", 7.0),
        ("text", "sunken", 7.0),
        ("muted", "bg", 4.5),
        ("muted", "surface", 4.5),
        ("muted", "sunken", 4.5),
        ("link", "surface", 4.5),
        ("link", "bg", 4.5),
        ("primary", "surface", 4.5),
        ("primary", "sunken", 4.5),
        ("on-primary", "primary", 4.5),
        ("danger", "surface", 4.5),
        ("surface", "danger", 4.5),
        ("suspended", "surface", 4.5),
        ("available", "surface", 4.5),
        ("text", "band-1", 4.5),
        ("text", "band-2", 4.5),
        ("text", "band-3", 4.5),
        ("on-band", "band-4", 4.5),
        ("on-band", "band-5", 4.5),
        ("on-band", "band-6", 4.5),
        // Borders of controls and lines of charts are not text: 3 to 1.
        ("border", "surface", 3.0),
        ("series-power", "surface", 3.0),
        ("series-energy", "surface", 3.0),
        ("series-soc", "surface", 3.0),
        ("series-offered", "surface", 3.0),
    ];
    let states = [
        ("available", "available-tint"),
        ("preparing", "preparing-tint"),
        ("charging", "charging-tint"),
        ("suspended", "suspended-tint"),
        ("finishing", "finishing-tint"),
        ("reserved", "reserved-tint"),
        ("unavailable", "unavailable-tint"),
        ("faulted", "faulted-tint"),
        ("offline", "offline-tint"),
    ];
    pairs.extend(states.map(|(text, tint)| (text, tint, 4.5)));
    for (text, ground, least) in pairs {
        let (text_colours, ground_colours) = (&tokens[text], &tokens[ground]);
        for (theme, ratio) in [
            ("light", contrast(&text_colours.0, &ground_colours.0)),
            ("dark", contrast(&text_colours.1, &ground_colours.1)),
        ] {
            assert!(
                ratio >= least,
                "{text} on {ground}, {theme}: {ratio:.2} of {least}"
            );
        }
    }
}

#[test]
fn colours_are_tokens_everywhere_else() {
    let css = file("app.css");
    let rules = css.split_once("--sidebar").unwrap().1;
    assert!(!rules.contains('#'), "a colour that is no token");
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["templates", "assets/own"] {
        for entry in fs::read_dir(own.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let name = path.display();
            for banned in [
                "https://",
                "src=\"http",
                "style=\"",
                "<style",
                "onclick=",
                "onload=",
                "|safe",
                "| safe",
                "javascript:",
            ] {
                assert!(!text.contains(banned), "{name} has {banned}");
            }
            // The name of the SVG namespace is no address that anybody asks.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http://"),
                "{name} has an address of elsewhere"
            );
        }
    }
}

#[test]
fn all_scripts_together_stay_small() {
    let scripts: Vec<String> = assets::names()
        .filter(|name| name.ends_with(".js"))
        .collect();
    let all: Vec<u8> = scripts
        .iter()
        .flat_map(|name| assets::file(name).unwrap().data.into_owned())
        .collect();
    let weight = gzipped(&all);
    assert!(
        scripts.len() >= 6 && weight < 60 * 1024,
        "{weight} bytes of {scripts:?}"
    );
}

/// How many bytes it is on the wire.
pub fn gzipped(bytes: &[u8]) -> usize {
    let mut gzip = std::process::Command::new("gzip")
        .arg("-9c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip is missing: apt-get install gzip");
    let mut stdin = gzip.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout.len()
}
