//! PROXY protocol, version 2: what a balancer in front says of the connection that it passes on. Bytes in, words out; whom
//! to believe is not decided here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every header begins with this.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version, family and length.
pub(crate) const FIXED: usize = 16;
/// The longest rest taken; balancers send some hundred bytes.
const LONGEST: usize = 4096;
/// The part that tells of TLS, and its flag for "the client came by TLS".
const TLS: u8 = 0x20;
const BY_TLS: u8 = 0x01;

/// What the balancer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Who the client is; `None` for the balancer itself (its health checks) and for families that have no addresses.
    pub(crate) client: Option<IpAddr>,
    /// Whether the balancer took TLS off.
    pub(crate) tls: bool,
}

/// Why there is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the proxy does not begin with a header of PROXY protocol version 2")]
    NoHeader,
    #[error("the proxy's header is malformed")]
    Malformed,
}

/// How many bytes follow the fixed part.
pub(crate) fn rest(fixed: &[u8; FIXED]) -> Result<usize, Unreadable> {
    if fixed[..12] != SIGNATURE || fixed[12] >> 4 != 2 {
        return Err(Unreadable::NoHeader);
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > LONGEST {
        return Err(Unreadable::Malformed);
    }
    Ok(length)
}

/// Reads a header: its fixed part and its rest.
pub(crate) fn read(fixed: &[u8; FIXED], rest: &[u8]) -> Result<Header, Unreadable> {
    let (command, family) = (fixed[12] & 0x0f, fixed[13]);
    if command == 0 {
        return Ok(Header {
            client: None,
            tls: false,
        });
    }
    if command != 1 {
        return Err(Unreadable::Malformed);
    }
    let (client, addresses) = match family {
        // TCP over IPv4 and over IPv6; both addresses, both ports.
        0x11 => (
            first::<4>(rest).map(|octets| IpAddr::from(Ipv4Addr::from(octets))),
            12,
        ),
        0x21 => (
            first::<16>(rest).map(|octets| IpAddr::from(Ipv6Addr::from(octets)).to_canonical()),
            36,
        ),
        0x00 => (None, 0),
        _ => return Err(Unreadable::Malformed),
    };
    let parts = rest.get(addresses..).ok_or(Unreadable::Malformed)?;
    Ok(Header {
        client,
        tls: by_tls(parts)?,
    })
}

fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

/// Looks for the part about TLS among the parts: kind, length, value.
fn by_tls(mut parts: &[u8]) -> Result<bool, Unreadable> {
    while let [kind, high, low, rest @ ..] = parts {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, next) = rest.split_at_checked(length).ok_or(Unreadable::Malformed)?;
        if *kind == TLS {
            return Ok(value.first().is_some_and(|flags| flags & BY_TLS != 0));
        }
        parts = next;
    }
    if parts.is_empty() {
        Ok(false)
    } else {
        Err(Unreadable::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Header, Unreadable> {
        let fixed = bytes.first_chunk().ok_or(Unreadable::NoHeader)?;
        let length = rest(fixed)?;
        read(
            fixed,
            bytes.get(FIXED..FIXED + length).expect("a whole header"),
        )
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    #[test]
    fn the_clients_address_and_its_tls_are_read() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0xc0, 0, 0x23, 0x28];
        let told = parse(&header(1, 0x11, &v4)).unwrap();
        assert_eq!(told.client, Some("192.0.2.7".parse().unwrap()));
        assert!(!told.tls);

        let tls = [TLS, 0, 5, BY_TLS, 0, 0, 0, 0];
        let other = [0x04, 0, 1, 9];
        let told = parse(&header(1, 0x11, &[&v4[..], &other, &tls].concat())).unwrap();
        assert!(told.tls);
        let none = [TLS, 0, 5, 0, 0, 0, 0, 0];
        assert!(
            !parse(&header(1, 0x11, &[&v4[..], &none].concat()))
                .unwrap()
                .tls
        );

        let v6 = [
            &"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets()[..],
            &[0; 20],
        ]
        .concat();
        let told = parse(&header(1, 0x21, &v6)).unwrap();
        assert_eq!(told.client, Some("2001:db8::7".parse().unwrap()));
    }

    #[test]
    fn the_balancers_own_checks_have_no_client() {
        assert_eq!(parse(&header(0, 0x11, &[1; 12])).unwrap().client, None);
        assert_eq!(parse(&header(1, 0, &[])).unwrap().client, None);
    }

    #[test]
    fn what_is_no_header_or_a_broken_one_is_refused() {
        use Unreadable::{Malformed, NoHeader};
        let request = b"GET /ocpp/CP1 HTTP/1.1\r\n\r\n";
        assert_eq!(parse(request), Err(NoHeader));
        assert_eq!(
            parse(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n"),
            Err(NoHeader)
        );
        let mut version_1 = header(1, 0x11, &[0; 12]);
        version_1[12] = 0x11;
        assert_eq!(parse(&version_1), Err(NoHeader));
        assert_eq!(parse(&header(1, 0x11, &[0; 11])), Err(Malformed));
        assert_eq!(parse(&header(7, 0x11, &[0; 12])), Err(Malformed));
        assert_eq!(parse(&header(1, 0x31, &[0; 216])), Err(Malformed));
        assert_eq!(parse(&header(1, 0x11, &[0; 5000])), Err(Malformed));
        let cut = [&[0; 12][..], &[TLS, 0, 9, BY_TLS]].concat();
        assert_eq!(parse(&header(1, 0x11, &cut)), Err(Malformed));
        let cut = [&[0; 12][..], &[TLS, 0]].concat();
        assert_eq!(parse(&header(1, 0x11, &cut)), Err(Malformed));
    }
}
