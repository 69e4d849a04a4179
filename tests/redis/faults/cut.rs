//! A connection that is cut between a question and its answer.

use tenure::SessionLayer;

use super::{
    super::bed::{
        cuts::{Site, cuts},
        load::{member, until_it_counts},
        proxy::Proxy,
        redis::Redis,
        visitor::{UNAVAILABLE, counted, read},
    },
    open,
};

struct Behind {
    server: Redis,
    proxy: Proxy,
    layer: SessionLayer,
}

impl Behind {
    async fn new() -> Self {
        let server = Redis::start();
        let proxy = Proxy::but_for(server.address(), BEAT).await;
        let url = format!("redis://{}", proxy.address());
        Self {
            layer: SessionLayer::new(open(&url).await),
            server,
            proxy,
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
        SessionLayer::new(open(&self.server.url()).await)
    }

    /// Principals have keys of their own.
    async fn rows(&self) -> i64 {
        let keys = self.server.ask("KEYS tenure:*");
        let keys = keys.parts().iter().map(ToString::to_string);
        keys.filter(|key| !key.contains('@')).count() as i64
    }
}

cuts!(Behind::new().await);

#[tokio::test]
async fn a_connection_that_has_fallen_silent_is_given_up() {
    let site = Behind::new().await;
    let cookie = member(&site.layer).await;
    site.proxy.falls_silent();
    assert_eq!(read(&site.layer, &cookie).await, UNAVAILABLE);
    until_it_counts(&site.layer, &cookie).await;
    assert_eq!(counted(&site.layer, &cookie).await, Some(1));
}

/// What the store asks each second, and what it is told.
const BEAT: &[&[u8]] = &[
    b"*1\r\n$4\r\nROLE\r\n",
    b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
];
