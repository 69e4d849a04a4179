//! A shop that cannot start says why in one line, and ends.

use std::process::Command;

use sqlx::{Connection as _, SqliteConnection};

#[cfg(feature = "redis")]
use crate::bed::redis::Space;
use crate::{
    bed::{folder::Folder, shop},
    file, open,
};

#[test]
fn a_store_that_is_none_or_does_not_answer_is_one_line_that_says_what_helps() {
    for (url, words) in [
        (
            "oracle://localhost/shop",
            "`oracle` is no store; `--store` takes",
        ),
        ("sqlite:/nowhere/at/all.db", "does the file's folder exist"),
        #[cfg(feature = "mysql")]
        ("mysql://ada:secret@127.0.0.1:1/shop", "is it running"),
        #[cfg(feature = "mysql")]
        (
            "mysql://ada:secret@127.0.0.1:x/shop",
            "no URL of such a database",
        ),
        #[cfg(not(feature = "mysql"))]
        ("mysql://ada:secret@127.0.0.1/shop", "--features mysql"),
        #[cfg(feature = "postgres")]
        ("postgres://ada:secret@127.0.0.1:1/shop", "is it running"),
        #[cfg(feature = "postgres")]
        (
            "postgres://ada:secret@127.0.0.1:x/shop",
            "no URL of such a database",
        ),
        #[cfg(not(feature = "postgres"))]
        (
            "postgres://ada:secret@127.0.0.1/shop",
            "--features postgres",
        ),
    ] {
        check(&["--store", url], words);
    }
}

#[test]
fn sessions_in_redis_need_a_file_for_users_and_orders_and_others_need_none() {
    let folder = Folder::new("shop");
    let file = folder.path().join("shop.db").display().to_string();
    for url in [
        "redis://:secret@127.0.0.1:1",
        "redis-sentinel://:secret@127.0.0.1:1?service=shop",
        "redis-cluster://:secret@127.0.0.1:1",
    ] {
        check(&["--store", url], "`--data shop.db`");
        let words = match cfg!(feature = "redis") {
            true => "the database does not answer",
            false => "--features redis,sqlite",
        };
        check(&["--store", url, "--data", &file], words);
    }
    for (flag, value) in [("--data", &*file), ("--prefix", "shop:")] {
        check(
            &["--store", "oracle://localhost/shop", flag, value],
            "`oracle` is no store",
        );
    }
    check(
        &["--store", "memory", "--data", &file],
        "`--data` is for sessions in Redis",
    );
    check(
        &["--store", "memory", "--prefix", "shop:"],
        "`--prefix` is for sessions in Redis",
    );
    #[cfg(feature = "redis")]
    check(
        &[
            "--store",
            Space::new().url(),
            "--data",
            "/nowhere/at/all.db",
        ],
        "does the file's folder exist",
    );
}

#[tokio::test]
async fn a_file_whose_lock_somebody_holds_is_named_as_such() {
    let (_folder, url) = file();
    drop(open(&url));
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    check(&["--store", &url], "does nobody hold its lock");
    drop(lock);
}

/// Starts a shop that cannot, and looks at its last words.
pub(crate) fn check(options: &[&str], words: &str) {
    let said = refusal(options);
    assert!(said.contains(words), "{options:?}: {said}");
    assert!(!said.contains("secret"), "{options:?}: {said}");
}

fn refusal(options: &[&str]) -> String {
    let mut command = Command::new(shop::program());
    command.args(["--port", "0"]).args(options);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{options:?}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{options:?}: {said}");
    said
}
