//! Numbers for the `metrics` facade (feature `metrics`); without the feature nothing is counted.
//!
//! Labels are words of this crate and names of layers, so their number is bounded, and none names a session, a person or a
//! place.

use crate::error::ErrorKind;

/// What a look-up came to.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    Failed,
    Live,
    Superseded,
    /// No id of the request opened anything: unknown, expired, or a wrong secret.
    Unknown,
}

#[cfg(feature = "metrics")]
pub(crate) use counted::*;
#[cfg(not(feature = "metrics"))]
pub(crate) use ignored::*;

#[cfg(not(feature = "metrics"))]
mod ignored {
    use super::{ErrorKind, Load};

    pub(crate) const fn describe() {}

    pub(crate) const fn event(_: &'static str, _: &str) {}

    pub(crate) const fn load(_: Load, _: &str) {}

    pub(crate) const fn commit(_: Result<(), ErrorKind>, _: &str) {}

    pub(crate) const fn connection_opened() {}

    pub(crate) const fn connection_closed() {}
}

#[cfg(feature = "metrics")]
mod counted {
    use std::{sync::Arc, time::Duration};

    use metrics::{
        Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    };

    use super::{ErrorKind, Load};

    /// Says what the numbers are to a recorder that is installed by now.
    pub(crate) fn describe() {
        describe_counter!(
            EVENTS,
            Unit::Count,
            "events, also those that the log leaves out"
        );
        describe_counter!(LOADS, Unit::Count, "requests whose id was looked up");
        describe_counter!(COMMITS, Unit::Count, "commits, and what they came to");
        describe_histogram!(
            STORE,
            Unit::Seconds,
            "how long the store takes to carry out a verb"
        );
        describe_gauge!(
            SESSIONS,
            Unit::Count,
            "sessions that the store holds, where it knows"
        );
        describe_gauge!(
            CONNECTIONS,
            Unit::Count,
            "sessions of this process that have left their request"
        );
    }

    pub(crate) fn event(name: &'static str, layer: &Arc<str>) {
        counter!(EVENTS, "event" => name, "layer" => layer.clone()).increment(1);
    }

    pub(crate) fn load(load: Load, layer: &Arc<str>) {
        let outcome = match load {
            Load::Failed => "failed",
            Load::Live => "live",
            Load::Superseded => "superseded",
            Load::Unknown => "unknown",
        };
        counter!(LOADS, "outcome" => outcome, "layer" => layer.clone()).increment(1);
    }

    pub(crate) fn commit(committed: Result<(), ErrorKind>, layer: &Arc<str>) {
        let outcome = committed.map_or_else(failure, |()| "done");
        counter!(COMMITS, "outcome" => outcome, "layer" => layer.clone()).increment(1);
    }

    const fn failure(kind: ErrorKind) -> &'static str {
        match kind {
            ErrorKind::ChangedSinceRead => "changed_since_read",
            ErrorKind::Contended => "contended",
            ErrorKind::CredentialsChanged | ErrorKind::TooManySessions => "refused",
            ErrorKind::Full => "full",
            ErrorKind::Gone => "gone",
            ErrorKind::OutcomeUnknown => "outcome_unknown",
            ErrorKind::Store => "store",
            ErrorKind::Superseded => "superseded",
            _ => "other",
        }
    }

    /// Notes how long a verb of the store has taken.
    pub(crate) fn verb(verb: &'static str, outcome: &'static str, took: Duration) {
        histogram!(STORE, "verb" => verb, "outcome" => outcome).record(took.as_secs_f64());
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    pub(crate) fn sessions(count: usize) {
        gauge!(SESSIONS).set(count as f64);
    }

    pub(crate) fn connection_opened() {
        gauge!(CONNECTIONS).increment(1.0);
    }

    pub(crate) fn connection_closed() {
        gauge!(CONNECTIONS).decrement(1.0);
    }

    const EVENTS: &str = "tenure_events_total";
    const LOADS: &str = "tenure_loads_total";
    const COMMITS: &str = "tenure_commits_total";
    const STORE: &str = "tenure_store_seconds";
    const SESSIONS: &str = "tenure_sessions";
    const CONNECTIONS: &str = "tenure_live_connections";
}
