//! The one lock of the crate: it is held for a few lines, never over an await and never over a user's code.
//!
//! Under `--cfg shuttle` it is the scheduler's, so that the races it guards can be explored (`tests/shuttle.rs`).

#[cfg(shuttle)]
use shuttle::sync as primitive;
#[cfg(not(shuttle))]
use std::sync as primitive;
use std::{fmt, sync::PoisonError};

pub(crate) use primitive::{
    MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

/// A mutex that a panic does not poison: what it guards is whole between any two statements.
#[derive(Default)]
pub(crate) struct Mutex<T>(primitive::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(primitive::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}
