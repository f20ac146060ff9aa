//! Stylesheet, scripts and icon, embedded in the binary. Ours are in `assets/own`; the libraries come from npm by the
//! lockfile in `assets` (`npm ci`), and only the files named here are embedded.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{Error, Result};

#[derive(RustEmbed)]
#[folder = "assets/own"]
struct Own;

#[derive(RustEmbed)]
#[folder = "assets/node_modules"]
#[include = "htmx.org/dist/htmx.min.js"]
#[include = "htmx-ext-sse/dist/sse.min.js"]
#[include = "idiomorph/dist/idiomorph-ext.min.js"]
#[include = "uplot/dist/uPlot.iife.min.js"]
#[include = "uplot/dist/uPlot.min.css"]
struct Library;

/// The names by which pages ask for library files.
const LIBRARIES: [(&str, &str); 5] = [
    ("htmx.js", "htmx.org/dist/htmx.min.js"),
    ("sse.js", "htmx-ext-sse/dist/sse.min.js"),
    ("idiomorph.js", "idiomorph/dist/idiomorph-ext.min.js"),
    ("uplot.js", "uplot/dist/uPlot.iife.min.js"),
    ("uplot.css", "uplot/dist/uPlot.min.css"),
];

/// The embedded file of that name.
pub fn file(name: &str) -> Option<EmbeddedFile> {
    match LIBRARIES.iter().find(|library| library.0 == name) {
        Some((_, path)) => Library::get(path),
        None => Own::get(name),
    }
}

/// Names of every file that a page can ask for.
pub fn names() -> impl Iterator<Item = String> {
    let libraries = LIBRARIES.iter().map(|library| library.0.to_owned());
    libraries.chain(Own::iter().map(|name| name.into_owned()))
}

/// The first characters of a file's SHA-256: its version.
fn version(file: &EmbeddedFile) -> String {
    hex::encode(&file.metadata.sha256_hash()[..6])
}

/// Where a page finds a file. The version in it lets browsers keep the file for good.
///
/// # Panics
/// When there is no such file: a misspelling in a template.
pub fn url(name: &str) -> &'static str {
    static URLS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        names()
            .filter_map(|name| {
                let version = version(&file(&name)?);
                let url = format!("/assets/{name}?v={version}");
                Some((name, url))
            })
            .collect()
    });
    URLS.get(name)
        .unwrap_or_else(|| panic!("no asset is called {name}"))
}

/// `GET /assets/{name}`: the file, to be kept for a year, since another version has another address.
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let file = file(&name).ok_or_else(|| Error::NotFound("there is no such file".to_owned()))?;
    let tag = format!("\"{}\"", version(&file));
    let common = [
        (header::ETAG, tag.clone()),
        (
            header::CACHE_CONTROL,
            "public, max-age=31536000, immutable".to_owned(),
        ),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == tag.as_str())
    {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let media = file.metadata.mimetype().to_owned();
    Ok((common, [(header::CONTENT_TYPE, media)], file.data).into_response())
}

/// `GET /favicon.ico`: what browsers ask for where no page names an icon.
pub async fn favicon(headers: HeaderMap) -> Result<Response> {
    serve(Path("icon.svg".to_owned()), headers).await
}
