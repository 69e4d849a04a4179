//! A shop that cannot start says why in one line, and ends.

use std::process::Command;

use sqlx::{Connection as _, SqliteConnection};

use crate::{bed::shop, file, open};

#[test]
fn a_store_that_is_none_or_does_not_answer_is_one_line_that_says_what_helps() {
    let missing = "sqlite:/nowhere/at/all.db";
    for (url, words) in [
        (
            "mysql://localhost/shop",
            "`mysql` is no store; `--store` takes",
        ),
        (missing, "does the file's folder exist"),
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
        let said = refusal(url);
        assert!(said.contains(words), "{url}: {said}");
        assert!(!said.contains("secret"), "{url}: {said}");
    }
}

#[tokio::test]
async fn a_file_whose_lock_somebody_holds_is_named_as_such() {
    let (_folder, url) = file();
    drop(open(&url));
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let said = refusal(&url);
    assert!(said.contains("does nobody hold its lock"), "{said}");
    drop(lock);
}

/// Starts a shop that cannot, and returns its last words.
fn refusal(url: &str) -> String {
    let mut command = Command::new(shop::program());
    command.args(["--port", "0", "--store", url]);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{url}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{url}: {said}");
    said
}
