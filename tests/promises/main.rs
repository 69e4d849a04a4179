//! The promises that the README makes, each a test through the whole layer.

#[path = "../bed/mod.rs"]
mod bed;
mod clearing;
mod concurrency;
mod corners;
mod failures;
mod guessing;
mod identity;
#[cfg(feature = "keyring")]
mod keys;
mod labels;
mod layers;
mod lifetime;
mod live;
mod model;
mod native;
mod nodes;
mod operator;
mod reentry;
mod renewal;
mod response;
mod revocation;
#[cfg(feature = "keyring")]
mod sealed;
mod security;
mod situations;
mod step_up;
mod support;
mod told;
mod user_agent;
mod within;
