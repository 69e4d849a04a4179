//! Where everything is kept: what `--store` and `--data` say.

use std::sync::Arc;

#[cfg(feature = "mysql")]
use tenure::store::MySqlStore;
#[cfg(feature = "postgres")]
use tenure::store::PostgresStore;
#[cfg(all(feature = "redis", feature = "sqlite"))]
use tenure::store::RedisStore;
#[cfg(feature = "sqlite")]
use tenure::store::SqliteStore;
use tenure::store::{MemoryStore, SessionStore, Sweeping};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use tenure::store::{Sweep, Sweeper};

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use crate::data::{SqlTables, engines};
use crate::{
    data::{Failure, MemoryTables, Shop},
    options::Options,
};

/// The sessions, and the users and orders.
pub(crate) struct Stores {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) shop: Shop,
    /// Expired sessions are removed until this is dropped.
    pub(crate) _sweeping: Option<Sweeping>,
}

impl Stores {
    /// Opens a store, and the file of users and orders that one in Redis needs.
    pub(crate) async fn open(options: &Options) -> Result<Self, Failure> {
        let (url, data) = (&*options.store, options.data.as_deref());
        match (kind(url), data) {
            (other, _) if !KINDS.contains(&other) => Err(refusal(other).into()),
            (kind, _) if kind != "redis" && options.prefix.is_some() => {
                Err(PREFIX_IS_NOTHING.into())
            }
            ("redis", None) => Err(DATA_IS_MISSING.into()),
            #[cfg(all(feature = "redis", feature = "sqlite"))]
            ("redis", Some(file)) => Self::in_redis(options, file).await,
            (kind, Some(_)) if kind != "redis" => Err(DATA_IS_THERE.into()),
            ("memory", None) => Ok(Self::in_memory()),
            #[cfg(feature = "mysql")]
            ("mysql", None) => Self::in_mysql(url).await,
            #[cfg(feature = "postgres")]
            ("postgres", None) => Self::in_postgres(url).await,
            #[cfg(feature = "sqlite")]
            ("sqlite", None) => Self::in_sqlite(url).await,
            (other, _) => Err(refusal(other).into()),
        }
    }

    fn in_memory() -> Self {
        Self {
            sessions: Arc::new(MemoryStore::new()),
            shop: Arc::new(MemoryTables::default()),
            _sweeping: None,
        }
    }

    #[cfg(feature = "mysql")]
    async fn in_mysql(url: &str) -> Result<Self, Failure> {
        let store = MySqlStore::connect(url).await?;
        store.migrate().await?;
        let tables = SqlTables::open(sqlx::MySqlPool::connect(url).await?, &engines::MYSQL);
        Ok(Self::swept(store, Arc::new(tables.await?)))
    }

    #[cfg(feature = "postgres")]
    async fn in_postgres(url: &str) -> Result<Self, Failure> {
        let store = PostgresStore::connect(url).await?;
        store.migrate().await?;
        let connection = engines::Postgres::open(url).await?;
        let tables = SqlTables::open(connection, &engines::POSTGRES).await?;
        Ok(Self::swept(store, Arc::new(tables)))
    }

    /// Redis forgets sessions by itself. It is no place for orders.
    #[cfg(all(feature = "redis", feature = "sqlite"))]
    async fn in_redis(options: &Options, file: &str) -> Result<Self, Failure> {
        let builder = RedisStore::builder(&options.store)?;
        let builder = match &options.prefix {
            Some(prefix) => builder.with_prefix(prefix)?,
            None => builder,
        };
        let store = builder.connect().await?;
        // Opened as a file of sessions is, which shops may share.
        let file = SqliteStore::connect(&format!("sqlite:{file}")).await?;
        let tables = SqlTables::open(file.pool().clone(), &engines::SQLITE).await?;
        Ok(Self {
            sessions: Arc::new(store),
            shop: Arc::new(tables),
            _sweeping: None,
        })
    }

    #[cfg(feature = "sqlite")]
    async fn in_sqlite(url: &str) -> Result<Self, Failure> {
        let store = SqliteStore::connect(url).await?;
        store.migrate().await?;
        let tables = SqlTables::open(store.pool().clone(), &engines::SQLITE).await?;
        Ok(Self::swept(store, Arc::new(tables)))
    }

    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    fn swept(store: impl SessionStore + Sweep + Clone, shop: Shop) -> Self {
        Self {
            sessions: Arc::new(store.clone()),
            shop,
            _sweeping: Some(Sweeper::new(store).start()),
        }
    }
}

/// Says where everything is kept; a server's address may have a password in it.
pub(crate) fn in_words(url: &str, data: Option<&str>) -> String {
    match kind(url) {
        "memory" => "in memory: all of it ends with the shop".to_owned(),
        "mysql" => "in MariaDB or MySQL".to_owned(),
        "redis" => format!(
            "in Redis, but users and orders in {}",
            data.unwrap_or("no file")
        ),
        "sqlite" => format!("in {url}"),
        _ => "in PostgreSQL".to_owned(),
    }
}

/// Returns the name of the engine, which has several schemes.
fn kind(url: &str) -> &str {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    match scheme {
        "mariadb" | "mysql" => "mysql",
        "postgres" | "postgresql" => "postgres",
        scheme if is_redis(scheme) => "redis",
        other => other,
    }
}

/// Tells whether a scheme is one of Redis' and Valkey's: of a server, Sentinels or a Cluster, with TLS or a socket.
fn is_redis(scheme: &str) -> bool {
    let rest = scheme
        .strip_prefix("redis")
        .or_else(|| scheme.strip_prefix("valkey"));
    let rest = rest.map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    rest.is_some_and(|rest| ["", "+unix", "-cluster", "-sentinel"].contains(&rest))
}

fn refusal(kind: &str) -> String {
    let feature = match kind {
        "mysql" | "postgres" | "sqlite" => kind,
        "redis" => "redis,sqlite",
        _ => return format!("`{kind}` is no store; {STORES}"),
    };
    format!(
        "this shop is built without the feature `{feature}`: `cargo run --example shop --features {feature} -- --store …`"
    )
}

const KINDS: [&str; 5] = ["memory", "mysql", "postgres", "redis", "sqlite"];
const STORES: &str = "`--store` takes `memory`, `sqlite:shop.db`, `postgres://user@host/database`, \
    `mysql://user@host/database`, `redis://host`, `redis-sentinel://host,host?service=name` or `redis-cluster://host,host`";
const PREFIX_IS_NOTHING: &str = "`--prefix` is for sessions in Redis";
const DATA_IS_MISSING: &str =
    "Redis keeps sessions; say which file is to keep users and orders: `--data shop.db`";
const DATA_IS_THERE: &str =
    "users and orders are kept where the sessions are; `--data` is for sessions in Redis";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_told_by_its_scheme() {
        for (url, expected) in [
            ("memory", "memory"),
            ("sqlite:shop.db", "sqlite"),
            ("postgresql://host/shop", "postgres"),
            ("mariadb://host/shop", "mysql"),
            ("redis://host", "redis"),
            ("redis+unix:///run/redis.sock", "redis"),
            ("rediss-sentinel://host?service=name", "redis"),
            ("valkey-cluster://host", "redis"),
            ("valkeys://host", "redis"),
            ("redisql://host", "redisql"),
        ] {
            assert_eq!(kind(url), expected, "{url}");
        }
    }
}
