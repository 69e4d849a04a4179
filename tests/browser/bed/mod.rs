//! The test bed: a shop of one's own, a browser of one's own, and what a visitor does with it.

mod browser;
mod chat;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../bed/process.rs"]
mod process;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../bed/shop.rs"]
mod shop;
mod site;
mod visitor;

pub(crate) use browser::{Browser, NAME};
pub(crate) use chat::Chat;
pub(crate) use shop::Shop;
pub(crate) use site::Site;
