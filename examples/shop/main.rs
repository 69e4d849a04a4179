//! A small shop: `cargo run --example shop`, then open the address it prints.
//!
//! A visitor fills a cart, signs up or in and keeps it, and places an order once however often the button is pressed.
//! Users and orders live in memory and end with the program.
//!
//! `--port N` listens on another port (0 takes a free one); `--insecure-cookie` is for clients that do not keep a
//! `Secure` cookie on plain http.

mod account;
mod cart;
mod catalog;
mod checkout;
mod data;
mod page;
mod problem;

use std::{env, error::Error, net::Ipv4Addr};

use axum::{
    Router,
    routing::{get, post},
};
use data::Shop;
use tenure::{SessionLayer, store::MemoryStore};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let options = Options::of(env::args().skip(1))?;
    let builder = SessionLayer::builder(MemoryStore::new());
    let builder = match options.insecure_cookie {
        true => builder.with_insecure_cookie(),
        false => builder,
    };
    let layer = builder.with_on_error(problem::after_commit).build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    println!(
        "The shop is open: http://localhost:{}",
        listener.local_addr()?.port()
    );
    axum::serve(listener, routes().layer(layer.clone()))
        .with_graceful_shutdown(interrupted())
        .await?;
    // Logouts of visitors who have gone are carried out before the shop closes.
    layer.drained().await;
    Ok(())
}

fn routes() -> Router {
    Router::new()
        .route("/", get(catalog::list))
        .route("/products/{id}", get(catalog::show))
        .route("/cart", get(cart::show).post(cart::add))
        .route("/cart/quantity", post(cart::set_quantity))
        .route("/checkout", post(checkout::place))
        .route("/orders", get(checkout::list))
        .route("/orders/{id}", get(checkout::show))
        .route("/login", get(account::login_page).post(account::login))
        .route("/signup", post(account::sign_up))
        .route("/logout", post(account::logout))
        .with_state(Shop::default())
}

async fn interrupted() {
    // Without a signal to wait for the shop stays open.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    println!("The shop is closing.");
}

struct Options {
    port: u16,
    insecure_cookie: bool,
}

impl Options {
    fn of(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            port: 3000,
            insecure_cookie: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--insecure-cookie" => options.insecure_cookie = true,
                "--port" => {
                    let port = words.next().and_then(|port| port.parse().ok());
                    options.port = port.ok_or("--port wants a number from 0 to 65535")?;
                }
                other => {
                    return Err(format!(
                        "{other} is unknown; there are --port N and --insecure-cookie"
                    ));
                }
            }
        }
        Ok(options)
    }
}
