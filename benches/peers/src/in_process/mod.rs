//! What a request costs in this process, above a layer that does nothing.

pub(crate) mod allocations;
pub(crate) mod instructions;
pub(crate) mod times;
