//! The floor server's door: ws and wss on one port, and any subprotocol.

use certs::{Authority, Name};
use chrono::{DateTime, Utc};
use simulators::{
    clock::utc_now,
    floor,
    socket::Target,
    wire::{self, Tls},
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(utc_now().0).expect("a time of today")
}

fn authority() -> Authority {
    let name = Name {
        common: "Test CA",
        organisation: "Example CPO",
    };
    let root = Authority::create(name, 10, now()).expect("an authority");
    Authority::load(&root.certificate, &root.key).expect("the same")
}

#[tokio::test]
async fn with_a_certificate_the_floor_serves_ws_and_wss_on_one_port() {
    let (ours, strangers) = (authority(), authority());
    let server = ours.server(&["localhost".to_owned()], 10, now());
    let server = server.expect("a certificate");
    let tls = wire::acceptor(server.certificate.as_bytes(), server.key.as_bytes());
    let listener = floor::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let tls = Some(tls.expect("certificate and key"));
    tokio::spawn(floor::serve_both(listener, tls, floor::Bare));

    let target = |scheme: &str| {
        Target::new(&format!("{scheme}://localhost:{port}/ocpp")).expect("a good URL")
    };
    let believes = |authority: &Authority| {
        let tls = Tls::of_pem(authority.certificate().as_bytes(), None);
        target("wss").trusting(Some(tls.expect("a root")))
    };
    let plain = target("ws").connect("CP1", None).await;
    assert!(plain.is_ok(), "{:?}", plain.err());
    let over_tls = believes(&ours).connect("CP1", None).await;
    assert!(over_tls.is_ok(), "{:?}", over_tls.err());
    let refused = believes(&strangers).connect("CP1", None).await;
    assert!(refused.is_err(), "its certificate is of nobody they know");
}
