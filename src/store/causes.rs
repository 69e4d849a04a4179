//! One failure that meets many verbs.

#[cfg(any(feature = "mysql", feature = "postgres"))]
use super::StoreError;

#[cfg(any(feature = "mysql", feature = "postgres"))]
impl StoreError {
    /// Says the same to another verb that has waited for the same answer.
    pub(super) fn again(&self) -> Self {
        Self::new(self.kind, in_full(&*self.source))
    }
}

/// Writes an error and its causes in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some say what their cause says.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
