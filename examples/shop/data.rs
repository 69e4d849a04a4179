//! What the shop keeps beside the sessions: users and orders.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::cart::Cart;

#[derive(Clone, Default)]
pub(crate) struct Shop(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    users: HashMap<String, User>,
    orders: BTreeMap<u64, Order>,
}

#[derive(Clone)]
struct User {
    id: u64,
    password_hash: String,
}

#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) cart: Cart,
}

impl Shop {
    /// Makes an account and returns its id; `None` if the address has one.
    pub(crate) async fn sign_up(&self, email: String, password: String) -> Option<u64> {
        let password_hash = off_the_async_threads(move || hash(&password)).await;
        let users = &mut self.tables().users;
        if users.contains_key(&email) {
            return None;
        }
        let id = users.len() as u64 + 1;
        users.insert(email, User { id, password_hash });
        Some(id)
    }

    /// Returns the id of the account that this is the password of. An unknown address takes as long as a wrong
    /// password, so that nobody learns which addresses have accounts.
    pub(crate) async fn check_password(&self, email: &str, password: String) -> Option<u64> {
        let user = self.tables().users.get(email).cloned();
        off_the_async_threads(move || match user {
            Some(user) => verify(&password, &user.password_hash).then_some(user.id),
            None => {
                hash(&password);
                None
            }
        })
        .await
    }

    /// Keeps an order under its cart's id, once.
    pub(crate) fn place(&self, user: String, cart: Cart) -> Order {
        let id = cart.id;
        let order = Order { id, user, cart };
        self.tables().orders.entry(id).or_insert(order).clone()
    }

    pub(crate) fn order(&self, id: u64, user: &str) -> Option<Order> {
        self.tables()
            .orders
            .get(&id)
            .filter(|order| order.user == user)
            .cloned()
    }

    pub(crate) fn orders_of(&self, user: &str) -> Vec<Order> {
        let tables = self.tables();
        tables
            .orders
            .values()
            .filter(|order| order.user == user)
            .cloned()
            .collect()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0
            .lock()
            .expect("nothing panics while it holds the tables")
    }
}

/// Hashing takes long on purpose; the threads that answer requests do not wait for it.
async fn off_the_async_threads<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    tokio::task::spawn_blocking(work)
        .await
        .expect("hashing does not panic")
}

fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("argon2's own parameters are valid").to_string()
}

fn verify(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash).expect("it was made by `hash`");
    Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok()
}
