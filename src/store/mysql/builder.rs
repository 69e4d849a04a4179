//! The settings of the store.

use std::{str::FromStr, sync::Arc};

use sqlx::{ConnectOptions as _, mysql::MySqlConnectOptions};

use super::{
    MySqlStore, Shared,
    loading::Loads,
    places::{Places, Turns},
    schema,
    statements::Statements,
};
use crate::store::{setup::SetupError, sql::Table};

/// The settings of a [`MySqlStore`]; [`MySqlStore::builder`] begins with a URL.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`with_table`](Self::with_table) | `tenure_sessions` | |
/// | [`with_connections`](Self::with_connections) | 16 | a server has 151 by default, and a statement takes less than a millisecond |
///
/// For what a URL does not say there is [`From`] an [`sqlx::mysql::MySqlConnectOptions`].
///
/// ```
/// use tenure::store::MySqlStore;
///
/// let builder = MySqlStore::builder("mysql://app:secret@localhost/shop")?
///     .with_table("web.sessions")?
///     .with_connections(4);
/// # Ok::<_, tenure::store::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct MySqlStoreBuilder {
    options: MySqlConnectOptions,
    table: Table,
    connections: usize,
}

impl MySqlStoreBuilder {
    pub(super) fn parse(url: &str) -> Result<Self, SetupError> {
        let is_ours = ["mysql://", "mariadb://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        if !is_ours {
            return Err(SetupError::url(EXAMPLE, "it has another scheme"));
        }
        let options = MySqlConnectOptions::from_str(url);
        options
            .map(Self::from)
            .map_err(|error| SetupError::url(EXAMPLE, error))
    }

    /// Takes another table: `sessions`, or `app.sessions` in another database. Default: `tenure_sessions`.
    ///
    /// # Errors
    ///
    /// If this is no name for a table.
    pub fn with_table(mut self, name: &str) -> Result<Self, SetupError> {
        self.table = Table::parse(name)?;
        Ok(self)
    }

    /// Sets how many connections this store has at most. Default: 16; at least one.
    ///
    /// Each is a thread of the server, and carries one statement at a time. They are opened when they are needed.
    pub const fn with_connections(mut self, count: usize) -> Self {
        self.connections = count;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// If there is no database in the URL, the server does not answer or refuses, or it is older than MariaDB 10.6 and
    /// MySQL 8.0.
    pub async fn connect(self) -> Result<MySqlStore, SetupError> {
        if self.options.get_database().is_none() {
            return Err(SetupError::url(EXAMPLE, "there is no database in it"));
        }
        // What they would set is set by the store, in the same trip as the rest.
        let options = self
            .options
            .no_engine_substitution(false)
            .pipes_as_concat(false);
        let options = options
            .timezone(None)
            .set_names(false)
            .disable_statement_logging();
        let places = Arc::new(Places::new(options, self.connections));
        let mut connection = places.client().await?;
        schema::check_release(&mut connection).await?;
        places.keep(connection, 0);
        let table = self.table.quoted_with('`');
        Ok(MySqlStore(Arc::new(Shared {
            statements: Statements::new(&table),
            table,
            places,
            loads: Loads::default(),
            turns: Turns::new(),
        })))
    }
}

impl From<MySqlConnectOptions> for MySqlStoreBuilder {
    fn from(options: MySqlConnectOptions) -> Self {
        Self {
            options,
            table: Table::default(),
            connections: CONNECTIONS,
        }
    }
}

const EXAMPLE: &str = "mysql://user:password@host/database";
const CONNECTIONS: usize = 16;
