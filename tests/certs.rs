//! `forecourt certs`, as a person types it: files with safe modes, nothing overwritten, and OpenSSL believes them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn forecourt(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forecourt"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

#[track_caller]
fn does(folder: &Path, words: &[&str]) -> String {
    let output = forecourt(folder, words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refuses(folder: &Path, words: &[&str], because: &str) {
    let output = forecourt(folder, words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{words:?} was done");
    assert!(told.contains(because), "{words:?}: {told}");
}

fn openssl(folder: &Path, words: &[&str]) -> bool {
    Command::new("openssl")
        .args(words)
        .current_dir(folder.join("data/certs"))
        .output()
        .expect("openssl is missing: apt-get install openssl")
        .status
        .success()
}

#[test]
fn an_authority_a_server_a_station_and_a_revocation() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    refuses(
        home,
        &["certs", "server", "localhost"],
        "make an authority first",
    );
    let dev_ca = ["certs", "dev-ca", "--organisation", "Example CPO"];
    let told = does(home, &dev_ca);
    assert!(told.contains("data/certs/ca.pem"), "{told}");
    refuses(home, &dev_ca, "exists already: pass --force");
    does(home, &["certs", "server", "localhost", "127.0.0.1"]);
    does(home, &["certs", "station", "SN-1"]);
    does(home, &["certs", "station", "SN-1", "--force"]);
    refuses(home, &["certs", "station", "../SN-1"], "without / and");
    refuses(home, &["certs", "station", ""], "1 to 64");

    let mode = |name: &str| {
        let data = std::fs::metadata(home.join("data/certs").join(name)).unwrap();
        data.permissions().mode() & 0o777
    };
    for (certificate, key) in [
        ("ca.pem", "ca.key"),
        ("server.pem", "server.key"),
        ("station-SN-1.pem", "station-SN-1.key"),
    ] {
        assert_eq!((mode(certificate), mode(key)), (0o644, 0o600), "{key}");
    }

    let verify = ["verify", "-CAfile", "ca.pem"];
    let crl = ["-CRLfile", "ca.crl", "-crl_check"];
    let server = ["-purpose", "sslserver", "server.pem"];
    assert!(openssl(home, &[&verify[..], &server].concat()));
    let station = ["-purpose", "sslclient", "station-SN-1.pem"];
    assert!(openssl(home, &[&verify[..], &crl, &station].concat()));
    does(home, &["certs", "revoke", "data/certs/station-SN-1.pem"]);
    assert!(!openssl(home, &[&verify[..], &crl, &station].concat()));
    let told = does(home, &["certs", "revoke", "data/certs/station-SN-1.pem"]);
    assert!(told.contains("1 revoked in all"), "{told}");
}
