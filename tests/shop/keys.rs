//! The shop with keys: sealed, told of new ones while it is open, and not opened with wrong ones.

use std::{fs, path::PathBuf};

use http::StatusCode;

use crate::{
    add,
    bed::{customer::Customer, folder::Folder, shop::Shop},
    file, sign_up,
    start::check,
};

const FIRST: &str = "nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=";
const SECOND: &str = "0d79b5e86c2f41a39e04d7b8612c5fa087e93b14c6f05d2a7918ce43b5f6720a";

/// A shop on a file of SQLite, whose sessions are sealed.
struct Sealed {
    shop: Shop,
    url: String,
    keys: PathBuf,
    _folder: Folder,
}

impl Sealed {
    fn open() -> Self {
        let (folder, url) = file();
        let keys = folder.path().join("shop.keys");
        fs::write(&keys, FIRST).unwrap();
        Self {
            shop: open(&url, &keys),
            url,
            keys,
            _folder: folder,
        }
    }

    fn reopen(self) -> Self {
        self.shop.close();
        Self {
            shop: open(&self.url, &self.keys),
            ..self
        }
    }
}

fn open(url: &str, keys: &std::path::Path) -> Shop {
    let keys = keys.to_str().unwrap();
    Shop::open_with(&["--store", url, "--keys", keys, "--sealed"])
}

async fn is_known(customer: &mut Customer) -> bool {
    customer.get("/cart").await.text.contains("Sign out")
}

#[tokio::test]
async fn a_sealed_shop_keeps_carts_and_logins_over_a_restart() {
    let sealed = Sealed::open();
    let mut customer = Customer::new(sealed.shop.port);
    add(&mut customer, 3).await;
    sign_up(&mut customer).await;
    let before = customer.get("/cart").await;
    assert_eq!(before.status, StatusCode::OK);
    let sealed = sealed.reopen();
    let mut customer = customer.at(sealed.shop.port);
    let after = customer.get("/cart").await;
    assert!(after.text.contains("Sign out"));
    assert!(after.text.contains("102.00"), "{}", after.text);
}

#[tokio::test]
async fn a_key_that_is_dropped_signs_out_of_an_open_shop_that_is_told_to_read_its_keys_again() {
    let sealed = Sealed::open();
    let mut customer = Customer::new(sealed.shop.port);
    sign_up(&mut customer).await;
    fs::write(&sealed.keys, format!("{SECOND}\n{FIRST}")).unwrap();
    sealed.shop.signal("HUP");
    assert!(is_known(&mut customer).await);
    fs::write(&sealed.keys, SECOND).unwrap();
    sealed.shop.signal("HUP");
    while is_known(&mut customer).await {}
}

#[test]
fn a_shop_with_wrong_keys_does_not_open_and_says_why() {
    let folder = Folder::new("shop");
    let path = folder.path().join("shop.keys");
    let path = path.to_str().unwrap();
    let memory = ["--store", "memory"];
    let check = |options: &[&str], words| check(&[&memory, options].concat(), words);
    check(&["--sealed"], "`--sealed` needs `--keys FILE`");
    check(&["--keys", path], "cannot be read");
    for (content, words) in [
        ("changeme", "neither hex nor base64"),
        ("", "there is no key"),
        ("0000000000000000000000000000000000000000000=", "a pattern"),
    ] {
        fs::write(path, content).unwrap();
        check(&["--keys", path, "--sealed"], words);
    }
}
