//! Sessions for Tower and Axum that hold: no lost update, no session back from the dead, no id worth stealing from the
//! database, no store call that was not needed.
//!
//! # A whole program
//!
//! ```no_run
//! use axum::{Router, routing::{get, post}};
//! use tenure::{Error, Session, SessionKey, SessionLayer, store::MemoryStore};
//!
//! const VISITS: SessionKey<u32> = SessionKey::new("visits");
//!
//! async fn home(session: Session) -> Result<String, Error> {
//!     let visits = session.update_now(&VISITS, |visits| *visits += 1).await?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! async fn login(session: Session) -> Result<&'static str, Error> {
//!     // … once the password was checked:
//!     session.login("42")?;
//!     Ok("welcome")
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let layer = SessionLayer::new(MemoryStore::new());
//!     let app = Router::new()
//!         .route("/", get(home))
//!         .route("/login", post(login))
//!         .layer(layer.clone());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     layer.drained().await;
//!     Ok(())
//! }
//! ```
//!
//! # What happens in a request
//!
//! 1. The layer looks for its cookie and puts a [`SessionSlot`] into the request. A handler that does not ask costs no
//!    store call.
//! 2. The extractor [`Session`] loads the session before the handler's body runs: one call, and one more every few
//!    minutes to renew its last-seen stamp. The secret in the cookie is compared with the hash in the record.
//! 3. The handler reads and changes memory. Nothing blocks and nothing is awaited, except where it must know *before* it
//!    acts: [`update_now`](Session::update_now), [`claim`](Session::claim), [`commit`](Session::commit).
//! 4. When the handler has returned, the changes are committed, conditional on the version they were made from. If
//!    another request was faster, they are made again on its outcome. The response is released when the store has
//!    answered, with the cookie if the browser has to learn something.
//!
//! A handler that answers 5xx or 408 has failed: its changes are dropped, but a [`logout`](Session::logout) is carried
//! out all the same, as it is when the handler panics or the client goes away.
//!
//! # Settings
//!
//! [`SessionLayer::new`] has safe defaults; [`SessionLayer::builder`] changes them and checks that they go together. The
//! table of all is at [`SessionLayerBuilder`]. For development over plain http where a browser does not keep `Secure`
//! cookies there is [`with_insecure_cookie`](SessionLayerBuilder::with_insecure_cookie).
//!
//! # Stores
//!
//! [`store::MemoryStore`] keeps sessions in this process. `store::SqliteStore` (feature `sqlite`) keeps them in a file
//! over a restart, `store::PostgresStore` (feature `postgres`) for many machines; a [`store::Sweeper`] removes what has
//! expired. A store of your own implements the five verbs of [`store::SessionStore`], and one line of the feature
//! `conformance` proves that it keeps the contract.
//!
//! # Testing your application
//!
//! [`Session::for_test`] makes a session for a handler's unit test; [`testing::signed_in`] makes the `Cookie` header of
//! somebody who is signed in. [`Clock::manual`] lets a memory store's sessions expire without waiting.
//!
//! # Limits
//!
//! A session holds 32 KiB in 64 values; a change after the handler has returned is an error; an `update` may run several
//! times. Waiting for a store needs tokio's runtime.
//!
//! # Features
//!
//! * `axum` (default): the extractors, and [`Error`] as a response.
//! * `conformance`: `store::conformance`, the tests of a store's contract.
//! * `postgres`: `store::PostgresStore`, on tokio-postgres.
//! * `sqlite`: `store::SqliteStore`, on sqlx; it needs Rust 1.94.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::dbg_macro,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

mod caching;
mod change;
mod clock;
mod commit;
mod context;
mod cookie;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod id;
mod json;
mod key;
mod layer;
mod lifetime;
mod load;
mod observe;
mod principal;
mod record;
mod service;
mod session;
mod slot;
pub mod store;
mod sync;
pub mod testing;

pub use clock::{Clock, Timestamp};
pub use context::OnFailure;
pub use cookie::{ConfigError, SameSite};
pub use error::{DefaultOnError, Error, ErrorKind, OnError};
pub use future::ResponseFuture;
pub use id::{Handle, ParseHandleError};
pub use key::{Key, KeyName, SessionKey, Undecodable};
pub use layer::{SessionLayer, SessionLayerBuilder};
pub use lifetime::Lifetime;
pub use observe::{EndReason, Event, EventKind, RejectReason};
pub use principal::PrincipalId;
pub use service::SessionService;
pub use session::{LoadFuture, Main, Session, SessionSlot};

#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
