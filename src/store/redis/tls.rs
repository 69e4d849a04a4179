//! Encrypted connections, by rustls: with the feature `redis-tls`, or not at all.

#[cfg(feature = "redis-tls")]
pub(super) use by_rustls::Tls;
#[cfg(not(feature = "redis-tls"))]
pub(super) use not_at_all::Tls;

#[cfg(feature = "redis-tls")]
mod by_rustls {
    use std::{io, sync::Arc};

    use tokio::net::TcpStream;
    use tokio_rustls::{
        TlsConnector,
        client::TlsStream,
        rustls::{ClientConfig, Error, RootCertStore, crypto::ring, pki_types::ServerName},
    };

    use super::super::address;
    use crate::store::SetupError;

    /// How connections are encrypted.
    #[derive(Clone)]
    pub(in super::super) struct Tls(TlsConnector);

    impl Tls {
        /// Trusts whom this machine trusts.
        pub(in super::super) fn new() -> Result<Self, SetupError> {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            config(roots).map(Self::of).map_err(address::bad)
        }

        pub(in super::super) fn of(config: ClientConfig) -> Self {
            Self(Arc::new(config).into())
        }

        pub(in super::super) async fn over(
            &self,
            stream: TcpStream,
            host: &str,
        ) -> io::Result<TlsStream<TcpStream>> {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            self.0.connect(name, stream).await
        }
    }

    fn config(roots: RootCertStore) -> Result<ClientConfig, Error> {
        // Named, so that it does not depend on what else is in the process.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(not(feature = "redis-tls"))]
mod not_at_all {
    use std::io;

    use tokio::net::TcpStream;

    use super::super::address;
    use crate::store::SetupError;

    /// There is none.
    #[derive(Clone)]
    pub(in super::super) enum Tls {}

    impl Tls {
        pub(in super::super) fn new() -> Result<Self, SetupError> {
            Err(address::bad(
                "TLS needs the feature `redis-tls` of `tenure`",
            ))
        }

        #[expect(clippy::unused_async, reason = "the other one waits")]
        pub(in super::super) async fn over(&self, _: TcpStream, _: &str) -> io::Result<TcpStream> {
            match *self {}
        }
    }
}
