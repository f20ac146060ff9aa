//! Authorities, certificates, requests and files, with requests also of OpenSSL: the other half of the world's chargers.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use certs::files::{self, NotWritten, Readers};
use certs::{Authority, Facts, Issued, Name, Request, Unfit};
use chrono::{DateTime, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, SanType,
};

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

const OPERATOR: &str = "Example CPO";

fn name(common: &str) -> Name<'_> {
    Name {
        common,
        organisation: OPERATOR,
    }
}

fn authority() -> Authority {
    let issued = Authority::create(name("Development CA"), 3650, noon()).unwrap();
    Authority::load(&issued.certificate, &issued.key).unwrap()
}

/// A request of the library's own, as `change` wants it.
fn request(change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, OPERATOR);
    params.distinguished_name.push(DnType::CommonName, "SN-1");
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

/// A request by OpenSSL for a new key of this kind.
fn by_openssl(key: &[&str], subject: &str) -> String {
    let asked = Command::new("openssl")
        .args(["req", "-new", "-nodes", "-keyout", "/dev/null", "-subj"])
        .arg(subject)
        .args(key)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(
        asked.status.success(),
        "{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    String::from_utf8(asked.stdout).unwrap()
}

const SUBJECT: &str = "/O=Example CPO/CN=SN-1";

#[test]
fn a_request_is_signed_for_its_key_and_names_and_nothing_else() {
    let authority = authority();
    for pem in [
        by_openssl(&["-newkey", "rsa:2048"], SUBJECT),
        by_openssl(
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            SUBJECT,
        ),
        by_openssl(
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-384",
                "-sha384",
            ],
            SUBJECT,
        ),
        request(|_| {}),
    ] {
        let request = Request::read(&pem).unwrap();
        request.check(OPERATOR, "SN-1").unwrap();
        let chain = authority.sign(&request, 365, noon()).unwrap();
        assert!(chain.len() <= 10_000);
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
        let facts = Facts::of_pem(&chain).unwrap();
        assert_eq!(facts.public_key, request.public_key);
        assert_eq!(
            (&*facts.common_name, &*facts.organisation, &*facts.issuer),
            ("SN-1", OPERATOR, "Development CA")
        );
        assert!(!facts.is_authority);
        assert_eq!(facts.not_after, noon() + Days::new(365));
    }
}

#[test]
fn a_request_that_wants_more_or_proves_less_is_unfit() {
    let unfit = |pem: &str| Request::read(pem).unwrap_err();
    let weak = by_openssl(&["-newkey", "rsa:1024"], SUBJECT);
    assert_eq!(unfit(&weak), Unfit::WeakKey("RSA of 1024 bits".to_owned()));
    let weak = by_openssl(
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"],
        SUBJECT,
    );
    assert!(matches!(unfit(&weak), Unfit::WeakKey(_)));
    let authority = request(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(unfit(&authority), Unfit::WantsAuthority);
    let named = request(|params| {
        params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
    });
    assert_eq!(unfit(&named), Unfit::OtherNames);
    for rubbish in ["", "-----BEGIN CERTIFICATE REQUEST-----", &"x".repeat(6000)] {
        assert!(matches!(unfit(rubbish), Unfit::Unreadable(_)));
    }
}

/// Somebody who has seen another's request cannot make it his own: one bit of name or key breaks the signature.
#[test]
fn a_request_without_its_key_is_unfit() {
    let pem = request(|_| {});
    let lines: Vec<&str> = pem.lines().collect();
    let mut found = 0;
    for (at, line) in lines.iter().enumerate().skip(1) {
        for (place, letter) in line.char_indices() {
            if at + 1 >= lines.len() || letter == '=' {
                continue;
            }
            let mut changed = lines.clone();
            let other = if letter == 'A' { 'B' } else { 'A' };
            let mended = format!("{}{other}{}", &line[..place], &line[place + 1..]);
            changed[at] = &mended;
            let read = Request::read(&changed.join("\n"));
            // The kind of the signature itself is not signed; whatever is said stays the same then.
            let same = read == Request::read(&pem);
            assert!(read.is_err() || same, "line {at}, letter {place}: {read:?}");
            found += usize::from(read == Err(Unfit::Unsigned));
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn names_are_compared_to_the_letter_and_none_may_stand_twice() {
    let good = Request::read(&request(|_| {})).unwrap();
    assert!(good.check(OPERATOR, "SN-1").is_ok());
    assert!(matches!(
        good.check(OPERATOR, "sn-1"),
        Err(Unfit::CommonName { .. })
    ));
    assert!(matches!(
        good.check("example cpo", "SN-1"),
        Err(Unfit::Organisation { .. })
    ));
    let two = by_openssl(
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "/O=Example CPO/CN=SN-1/CN=SN-2",
    );
    let two = Request::read(&two).unwrap();
    assert!(matches!(
        two.check(OPERATOR, "SN-1"),
        Err(Unfit::CommonName { .. })
    ));
}

#[test]
fn an_authority_is_loaded_only_with_its_own_key() {
    let one = Authority::create(name("One"), 10, noon()).unwrap();
    let two = Authority::create(name("Two"), 10, noon()).unwrap();
    let told =
        |certificate: &str, key: &str| Authority::load(certificate, key).unwrap_err().to_string();
    assert!(told(&one.certificate, &two.key).contains("not the one"));
    assert!(told("nothing", &one.key).contains("BEGIN CERTIFICATE"));
    assert!(told(&one.certificate, "nothing").contains("key"));
    let leaf = authority().station(name("SN-1"), 10, noon()).unwrap();
    assert!(told(&leaf.certificate, &leaf.key).contains("CA:TRUE"));
    let long = "x".repeat(65);
    for bad in ["", "a\nb", &long] {
        assert!(Authority::create(name(bad), 10, noon()).is_err());
    }
}

#[test]
fn files_have_safe_modes_and_are_not_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("certs");
    let pair = |text: &str| Issued {
        certificate: format!("certificate {text}"),
        key: format!("key {text}"),
    };
    let [certificate, key] = files::write_pair(&place, "ca", &pair("1"), false).unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600));

    std::fs::remove_file(&certificate).unwrap();
    let again = files::write_pair(&place, "ca", &pair("2"), false);
    assert!(matches!(again, Err(NotWritten::Exists(path)) if path == key));
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "key 1");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    files::write_pair(&place, "ca", &pair("3"), true).unwrap();
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "key 3");
    assert_eq!(mode(&key), 0o600);

    let nowhere = files::write(&key.join("below-a-file"), "x", Readers::All, false);
    assert!(matches!(nowhere, Err(NotWritten::Refused { .. })));
}
