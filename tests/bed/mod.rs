//! The test bed: what a test of a store on a real engine needs. One file for each engine.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

pub mod customer;
pub mod folder;
pub mod nginx;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
pub mod shop;
pub mod visitor;
