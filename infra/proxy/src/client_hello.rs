//! The name a TLS client asks for, read from its first bytes without taking part in the handshake.

use faregate_core::model::ClusterName;
use rustls::server::Acceptor;

/// Longest ClientHello that is read, in bytes on the wire.
pub const MAX_HELLO: usize = 16 * 1024;

/// What the bytes so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// The ClientHello is not complete: read more.
    Partial,
    /// It asks for `daskgateway-<name>`.
    Cluster(ClusterName),
    /// It asks for another name, or none.
    Other,
    /// It is no ClientHello, or one of more than [`MAX_HELLO`] bytes.
    Malformed,
}

/// Reads a ClientHello that may arrive in any pieces.
#[derive(Default)]
pub struct ClientHello {
    acceptor: Acceptor,
    seen: usize,
}

impl ClientHello {
    /// Takes the next bytes of the connection. After any answer but [`Hello::Partial`] there is nothing to feed.
    pub fn feed(&mut self, bytes: &[u8]) -> Hello {
        self.seen += bytes.len();
        let mut rest = bytes;
        loop {
            // Reads from memory: at most a buffer's worth a call. Full buffers are emptied by `accept`.
            let before = rest.len();
            if !rest.is_empty() && self.acceptor.read_tls(&mut rest).is_err() {
                return Hello::Malformed;
            }
            match self.acceptor.accept() {
                Ok(Some(accepted)) => return asked_for(accepted.client_hello().server_name()),
                Ok(None) if rest.is_empty() && self.seen >= MAX_HELLO => return Hello::Malformed,
                Ok(None) if rest.is_empty() => return Hello::Partial,
                Ok(None) if rest.len() == before => return Hello::Malformed,
                Ok(None) => {}
                Err(_) => return Hello::Malformed,
            }
        }
    }
}

fn asked_for(server_name: Option<&str>) -> Hello {
    const PREFIX: &str = "daskgateway-";
    let name = server_name.map(str::to_ascii_lowercase);
    match name.as_deref().and_then(|name| name.strip_prefix(PREFIX)).map(str::parse) {
        Some(Ok(cluster)) => Hello::Cluster(cluster),
        _ => Hello::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use std::sync::Arc;

    const NAME: &str = "0123456789abcdef0123456789abcdef";

    /// A real client's first flight.
    fn hello(server_name: &str, alpn: Vec<Vec<u8>>) -> Vec<u8> {
        let mut config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
        config.alpn_protocols = alpn;
        let name = ServerName::try_from(server_name.to_owned()).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = vec![];
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn cluster_hello() -> Vec<u8> {
        hello(&format!("daskgateway-{NAME}"), vec![])
    }

    fn cluster() -> Hello {
        Hello::Cluster(NAME.parse().unwrap())
    }

    fn feed(bytes: &[u8]) -> Hello {
        ClientHello::default().feed(bytes)
    }

    #[test]
    fn every_prefix_of_a_hello_is_partial_and_the_whole_names_the_cluster() {
        let bytes = cluster_hello();
        for n in 0..bytes.len() {
            assert_eq!(feed(&bytes[..n]), Hello::Partial, "{n} of {} bytes", bytes.len());
        }
        assert_eq!(feed(&bytes), cluster());
    }

    #[test]
    fn bytes_may_arrive_one_at_a_time() {
        let bytes = cluster_hello();
        let mut reader = ClientHello::default();
        let (last, first) = bytes.split_last().unwrap();
        for byte in first {
            assert_eq!(reader.feed(&[*byte]), Hello::Partial);
        }
        assert_eq!(reader.feed(&[*last]), cluster());
    }

    #[test]
    fn letters_of_any_case_name_the_same_cluster() {
        assert_eq!(feed(&hello(&format!("DaskGateway-{}", NAME.to_uppercase()), vec![])), cluster());
    }

    #[test]
    fn another_name_or_none_is_https() {
        for name in ["gateway.example.com", "127.0.0.1", "daskgateway-short", &format!("x-daskgateway-{NAME}")] {
            assert_eq!(feed(&hello(name, vec![])), Hello::Other, "{name}");
        }
    }

    #[test]
    fn a_hello_may_be_split_over_records() {
        let bytes = cluster_hello();
        for size in [1, 100, 500] {
            let mut split = vec![];
            for part in bytes[5..].chunks(size) {
                split.extend([22, 3, 1]);
                split.extend((part.len() as u16).to_be_bytes());
                split.extend(part);
            }
            assert_eq!(feed(&split), cluster(), "records of {size} bytes");
        }
    }

    #[test]
    fn a_hello_of_twelve_kilobytes_is_read_and_one_over_the_limit_is_not() {
        let padding = |count: usize| (0..count).map(|i| format!("{i:0200}").into_bytes()).collect();
        let long = hello(&format!("daskgateway-{NAME}"), padding(60));
        assert!(long.len() > 12_000 && long.len() < MAX_HELLO);
        assert_eq!(feed(&long), cluster());
        let too_long = hello(&format!("daskgateway-{NAME}"), padding(90));
        assert_eq!(feed(&too_long[..MAX_HELLO]), Hello::Malformed);
    }

    #[test]
    fn other_protocols_are_malformed() {
        assert_eq!(feed(b"GET / HTTP/1.1\r\n\r\n"), Hello::Malformed);
        assert_eq!(feed(&[22, 3, 1, 0, 4, 14, 0, 0, 0]), Hello::Malformed, "ServerHelloDone");
    }

    proptest! {
        #[test]
        fn any_cut_into_pieces_gives_the_same_answer(cuts in proptest::collection::vec(1usize..200, 0..20)) {
            let bytes = cluster_hello();
            let (mut reader, mut rest, mut answer) = (ClientHello::default(), &bytes[..], Hello::Partial);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                prop_assert_eq!(&answer, &Hello::Partial);
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                answer = reader.feed(piece);
                rest = tail;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(answer, cluster());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), tls in any::<bool>()) {
            let bytes = if tls { [&[22, 3, 1][..], &bytes].concat() } else { bytes };
            feed(&bytes);
        }
    }
}
