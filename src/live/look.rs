//! What the store says of a session that somebody watches.

use std::time::Duration;

use crate::{
    change::{Live, Opener},
    context::Context,
    guard::Unreadable,
    record::Undecodable,
    store::Loaded,
    watch::{Deadline, Ended, Watched},
};

/// Judges what the store says of a session, and tells those who wait for its end.
pub(super) fn look(
    context: &Context,
    watched: &Watched,
    loaded: Option<Loaded>,
) -> Result<Result<Live, Ended>, Undecodable> {
    let looked = match loaded {
        Some(loaded) => judge(context, watched, loaded)?,
        None if is_over_in(MARGIN, context, watched) => Err(Ended::Expired),
        None => Err(Ended::Gone),
    };
    match &looked {
        Ok(live) => watched.put_off(deadline(context, live)),
        Err(ended) => watched.end(*ended),
    }
    Ok(looked)
}

fn judge(
    context: &Context,
    watched: &Watched,
    loaded: Loaded,
) -> Result<Result<Live, Ended>, Undecodable> {
    let header = match context.read(watched.handle(), &loaded) {
        Ok(header) => header,
        Err(Unreadable::Undecodable(undecodable)) => return Err(undecodable),
        Err(Unreadable::Untrusted(_)) => return Ok(Err(Ended::Gone)),
    };
    if header.generation != watched.generation() {
        return Ok(Err(Ended::PrivilegeChanged));
    }
    let lifetime = header.lifetime.unwrap_or(context.lifetime);
    let (secret, stamps) = (
        header.secret,
        header.stamps(loaded.created, loaded.last_seen),
    );
    Ok(match lifetime.is_live(stamps, loaded.now) {
        true => Ok(Live::of(
            watched.handle(),
            loaded,
            Opener::unseen(secret),
            None,
            context.stopwatch(),
        )),
        false => Err(Ended::Expired),
    })
}

/// Tells whether a session has outlived what the store said last.
pub(super) fn is_over(context: &Context, watched: &Watched) -> bool {
    is_over_in(Duration::ZERO, context, watched)
}

fn is_over_in(margin: Duration, context: &Context, watched: &Watched) -> bool {
    let deadline = watched.deadline();
    context.now(&deadline.seen) + margin >= deadline.at
}

pub(super) fn deadline(context: &Context, live: &Live) -> Deadline {
    let lifetime = live.header().lifetime.unwrap_or(context.lifetime);
    let stamps = live.stamps();
    let idle = lifetime.idle_deadline(stamps);
    Deadline {
        at: idle.min(lifetime.absolute_deadline(stamps)),
        seen: live.seen,
    }
}

/// The store's clock is known as it was when it answered: by how much it may be ahead of that.
const MARGIN: Duration = Duration::from_secs(1);
