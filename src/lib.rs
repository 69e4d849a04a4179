//! Sessions for Tower and Axum that hold: no lost update, no session back from the dead, no id worth stealing from the
//! database, no store call that was not needed.
//!
//! A *session* is what your server remembers of one visitor between requests: who is signed in, what is in the cart. The
//! browser has a cookie that names it; everything else stays in a store of yours.
//!
//! 1. [A whole program](#a-whole-program)
//! 2. [What happens in a request](#what-happens-in-a-request)
//! 3. [Values, and many requests at once](#values-and-many-requests-at-once)
//! 4. [Who is signed in](#who-is-signed-in)
//! 5. [Settings](#settings)
//! 6. [Stores](#stores)
//! 7. [When something fails](#when-something-fails)
//! 8. [Testing your application](#testing-your-application)
//! 9. [Limits](#limits)
//! 10. [Guides](#guides) and [features](#features)
//!
//! # A whole program
//!
//! Put a [`SessionLayer`] around a router and take [`Session`] in a handler. Nothing else is needed.
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
//!     axum::serve(listener, app)
//!         .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
//!         .await?;
//!     layer.drained().await; // logouts of those who have gone are carried out
//!     Ok(())
//! }
//! ```
//!
//! # What happens in a request
//!
//! ```text
//! request ──► cookie ──► id ──► store ──► record ──► session ──► handler
//!                                                                   │
//!                                                                   ▼
//! response ◄── Set-Cookie ◄── store ◄─── what to do ◄─────────── changes
//! ```
//!
//! 1. The layer looks for its cookie and puts a [`SessionSlot`] into the request. A handler that does not ask costs no
//!    store call, and its response is not touched.
//! 2. The extractor [`Session`] loads the session before the handler's body runs: one call, and one more every few
//!    minutes to renew its last-seen stamp. The secret in the cookie is compared with the hash in the record.
//! 3. The handler reads and changes memory. Nothing blocks and nothing is awaited, except where it must know *before* it
//!    acts: [`update_now`](Session::update_now), [`claim`](Session::claim), [`commit`](Session::commit).
//! 4. When the handler has returned, the changes are committed, conditional on the version they were made from. If
//!    another request was faster, they are made again on its outcome.
//! 5. The response is released when the store has answered: with the cookie if the browser has to learn something, and
//!    with `Vary` and `Cache-Control` if the session was used.
//!
//! # Values, and many requests at once
//!
//! A value is anything that serde writes and reads, under a string or, better, under a [`SessionKey`] that knows its type.
//! A browser sends several requests at once, and they may change the same session:
//!
//! | you call | when another request has changed the value meanwhile |
//! |---|---|
//! | [`update`](Session::update), [`update_with`](Session::update_with), [`update_or`](Session::update_or) | the function runs again on what there is now: nothing is lost |
//! | [`insert`](Session::insert), [`remove`](Session::remove) without having read it | yours wins whole |
//! | [`get`](Session::get), then `insert` or `remove` | it is refused (409): what it was made from is no more |
//! | [`take`](Session::take) | only what was taken is removed |
//! | [`claim`](Session::claim) | one request gets it, the others get `None` |
//!
//! ```
//! use tenure::{Error, Session, SessionKey};
//!
//! const CART: SessionKey<Vec<String>> = SessionKey::new("cart");
//!
//! fn add(session: &Session, item: &str) -> Result<(), Error> {
//!     session.update_with(&CART, item.to_owned(), Vec::push)
//! }
//! # fn main() -> Result<(), Error> {
//! let session: Session = Session::for_test([("cart", ["bread"])]);
//! add(&session, "butter")?;
//! assert_eq!(session.get(&CART)?.unwrap(), ["bread", "butter"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Who is signed in
//!
//! [`login`](Session::login) attaches a principal and gives the session a new id; [`principal`](Session::principal) says who it
//! is; [`logout`](Session::logout) ends the session on the server. [`cycle_id`](Session::cycle_id) is for other gains of rights.
//! The [`handle`](Session::handle) is the session's public name, safe to log; the secret in the cookie is shown by nothing.
//!
//! ```
//! use tenure::Session;
//!
//! # fn main() -> Result<(), tenure::Error> {
//! let session: Session = Session::for_test([("cart", ["bread"])]);
//! session.login(42)?; // the cart is kept
//! assert_eq!(session.principal().unwrap(), "42");
//! session.logout()?;
//! assert!(session.principal().is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Settings
//!
//! [`SessionLayer::new`] has safe defaults; [`SessionLayer::builder`] changes them and checks that they go together. The
//! table of all, with reasons, is at [`SessionLayerBuilder`]. How long sessions live is a [`Lifetime`], which
//! [`set_lifetime`](Session::set_lifetime) overrides for one session ("remember me"). For development over plain http where a
//! browser does not keep `Secure` cookies there is [`with_insecure_cookie`](SessionLayerBuilder::with_insecure_cookie).
//!
//! ```
//! use std::time::Duration;
//! use tenure::{Lifetime, SameSite, SessionLayer, store::MemoryStore};
//!
//! # fn main() -> Result<(), tenure::ConfigError> {
//! let layer = SessionLayer::builder(MemoryStore::new())
//!     .with_same_site(SameSite::Strict)
//!     .with_lifetime(Lifetime::new().with_idle(Duration::from_secs(5 * 60)))
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Stores
//!
//! [`store::MemoryStore`] keeps sessions in this process, bounded, and expires them by itself. `store::SqliteStore` (feature
//! `sqlite`) keeps them in a file over a restart, `store::PostgresStore` (feature `postgres`) and `store::MySqlStore` (feature
//! `mysql`, also MariaDB) for many machines; a [`store::Sweeper`] removes what has expired there. `store::RedisStore` (feature
//! `redis`) keeps them in Redis or Valkey, where a fail-over may undo the last changes. A store of your own implements the five
//! verbs of
//! [`store::SessionStore`], and one line of the feature `conformance` proves that it keeps the contract;
//! `examples/custom_store.rs` is a whole one. Which store it is may be decided at run time: `Arc<dyn SessionStore>` is one too.
//!
//! # When something fails
//!
//! Every change returns a [`Result`], and [`Error`] is a response: use `?`. Its [`kind`](Error::kind) says what it was, and
//! [`ErrorKind`] lists the statuses. What fails after the handler has returned replaces its response;
//! [`with_on_error`](SessionLayerBuilder::with_on_error) decides by what.
//!
//! * A store that is down is a 503, never a visitor who seems signed out, and no cookie is touched.
//! * A handler that answers 5xx or 408 has failed: its changes are dropped, but a logout is carried out all the same, as
//!   it is when the handler panics or the client goes away.
//! * A change after the handler has returned, in a stream or a task, is an error and never silently lost. What stays open
//!   [detaches](Session::detach) a [`LiveSession`], which is told when its session ends.
//!
//! # Testing your application
//!
//! [`Session::for_test`] makes a session for a handler's unit test; [`testing::signed_in`] makes the `Cookie` header of
//! somebody who is signed in. [`Clock::manual`] lets a memory store's sessions expire without waiting.
//!
//! # Limits
//!
//! A session holds 32 KiB in 64 values, with names of 128 bytes and 32 levels of JSON; an `update` may run several times;
//! sessions in the cookie itself are not offered, for they cannot be ended. Waiting for a store needs tokio's runtime.
//!
//! # Guides
//!
//! [Logins and permissions](_guides::login), [devices](_guides::devices), [flash messages](_guides::flash), [CSRF](_guides::csrf),
//! [OAuth and OpenID Connect](_guides::oauth), [the order of layers, and several of them](_guides::layers), [clients without
//! cookies](_guides::native), [sockets and streams](_guides::live), [deployment](_guides::deployment), [testing](_guides::testing).
//!
//! # Features
//!
//! * `axum` (default): the extractors, and [`Error`] as a response.
//! * `conformance`: `store::conformance`, the tests of a store's contract.
//! * `keyring`: `Keyring`, with which nobody who writes to the store can plant or change a session, and sealed values, which
//!   take the visitor's cookie to open; the guide is `_guides::keys`.
//! * `metrics`: [numbers](_guides::deployment#metrics) for the `metrics` facade.
//! * `mysql`: `store::MySqlStore`, for MariaDB and MySQL, on sqlx; it needs Rust 1.94.
//! * `postgres`: `store::PostgresStore`, on tokio-postgres.
//! * `redis`: `store::RedisStore`; `redis-tls`: the same with TLS, by rustls.
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
mod fresh;
mod future;
mod guard;
mod id;
mod json;
mod key;
#[cfg(feature = "keyring")]
mod keyring;
mod label;
mod layer;
mod lifetime;
mod limit;
mod live;
mod load;
mod meter;
mod observe;
mod operator;
mod principal;
mod record;
mod renewal;
mod revocation;
mod service;
mod session;
mod sessions;
mod site_data;
mod slot;
pub mod store;
mod sync;
pub mod testing;
mod watch;

#[cfg(any(doc, doctest))]
#[path = "docs/mod.rs"]
pub mod _guides;

pub use clock::{Clock, Timestamp};
pub use context::OnFailure;
pub use cookie::{ConfigError, HeaderTransport, SameSite, Transport};
pub use error::{DefaultOnError, Error, ErrorKind, OnError};
#[cfg(feature = "axum")]
pub use extract::{Fresh, Of, Principal};
pub use fresh::{RequireFresh, RequireFreshService, require_fresh};
pub use future::ResponseFuture;
pub use id::{Handle, ParseHandleError};
pub use key::{Key, KeyName, SessionKey, Undecodable};
#[cfg(feature = "keyring")]
pub use keyring::{KeyError, KeyId, Keyring, PreviousKey, ServerKey};
pub use layer::{SessionLayer, SessionLayerBuilder};
pub use lifetime::Lifetime;
pub use limit::SessionLimit;
pub use live::LiveSession;
pub use observe::{EndReason, Event, EventKind, PeerKey, RejectReason};
pub use operator::OperatorView;
pub use principal::{CredentialStamp, PrincipalId};
pub use renewal::{OnReuse, Renewal};
pub use service::SessionService;
pub use session::{LoadFuture, Main, Session, SessionSlot};
pub use sessions::{SessionInfo, Sessions};
pub use site_data::SiteData;
pub use watch::Ended;

#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/migrating.md")]
struct Migrating;
