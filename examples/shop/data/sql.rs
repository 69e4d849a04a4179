//! The statements, which SQLite and PostgreSQL read alike.

/// Makes the tables if they are missing; `numbered` is what the engine calls a key that it counts up.
pub(crate) fn tables(numbered: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS shop_users (
            id {numbered},
            email TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS shop_orders (
            number {numbered},
            id BIGINT NOT NULL UNIQUE,
            buyer TEXT NOT NULL,
            address TEXT NOT NULL,
            cart TEXT NOT NULL
        );
        CREATE INDEX IF NOT EXISTS shop_orders_buyer ON shop_orders (buyer);"
    )
}

pub(crate) const ADD_USER: &str =
    "INSERT INTO shop_users (email, name, password_hash) VALUES ($1, $2, $3)
    ON CONFLICT (email) DO NOTHING RETURNING id, name, password_hash";

pub(crate) const USER: &str = "SELECT id, name, password_hash FROM shop_users WHERE email = $1";

/// One statement, that cannot happen twice.
pub(crate) const ADD_ORDER: &str =
    "INSERT INTO shop_orders (id, buyer, address, cart) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING RETURNING id";

pub(crate) const ORDER: &str =
    "SELECT id, buyer, address, cart FROM shop_orders WHERE id = $1 AND buyer = $2";

pub(crate) const ORDERS_OF: &str =
    "SELECT id, buyer, address, cart FROM shop_orders WHERE buyer = $1 ORDER BY number DESC";
