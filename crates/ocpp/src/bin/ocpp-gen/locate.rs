//! Where the schemas are. Shared by the generator and the differential test.

use std::path::{Path, PathBuf};

/// The folder of the Python package `ocpp`: `OCPP_SCHEMAS`, else the one in `.venv` of the repository.
///
/// # Errors
/// Says what to run when there is none.
pub fn schemas() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("OCPP_SCHEMAS") {
        return Ok(folder.into());
    }
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let pythons = std::fs::read_dir(&lib).into_iter().flatten().flatten();
    pythons
        .map(|python| python.path().join("site-packages/ocpp"))
        .find(|package| package.join("v16/schemas").is_dir())
        .ok_or_else(|| {
            format!(
                "no OCPP schemas below {}; run `scripts/setup`, or set OCPP_SCHEMAS",
                lib.display()
            )
        })
}
