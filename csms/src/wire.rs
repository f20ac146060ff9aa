//! The bytes of a charger's socket: plain, or within TLS. Chargers without TLS pay nothing for it.

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A charger's socket: plain on the left, within TLS on the right; boxed there, for it is thirty times as big.
pub(crate) type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_socket_is_hardly_bigger_than_before() {
        assert!(size_of::<Wire>() <= size_of::<TcpStream>() + size_of::<usize>());
    }
}
