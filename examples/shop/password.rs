//! Passwords: which are good enough, and how they are kept and compared.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// Says what is wrong with a password that somebody chooses; `None` if it is good enough.
///
/// Length and a look at the favourites, as NIST SP 800-63B-4 advises; no rules about digits and signs.
pub(crate) fn objection(password: &str, email: &str) -> Option<&'static str> {
    let known = |favourite: &&str| password.eq_ignore_ascii_case(favourite);
    match password.chars().count() {
        0..SHORTEST => Some("A password has eight characters or more."),
        length if length > LONGEST => Some("A password has 128 characters at most."),
        _ if FAVOURITES.iter().any(known) => {
            Some("This is one of the first passwords that are tried; choose another.")
        }
        _ if password.eq_ignore_ascii_case(email) => {
            Some("A password is something else than the e-mail address.")
        }
        _ => None,
    }
}

pub(crate) async fn hash(password: String) -> String {
    off_the_async_threads(move || hash_now(&password)).await
}

/// Tells whether this is the password that `hash` was made of.
///
/// Without a hash it takes as long, so that nobody learns which addresses have accounts.
pub(crate) async fn verify(password: String, hash: Option<String>) -> bool {
    if password.chars().count() > LONGEST {
        return false;
    }
    off_the_async_threads(move || match hash {
        Some(hash) => verify_now(&password, &hash),
        None => {
            hash_now(&password);
            false
        }
    })
    .await
}

/// Hashing takes time and memory on purpose: the threads that answer requests do not wait for it, and only a few run at
/// once.
async fn off_the_async_threads<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    static TURNS: Semaphore = Semaphore::const_new(4);
    let turn = TURNS.acquire().await.expect("nobody closes it");
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.expect("hashing does not panic")
}

fn hash_now(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("argon2's own parameters are valid").to_string()
}

fn verify_now(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash).expect("it was made by `hash_now`");
    Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok()
}

const SHORTEST: usize = 8;
const LONGEST: usize = 128;
/// A real shop asks a list of a few thousand.
const FAVOURITES: &[&str] = &[
    "password",
    "password1",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyuiop",
    "qwerty123",
    "11111111",
    "iloveyou",
    "sunshine",
];
