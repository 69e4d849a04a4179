//! The program of the README, logins included: `cargo run --example readme`, then open <http://localhost:3000>.

use axum::{
    Router,
    routing::{get, post},
};
use tenure::{Error, Session, SessionKey, SessionLayer, store::MemoryStore};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

async fn home(session: Session) -> Result<String, Error> {
    // Never lost, however many tabs are open.
    let visits = session.update_now(&VISITS, |visits| *visits += 1).await?;
    let who = match session.principal() {
        Some(user) => format!("number {user}"),
        None => "stranger".to_owned(),
    };
    Ok(format!("Hello, {who}. This is visit {visits}.\n"))
}

async fn login(session: Session) -> Result<&'static str, Error> {
    // … once the password is checked:
    session.login(42)?; // a new id; the values are kept
    Ok("Welcome.\n")
}

async fn logout(session: Session) -> Result<&'static str, Error> {
    session.logout()?; // ended on the server, and the browser forgets the cookie
    Ok("Goodbye.\n")
}

fn app() -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(MemoryStore::new()))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}

#[cfg(test)]
mod transcript;
