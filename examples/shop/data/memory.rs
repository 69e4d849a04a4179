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
    addresses: HashMap<u64, String>,
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
            email: email.to_owned(),
            name: name.to_owned(),
            password_hash: password_hash.to_owned(),
        };
        let is_new = !users.contains_key(email);
        at_once(is_new.then(|| users.entry(email.to_owned()).or_insert(user).clone()))
    }

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>> {
        at_once(self.kept().users.get(email).cloned())
    }

    fn user_of<'a>(&'a self, id: u64) -> Answer<'a, Option<User>> {
        let users = &self.kept().users;
        at_once(users.values().find(|user| user.id == id).cloned())
    }

    fn set_password<'a>(&'a self, id: u64, old: &'a str, new: &'a str) -> Answer<'a, bool> {
        let users = &mut self.kept().users;
        let is_it = |user: &&mut User| user.id == id && user.password_hash == old;
        let user = users.values_mut().find(is_it);
        at_once(
            user.map(|user| user.password_hash = new.to_owned())
                .is_some(),
        )
    }

    fn address_of<'a>(&'a self, id: u64) -> Answer<'a, Option<String>> {
        at_once(self.kept().addresses.get(&id).cloned())
    }

    fn set_address<'a>(&'a self, id: u64, address: &'a str) -> Answer<'a, ()> {
        self.kept().addresses.insert(id, address.to_owned());
        at_once(())
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
