//! The settings of the store.

use std::{str::FromStr, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{
    Client, Config, NoTls, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{
    PostgresStore, Shared, failure,
    links::{Connect, Links, Maker},
    schema,
    statements::Statements,
    writing::Writes,
};
use crate::store::{
    link::Driver,
    sql::{SetupError, Table},
};

/// The settings of a [`PostgresStore`]; [`PostgresStore::builder`] begins with a URL.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`with_table`](Self::with_table) | `tenure_sessions` | |
/// | [`with_connections`](Self::with_connections) | 8 | a server has 100 by default, and a few suffice |
///
/// For what a URL does not say there is [`From`] a [`tokio_postgres::Config`].
///
/// ```
/// use tenure::store::PostgresStore;
///
/// let builder = PostgresStore::builder("postgres://app@localhost/shop")?
///     .with_table("web.sessions")?
///     .with_connections(4);
/// # Ok::<_, tenure::store::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct PostgresStoreBuilder {
    config: Config,
    table: Table,
    connections: usize,
}

impl PostgresStoreBuilder {
    pub(super) fn parse(url: &str) -> Result<Self, SetupError> {
        let config = Config::from_str(url)
            .map_err(|error| SetupError::url("postgres://user@host/database", error))?;
        Ok(config.into())
    }

    /// Takes another table: `sessions`, or `app.sessions` in a schema. Default: `tenure_sessions`.
    ///
    /// # Errors
    ///
    /// If this is no name for a table.
    pub fn with_table(mut self, name: &str) -> Result<Self, SetupError> {
        self.table = Table::parse(name)?;
        Ok(self)
    }

    /// Sets how many connections this store keeps. Default: 8; at least one.
    ///
    /// Each is a process of the server. Statements share them, so the number is not how many requests can wait, but
    /// how many statements the server carries out at once.
    pub const fn with_connections(mut self, count: usize) -> Self {
        self.connections = count;
        self
    }

    /// Connects without TLS.
    ///
    /// # Errors
    ///
    /// If the server does not answer or refuses, or it is older than PostgreSQL 13.
    pub async fn connect(self) -> Result<PostgresStore, SetupError> {
        self.connect_with_tls(NoTls).await
    }

    /// Connects with TLS, by a connector such as those of `tokio-postgres-rustls` and `postgres-native-tls`.
    ///
    /// Whether the server must speak TLS is `sslmode` in the URL.
    ///
    /// # Errors
    ///
    /// If the server does not answer or refuses, or it is older than PostgreSQL 13.
    pub async fn connect_with_tls<T>(self, tls: T) -> Result<PostgresStore, SetupError>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connect = connect_by(self.config, tls);
        schema::check_release(&client(&connect).await?).await?;
        let maker = Maker {
            connect,
            statements: Arc::new(Statements::new(&self.table)),
            table: self.table.clone(),
        };
        Ok(PostgresStore(Arc::new(Shared {
            table: self.table,
            links: Links::new(self.connections, &maker),
            writes: Writes::new(),
            connect: maker.connect,
        })))
    }
}

impl From<Config> for PostgresStoreBuilder {
    fn from(config: Config) -> Self {
        Self {
            config,
            table: Table::default(),
            connections: CONNECTIONS,
        }
    }
}

/// Opens a connection for a question outside of the verbs.
pub(super) async fn client(connect: &Connect) -> Result<Client, SetupError> {
    match timeout(CONNECTING, connect()).await {
        Ok(Ok((client, _))) => Ok(client),
        Ok(Err(error)) => Err(failure::setup(error)),
        Err(elapsed) => Err(SetupError::unreachable(failure::MEND, elapsed)),
    }
}

/// Forgets of what kind the connector is.
fn connect_by<T>(config: Config, tls: T) -> Connect
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let config = Arc::new(config);
    Arc::new(move || {
        let (config, tls) = (config.clone(), tls.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            let driver: Driver = tokio::spawn(async move {
                // How it ended is told to each statement that was on it.
                let _ = connection.await;
            });
            Ok((client, driver))
        })
    })
}

const CONNECTIONS: usize = 8;
const CONNECTING: Duration = Duration::from_secs(5);
