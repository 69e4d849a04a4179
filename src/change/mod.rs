//! What a request wants to become of its session, and what that takes. Pure: no store, no HTTP, no clock.

mod draft;
mod edits;
mod live;
mod plan;
mod reads;
mod values;
mod work;

pub(crate) use draft::{Deed, Draft};
pub(crate) use edits::{Edits, Operation, Update};
pub(crate) use live::{Live, Opener, Seen, Succession};
pub(crate) use plan::{Facts, Plan, Then};
pub(crate) use values::{Look, ValueDraft};
pub(crate) use work::{LoginBegun, Pending, Work};

/// What the request's cookie turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There was none, or nothing that has the shape of an id.
    #[default]
    Absent,
    /// The id of a live session.
    Live,
    /// An id that a privilege change replaced a moment ago: the browser holds its successor by now.
    Superseded,
    /// An id that is not live, or several of which not exactly one is.
    Unknown,
    /// There was none, and the browser may hold one that it did not send.
    Withheld,
}
