//! A chat: `cargo run --example chat`, then open <http://localhost:3000> in two browsers and sign in as the same person.
//!
//! What is said comes in over a stream of events that stays open. It closes as soon as its session ends: sign out in
//! one tab and look at the other, or sign out everywhere else and look at the other browser. Here a name is all that
//! is asked for; yours checks a password.

mod page;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::{
    Router,
    extract::{Form, State},
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use serde::Deserialize;
use tenure::{ConfigError, Error, Principal, Session, SessionLayer, store::MemoryStore};
use tokio::{net::TcpListener, sync::broadcast};
use tower_http::csrf::CsrfLayer;

/// Where everything goes that is said.
#[derive(Clone)]
struct Room(broadcast::Sender<String>);

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Said {
    words: String,
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    session.login(form.name)?; // what is open under the old id is closed
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, Error> {
    session.logout()?;
    Ok(Redirect::to("/"))
}

async fn sign_out_others(session: Session) -> Result<Redirect, Error> {
    session.revoke_others().await?;
    Ok(Redirect::to("/"))
}

async fn say(
    State(room): State<Room>,
    Principal(name): Principal<String>,
    Form(said): Form<Said>,
) -> StatusCode {
    // Nobody may be listening.
    let _ = room.0.send(format!("{name}: {}", said.words));
    StatusCode::NO_CONTENT
}

fn app() -> Result<Router, ConfigError> {
    let sessions = SessionLayer::builder(MemoryStore::new())
        // What this process does is told at once; with a store that several share, what others do within this time.
        .with_watch_interval(Duration::from_secs(2))
        .build()?;
    Ok(Router::new()
        .route("/", get(page::show))
        .route("/chat.js", get(page::script))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/others", post(sign_out_others))
        .route("/say", post(say))
        .route("/events", get(stream::events))
        .with_state(Room(broadcast::Sender::new(100)))
        .layer(sessions)
        .layer(CsrfLayer::new()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "3000".to_owned());
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    println!("http://localhost:{}", listener.local_addr()?.port());
    axum::serve(listener, app()?).await?;
    Ok(())
}
