//! What the shop keeps beside the sessions: users and orders.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::cart::Cart;

#[derive(Clone, Default)]
pub(crate) struct Shop(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    users: HashMap<String, User>,
    orders: Vec<Order>,
}

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) password_hash: String,
}

#[derive(Clone)]
pub(crate) struct Order {
    /// The cart's, and unique.
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) address: String,
    pub(crate) cart: Cart,
}

impl Shop {
    /// Makes an account; `None` if the address has one.
    pub(crate) async fn add_user(
        &self,
        email: String,
        name: String,
        password_hash: String,
    ) -> Option<User> {
        let users = &mut self.tables().users;
        let user = User {
            id: users.len() as u64 + 1,
            name,
            password_hash,
        };
        (!users.contains_key(&email)).then(|| users.entry(email).or_insert(user).clone())
    }

    pub(crate) async fn user(&self, email: &str) -> Option<User> {
        self.tables().users.get(email).cloned()
    }

    /// Keeps an order unless there is one of its id.
    pub(crate) async fn add_order(&self, order: Order) {
        let orders = &mut self.tables().orders;
        if !orders.iter().any(|other| other.id == order.id) {
            orders.push(order);
        }
    }

    /// Returns an order of this user, and nobody else's.
    pub(crate) async fn order(&self, id: u64, user: &str) -> Option<Order> {
        let orders = &self.tables().orders;
        let is_it = |order: &&Order| order.id == id && order.user == user;
        orders.iter().find(is_it).cloned()
    }

    /// Returns a user's orders, the latest first.
    pub(crate) async fn orders_of(&self, user: &str) -> Vec<Order> {
        let orders = &self.tables().orders;
        let theirs = |order: &&Order| order.user == user;
        orders.iter().rev().filter(theirs).cloned().collect()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0
            .lock()
            .expect("nothing panics while it holds the tables")
    }
}
