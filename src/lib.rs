//! Sessions for Tower and Axum that hold.
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
