//! The promises that the README makes, each a test through the whole layer.

mod concurrency;
mod failures;
mod model;
mod situations;
mod support;
