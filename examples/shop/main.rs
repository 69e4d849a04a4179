//! A small shop: `cargo run --example shop`, then open the address it prints.
//!
//! A visitor fills a cart, signs up or in and keeps it, and places an order once however often the button is pressed. Who
//! is signed in asks the shop something on a page whose list grows by itself, until its session ends. A corner of each
//! page tells what the session is at that moment. Everything is kept in memory and ends with the program,
//! or in a database: with `--features sqlite` in the file `shop.db`, and where `--store` says. [`options`] lists the
//! options.

mod account;
mod address;
mod browser;
mod cart;
mod catalog;
mod checkout;
mod credentials;
mod data;
mod desk;
mod devices;
mod headers;
mod help;
mod insight;
mod journal;
mod keys;
mod operator;
mod options;
mod orders;
mod page;
mod password;
mod problem;
mod slow;
mod stores;
mod welcome;

use std::{iter, process::ExitCode, time::Duration};

use axum::{
    Router,
    http::header::USER_AGENT,
    middleware,
    routing::{get, post},
};
use data::{Failure, Shop};
use desk::Desk;
use journal::Journaled;
use keys::Keys;
use options::Options;
use stores::Stores;
use tenure::{SessionLayer, SessionLimit, require_fresh};
use tower_http::csrf::CsrfLayer;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt::init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let options = Options::of_this_program()?;
    let stores = Stores::open(&options).await?;
    let store = options.slowed(stores.sessions);
    let keys = Keys::read(&options)?;
    let office = operator::layer(store.clone(), &keys, options.insecure_cookie)?;
    let sessions =
        SessionLayer::builder(Journaled(store)).with_label_from(USER_AGENT, browser::name);
    let sessions = match options.insecure_cookie {
        true => sessions.with_insecure_cookie(),
        false => sessions,
    };
    let sessions = match options.devices {
        Some(most) => sessions.with_session_limit(SessionLimit::evict_oldest(most)),
        None => sessions,
    };
    let sessions = keys.given_to(sessions).build()?;
    let listener = options.listen().await?;
    welcome::print(listener.local_addr()?.port(), &options);
    let desk = Desk::open();
    let mut app = app(sessions.clone(), stores.shop.clone(), desk.clone());
    if let Some(email) = &options.operator {
        let customers = sessions.sessions();
        let office = operator::routes(office.clone(), customers, stores.shop, email);
        app = app.merge(office);
    }
    axum::serve(listener, app)
        .with_graceful_shutdown(interrupted(desk))
        .await?;
    // Logouts of visitors who have gone are carried out before the shop closes.
    sessions.drained().await;
    office.drained().await;
    Ok(())
}

/// The layer that is added last is met first.
fn app(sessions: SessionLayer, shop: Shop, desk: Desk) -> Router {
    let fresh = require_fresh(FRESH).or_redirect_to("/account/confirm");
    let address = get(address::show).post(address::change).layer(fresh);
    let help = Router::new()
        .route("/help", get(help::show).post(help::ask))
        .route("/help/events", get(desk::events))
        .route("/help.js", get(help::script))
        .with_state(desk);
    Router::new()
        .route("/", get(catalog::list))
        .route("/products/{id}", get(catalog::show))
        .route("/cart", get(cart::show).post(cart::add))
        .route("/cart/change", post(cart::change))
        .route("/checkout", get(checkout::show).post(checkout::place))
        .route("/orders", get(orders::list))
        .route("/orders/{id}", get(orders::show))
        .route("/account", get(devices::list))
        .route("/account/address", address)
        .route(
            "/account/confirm",
            get(credentials::confirm_page).post(credentials::confirm),
        )
        .route(
            "/account/password",
            get(credentials::password_page).post(credentials::change_password),
        )
        .route("/account/sign-out", post(devices::sign_out))
        .route("/account/sign-out-others", post(devices::sign_out_others))
        .route("/login", get(account::login_page).post(account::login))
        .route("/signup", get(account::sign_up_page).post(account::sign_up))
        .route("/logout", post(account::logout))
        .route("/goodbye", get(account::goodbye))
        .route("/style.css", get(page::style))
        .with_state(shop)
        .merge(help)
        .layer(middleware::from_fn(problem::with_session))
        .layer(sessions)
        // `SameSite=Lax` stops forms of other sites; this also stops those of other ports and hosts of this site.
        .layer(CsrfLayer::new())
        .layer(middleware::map_response(problem::in_words))
        .layer(middleware::map_response(headers::secure))
        .layer(middleware::from_fn(journal::begin))
}

/// Says what went wrong, and what is behind it.
fn in_one_line(error: &Failure) -> String {
    match iter::successors(error.source(), |cause| cause.source()).last() {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

async fn interrupted(desk: Desk) {
    // Without a signal to wait for the shop stays open.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    println!("The shop is closing.");
    desk.close();
}

/// How lately somebody has to have shown the password who changes an address.
const FRESH: Duration = Duration::from_secs(5 * 60);
