//! The shop as a program of its own, on databases: what it keeps when it ends, and when there are two of it.
//!
//! `./check` builds the shop and installs the servers that are missing.

#[path = "../bed/mod.rs"]
mod bed;
mod devices;
mod help;
#[cfg(feature = "keyring")]
mod keys;
mod operator;
mod orders;
mod restart;
mod start;
mod two;

use bed::{customer::Customer, folder::Folder, shop::Shop};
use http::StatusCode;

const SIGN_UP: &str = "name=Ada&email=ada%40example.org&password=four+blue+kettles";
const SIGN_IN: &str = "email=ada%40example.org&password=four+blue+kettles";

/// An empty folder, and the address of a database in it.
fn file() -> (Folder, String) {
    let folder = Folder::new("shop");
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    (folder, url)
}

fn open(url: &str) -> Shop {
    Shop::open_with(&["--store", url])
}

/// Puts things of one product into the cart.
async fn add(customer: &mut Customer, quantity: u32) {
    let form = format!("product=1&quantity={quantity}");
    let added = customer.post("/cart", &form).await;
    assert_eq!(
        (added.status, added.goes_to()),
        (StatusCode::SEE_OTHER, "/cart")
    );
}

async fn sign_up(customer: &mut Customer) {
    let signed_up = customer.post("/signup", SIGN_UP).await;
    assert_eq!(
        (signed_up.status, signed_up.goes_to()),
        (StatusCode::SEE_OTHER, "/cart")
    );
}

/// The form of a checkout of so many teapots.
fn checkout(teapots: u32) -> String {
    format!("address=Ada%0A12+Mill+Lane&total={}", 3_400 * teapots)
}
