//! The test bed: a shop of one's own, a browser of one's own, and what a visitor does with it.

mod browser;
#[path = "../../bed/process.rs"]
mod process;
#[path = "../../bed/shop.rs"]
mod shop;
mod site;
mod visitor;

pub(crate) use browser::{Browser, NAME};
pub(crate) use shop::Shop;
pub(crate) use site::Site;
