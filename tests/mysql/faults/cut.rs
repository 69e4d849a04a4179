//! A connection that is cut between a question and its answer.

use tenure::SessionLayer;

use super::{
    super::{
        bed::{
            cuts::{Site, cuts},
            mariadb::{Database, number},
            proxy::Proxy,
        },
        open,
    },
    over,
};

struct Behind {
    database: Database,
    proxy: Proxy,
    layer: SessionLayer,
}

impl Behind {
    async fn new() -> Self {
        let database = Database::new().await;
        let proxy = Proxy::to(database.server()).await;
        let layer = SessionLayer::new(over(&proxy, &database).await);
        Self {
            database,
            proxy,
            layer,
        }
    }
}

impl Site for Behind {
    fn layer(&self) -> &SessionLayer {
        &self.layer
    }

    fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    async fn beside(&self) -> SessionLayer {
        SessionLayer::new(open(&self.database).await)
    }

    async fn rows(&self) -> i64 {
        let text = "SELECT count(*) FROM tenure_sessions";
        number(&mut self.database.client().await, text).await
    }
}

cuts!(Behind::new().await);
