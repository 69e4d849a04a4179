//! Users and orders that end with the program.

use std::{
    collections::HashMap,
    future,
    sync::{Mutex, MutexGuard},
};

use super::{Answer, Order, Tables, User};

#[derive(Default)]
pub(crate) struct MemoryTables(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    users: HashMap<String, User>,
    orders: Vec<Order>,
}

impl MemoryTables {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0
            .lock()
            .expect("nothing panics while it holds the tables")
    }
}

impl Tables for MemoryTables {
    fn add_user<'a>(
        &'a self,
        email: &'a str,
        name: &'a str,
        password_hash: &'a str,
    ) -> Answer<'a, Option<User>> {
        let users = &mut self.kept().users;
        let user = User {
            id: users.len() as u64 + 1,
            name: name.to_owned(),
            password_hash: password_hash.to_owned(),
        };
        let is_new = !users.contains_key(email);
        at_once(is_new.then(|| users.entry(email.to_owned()).or_insert(user).clone()))
    }

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>> {
        at_once(self.kept().users.get(email).cloned())
    }

    fn add_order<'a>(&'a self, order: &'a Order) -> Answer<'a, bool> {
        let orders = &mut self.kept().orders;
        let is_new = !orders.iter().any(|other| other.id == order.id);
        if is_new {
            orders.push(order.clone());
        }
        at_once(is_new)
    }

    fn order<'a>(&'a self, id: u64, user: &'a str) -> Answer<'a, Option<Order>> {
        let is_it = |order: &&Order| order.id == id && order.user == user;
        at_once(self.kept().orders.iter().find(is_it).cloned())
    }

    fn orders_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<Order>> {
        let theirs = |order: &&Order| order.user == user;
        let orders = &self.kept().orders;
        at_once(orders.iter().rev().filter(theirs).cloned().collect())
    }
}

fn at_once<'a, T: Send + 'a>(answer: T) -> Answer<'a, T> {
    Box::pin(future::ready(Ok(answer)))
}
