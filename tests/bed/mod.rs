//! The test bed: what a test of a store on a real engine needs. One file for each engine.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

pub mod account;
#[cfg(feature = "keyring")]
pub mod canaries;
pub mod clocks;
pub mod customer;
pub mod cuts;
pub mod engine;
pub mod folder;
pub mod gated;
pub mod leftovers;
pub mod live;
pub mod load;
pub mod log;
pub mod lossy;
#[cfg(feature = "mysql")]
pub mod mariadb;
pub mod model;
pub mod nginx;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod principals;
pub mod process;
pub mod promises;
pub mod proxy;
#[cfg(feature = "redis")]
pub mod redis;
pub mod shop;
pub mod visitor;
