//! What the shops keep everything in: a line for each engine.

use std::any::Any;

#[cfg(feature = "postgres")]
use crate::bed::postgres::Database;
use crate::bed::{folder::Folder, nginx::Nginx, shop::Shop};

/// Where shops keep everything, and what has to be there for as long as they are.
pub(crate) struct Engine {
    options: Vec<String>,
    shops: usize,
    _kept: Box<dyn Any>,
}

pub(crate) async fn memory() -> Engine {
    // It cannot be shared.
    Engine {
        shops: 1,
        ..Engine::new("memory", ())
    }
}

#[cfg(feature = "postgres")]
pub(crate) async fn postgres() -> Engine {
    let database = Database::new().await;
    let url = database.url().to_owned();
    Engine::new(&url, database)
}

pub(crate) async fn sqlite() -> Engine {
    let folder = Folder::new("soak");
    let file = folder.path().join("shop.db");
    Engine::new(&format!("sqlite:{}", file.display()), folder)
}

impl Engine {
    fn new(store: &str, kept: impl Any) -> Self {
        Self {
            options: vec!["--store".to_owned(), store.to_owned()],
            shops: 2,
            _kept: Box::new(kept),
        }
    }
}

/// The shops, and the proxy that sends each request to the next one.
pub(crate) struct Site {
    engine: Engine,
    shops: Vec<Shop>,
    proxy: Nginx,
}

impl Site {
    pub(crate) fn open(engine: Engine) -> Self {
        let options: Vec<_> = engine.options.iter().map(String::as_str).collect();
        let shops = (0..engine.shops).map(|_| Shop::open_with(&options));
        let shops: Vec<_> = shops.collect();
        let ports: Vec<_> = shops.iter().map(|shop| shop.port).collect();
        Self {
            proxy: Nginx::before(&ports),
            shops,
            engine,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.proxy.port()
    }

    /// What is kept outlives the shops.
    pub(crate) fn is_lasting(&self) -> bool {
        self.engine.shops > 1
    }

    /// Lets the shops finish what they have begun, and opens others on what they have left.
    pub(crate) fn reopen(self) -> Self {
        for shop in self.shops {
            shop.close();
        }
        Self::open(self.engine)
    }
}
