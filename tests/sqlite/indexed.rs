//! What is left of the index in its tables, and when it goes.
