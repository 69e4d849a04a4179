//! Counts the visits of each browser: `cargo run --example counter`, then open <http://localhost:3000>.

use axum::{Router, routing::get};
use tenure::{Error, Session, SessionKey, SessionLayer, store::MemoryStore};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

async fn count(session: Session) -> Result<String, Error> {
    let visits = session.update_now(&VISITS, |visits| *visits += 1).await?;
    Ok(format!("You have been here {visits} times.\n"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(count))
        .layer(SessionLayer::new(MemoryStore::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await
}
