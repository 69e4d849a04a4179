//! A counter: `cargo run --example counter`, then open <http://localhost:3000>, and again.

use axum::{Router, routing::get};
use tenure::{Error, Session, SessionLayer, store::MemoryStore};

async fn count(session: Session) -> Result<String, Error> {
    let visits = session
        .update_now("visits", |visits: &mut u32| *visits += 1)
        .await?;
    Ok(format!("This is visit {visits}.\n"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(count))
        .layer(SessionLayer::new(MemoryStore::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await
}
