//! A small shop: `cargo run --example shop`, then open the address it prints.
//!
//! A visitor fills a cart, signs up or in and keeps it, and places an order once however often the button is pressed. A
//! corner of each page tells what the session is at that moment. Users and orders live in memory and end with the
//! program; [`options`] lists the options.

mod account;
mod cart;
mod catalog;
mod checkout;
mod data;
mod headers;
mod insight;
mod journal;
mod options;
mod orders;
mod page;
mod password;
mod problem;
mod slow;
mod welcome;

use std::{error::Error, process::ExitCode};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use data::Shop;
use journal::Journaled;
use options::Options;
use tenure::SessionLayer;
use tower_http::csrf::CsrfLayer;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt::init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::of_this_program()?;
    let sessions = SessionLayer::builder(Journaled(options.session_store()));
    let sessions = match options.insecure_cookie {
        true => sessions.with_insecure_cookie(),
        false => sessions,
    };
    let sessions = sessions.build()?;
    let listener = options.listen().await?;
    welcome::print(listener.local_addr()?.port(), options.insecure_cookie);
    axum::serve(listener, app(sessions.clone()))
        .with_graceful_shutdown(interrupted())
        .await?;
    // Logouts of visitors who have gone are carried out before the shop closes.
    sessions.drained().await;
    Ok(())
}

/// The layer that is added last is met first.
fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(catalog::list))
        .route("/products/{id}", get(catalog::show))
        .route("/cart", get(cart::show).post(cart::add))
        .route("/cart/change", post(cart::change))
        .route("/checkout", get(checkout::show).post(checkout::place))
        .route("/orders", get(orders::list))
        .route("/orders/{id}", get(orders::show))
        .route("/login", get(account::login_page).post(account::login))
        .route("/signup", get(account::sign_up_page).post(account::sign_up))
        .route("/logout", post(account::logout))
        .route("/goodbye", get(account::goodbye))
        .route("/style.css", get(page::style))
        .with_state(Shop::default())
        .layer(sessions)
        // `SameSite=Lax` stops forms of other sites; this also stops those of other ports and hosts of this site.
        .layer(CsrfLayer::new())
        .layer(middleware::map_response(problem::in_words))
        .layer(middleware::map_response(headers::secure))
        .layer(middleware::from_fn(journal::begin))
}

async fn interrupted() {
    // Without a signal to wait for the shop stays open.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    println!("The shop is closing.");
}
