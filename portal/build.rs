//! Says what to do when the front-end libraries are not there yet; the macro that embeds them would only name a folder.
use std::path::Path;

fn main() {
    let lock = "assets/node_modules/.package-lock.json";
    println!("cargo:rerun-if-changed={lock}");
    println!("cargo:rerun-if-changed=assets/own");
    println!("cargo:rerun-if-changed=templates");
    if !Path::new(lock).exists() {
        println!(
            "cargo::error=the front-end libraries are missing (portal/{lock}): run `scripts/setup run`, or `npm ci` in portal/assets"
        );
    }
}
