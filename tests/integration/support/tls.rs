//! A proxy that ends TLS in front of a server, as agencies have one.

use std::net::SocketAddr;
use std::sync::Arc;

use native_tls::Identity;
use tokio::net::{TcpListener, TcpStream};

use super::certificates::Issued;

pub struct TlsProxy {
    pub port: u16,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsProxy {
    pub async fn start(shown: &Issued, server: SocketAddr) -> Self {
        let identity = Identity::from_pkcs8(&shown.certificate, &shown.key).expect("an identity");
        let acceptor = native_tls::TlsAcceptor::new(identity).expect("an acceptor");
        let acceptor = Arc::new(tokio_native_tls::TlsAcceptor::from(acceptor));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that trusts nobody goes.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, accepting }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
