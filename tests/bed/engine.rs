//! What shops keep everything in: a line for each engine.

use std::any::Any;

#[cfg(feature = "mysql")]
use super::mariadb;
#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "redis")]
use super::redis::{Space, cluster, sentinel};
use super::{folder::Folder, nginx::Nginx, shop::Shop};

/// Where shops keep everything, and what has to be there for as long as they are.
pub struct Engine {
    options: Vec<String>,
    _kept: Vec<Box<dyn Any>>,
}

/// Makes tests of functions that take an engine, on each that several shops can share.
macro_rules! on_each_engine {
    ($($test:ident)*) => {
        #[cfg(feature = "mysql")]
        $crate::bed::engine::on! { mysql $($test)* }
        #[cfg(feature = "postgres")]
        $crate::bed::engine::on! { postgres $($test)* }
        #[cfg(feature = "redis")]
        $crate::bed::engine::on! { redis $($test)* }
        #[cfg(feature = "redis")]
        $crate::bed::engine::on! { redis_cluster $($test)* }
        #[cfg(feature = "redis")]
        $crate::bed::engine::on! { redis_sentinel $($test)* }
        $crate::bed::engine::on! { sqlite $($test)* }
    };
}
pub(crate) use on_each_engine;

macro_rules! on {
    ($engine:ident $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test($crate::bed::engine::$engine().await).await;
                }
            )*
        }
    };
}
pub(crate) use on;

pub async fn memory() -> Engine {
    Engine::at("memory")
}

#[cfg(feature = "mysql")]
pub async fn mysql() -> Engine {
    let database = mariadb::Database::new().await;
    Engine::at(database.url()).with(database)
}

#[cfg(feature = "postgres")]
pub async fn postgres() -> Engine {
    let database = postgres::Database::new().await;
    Engine::at(database.url()).with(database)
}

#[cfg(feature = "redis")]
pub async fn redis() -> Engine {
    in_redis(Space::new())
}

#[cfg(feature = "redis")]
pub async fn redis_cluster() -> Engine {
    in_redis(cluster::space())
}

#[cfg(feature = "redis")]
pub async fn redis_sentinel() -> Engine {
    in_redis(sentinel::space())
}

#[cfg(feature = "redis")]
fn in_redis(space: Space) -> Engine {
    // Each test has a user number one.
    let prefix = ["--prefix".to_owned(), space.prefix().to_owned()];
    let mut engine = Engine::at(space.url()).with_data();
    engine.options.extend(prefix);
    engine.with(space)
}

pub async fn sqlite() -> Engine {
    let folder = Folder::new("shop");
    let file = folder.path().join("shop.db");
    Engine::at(&format!("sqlite:{}", file.display())).with(folder)
}

impl Engine {
    /// What `--store` says.
    pub fn at(store: &str) -> Self {
        Self {
            options: vec!["--store".to_owned(), store.to_owned()],
            _kept: Vec::new(),
        }
    }

    /// Keeps users and orders in a file.
    pub fn with_data(mut self) -> Self {
        let folder = Folder::new("shop");
        let file = folder.path().join("shop.db").display().to_string();
        self.options.extend(["--data".to_owned(), file]);
        self.with(folder)
    }

    fn with(mut self, kept: impl Any) -> Self {
        self._kept.push(Box::new(kept));
        self
    }

    /// Opens a shop with more options.
    pub fn open(&self, more: &[&str]) -> Shop {
        let options = self.options.iter().map(String::as_str);
        let options: Vec<_> = options.chain(more.iter().copied()).collect();
        Shop::open_with(&options)
    }
}

/// Shops on one engine, and a proxy that sends each request to the next one.
pub struct Site {
    pub shops: Vec<Shop>,
    proxy: Nginx,
    engine: Engine,
}

impl Site {
    /// Opens so many shops with more options.
    pub fn open(engine: Engine, shops: usize, more: &[&str]) -> Self {
        let shops: Vec<_> = (0..shops).map(|_| engine.open(more)).collect();
        let ports: Vec<_> = shops.iter().map(|shop| shop.port).collect();
        Self {
            proxy: Nginx::before(&ports),
            shops,
            engine,
        }
    }

    pub fn port(&self) -> u16 {
        self.proxy.port()
    }

    /// Lets the shops finish what they have begun, and opens as many on what they have left.
    pub fn reopen(self) -> Self {
        let count = self.shops.len();
        for shop in self.shops {
            shop.close();
        }
        Self::open(self.engine, count, &[])
    }
}
