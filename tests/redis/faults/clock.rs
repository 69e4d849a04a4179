//! A node whose clock is wrong.

use std::future::ready;

use tenure::SessionLayer;

use super::super::bed::{clocks::clocks, redis::Redis};

async fn open(url: String) -> SessionLayer {
    SessionLayer::new(super::open(&url).await)
}

clocks!(ready(Redis::start()), open);
