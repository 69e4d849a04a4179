//! Where everything is kept: what `--store` says.

use std::sync::Arc;

#[cfg(feature = "postgres")]
use tenure::store::PostgresStore;
#[cfg(feature = "sqlite")]
use tenure::store::SqliteStore;
use tenure::store::{MemoryStore, SessionStore, Sweeping};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use tenure::store::{Sweep, Sweeper};

#[cfg(feature = "postgres")]
use crate::data::PostgresTables;
#[cfg(feature = "sqlite")]
use crate::data::SqliteTables;
use crate::data::{Failure, MemoryTables, Shop};

/// The sessions, and beside them the users and orders.
pub(crate) struct Stores {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) shop: Shop,
    /// Expired sessions are removed until this is dropped.
    pub(crate) _sweeping: Option<Sweeping>,
}

impl Stores {
    pub(crate) async fn open(url: &str) -> Result<Self, Failure> {
        match kind(url) {
            "memory" => Ok(Self::in_memory()),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => Self::in_postgres(url).await,
            #[cfg(feature = "sqlite")]
            "sqlite" => Self::in_sqlite(url).await,
            other => Err(refusal(other).into()),
        }
    }

    fn in_memory() -> Self {
        Self {
            sessions: Arc::new(MemoryStore::new()),
            shop: Arc::new(MemoryTables::default()),
            _sweeping: None,
        }
    }

    #[cfg(feature = "postgres")]
    async fn in_postgres(url: &str) -> Result<Self, Failure> {
        let store = PostgresStore::connect(url).await?;
        store.migrate().await?;
        let tables = PostgresTables::open(url).await?;
        Ok(Self::swept(store, Arc::new(tables)))
    }

    #[cfg(feature = "sqlite")]
    async fn in_sqlite(url: &str) -> Result<Self, Failure> {
        let store = SqliteStore::connect(url).await?;
        store.migrate().await?;
        let tables = SqliteTables::open(store.pool().clone()).await?;
        Ok(Self::swept(store, Arc::new(tables)))
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    fn swept(store: impl SessionStore + Sweep + Clone, shop: Shop) -> Self {
        Self {
            sessions: Arc::new(store.clone()),
            shop,
            _sweeping: Some(Sweeper::new(store).start()),
        }
    }
}

/// Says where everything is kept; a server's address may have a password in it.
pub(crate) fn in_words(url: &str) -> String {
    match kind(url) {
        "memory" => "in memory: all of it ends with the shop".to_owned(),
        "sqlite" => format!("in {url}"),
        _ => "in PostgreSQL".to_owned(),
    }
}

fn kind(url: &str) -> &str {
    url.split_once(':').map_or(url, |(kind, _)| kind)
}

fn refusal(kind: &str) -> String {
    let feature = match kind {
        "postgres" | "postgresql" => "postgres",
        "sqlite" => "sqlite",
        _ => return format!("`{kind}` is no store; {STORES}"),
    };
    format!(
        "this shop is built without the feature `{feature}`: `cargo run --example shop --features {feature} -- --store …`"
    )
}

const STORES: &str =
    "`--store` takes `memory`, `sqlite:shop.db` or `postgres://user@host/database`";
