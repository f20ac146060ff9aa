//! Replays every file of the fuzz corpus: what once broke the parser never does again.

#[path = "support/fuzz.rs"]
mod fuzz;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(
        files.len() >= 10,
        "{} has only {} files",
        folder.display(),
        files.len()
    );
    for file in files {
        println!("{}", file.display());
        run(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn frames() {
    replay("frame", fuzz::frame);
}

#[test]
fn payloads() {
    replay("payload", fuzz::payload);
}
