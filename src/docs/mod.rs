//! Guides: how sessions are used for what applications need. Every program here is run by the tests.
//!
//! * [`login`]: users, permissions, "remember me", asking for the password again.
//! * [`devices`]: who is signed in where, signing out there, a new password, a limit, an operator's view.
//! * [`flash`]: messages that are shown once.
//! * [`csrf`]: requests that another site forges.
//! * [`oauth`]: OAuth and OpenID Connect callbacks.
//! * `keys` (with the feature `keyring`): keys for the server, made, loaded and rotated.
//! * [`layers`]: the order of layers, and several of them.
//! * [`live`]: sockets and streams that end with their session.
//! * [`native`]: native applications and scripts, which bring their id in a header.
//! * [`deployment`]: reverse proxies, http on your own machine, shutdown, logs and metrics.
//! * [`testing`]: testing your application.

macro_rules! guides {
    ($($name:ident)*) => {$(
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        pub mod $name {}
    )*};
}

#[cfg(feature = "keyring")]
guides! { keys }

guides! { csrf deployment devices flash layers live login native oauth testing }
