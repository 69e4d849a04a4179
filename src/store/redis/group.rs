//! Connections to one server, which are left together: what one of them has found out is true of all.

use std::sync::Arc;

use tokio::sync::watch;

/// The connections to a server, or to what Sentinels name.
#[derive(Clone, Debug)]
pub(super) struct Group(Arc<watch::Sender<u64>>);

/// A connection's place in its group. Those of one number are left together.
#[derive(Debug)]
pub(super) struct Member {
    group: Group,
    number: u64,
}

impl Group {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Joins those that have not been left; to be asked for before the server is, which may be another one afterwards.
    pub(super) fn join(&self) -> Member {
        Member {
            group: self.clone(),
            number: *self.0.borrow(),
        }
    }
}

impl Member {
    /// Waits until a connection of its number was lost or given up.
    pub(super) async fn another_has_left(&self) {
        let mut number = self.group.0.subscribe();
        let left = number.wait_for(|number| *number != self.number);
        // The sender is this one's own.
        drop(left.await);
    }

    /// Leaves, and with it all of its number.
    pub(super) fn leave(&self) {
        self.group.0.send_if_modified(|number| {
            let is_first = *number == self.number;
            *number += u64::from(is_first);
            is_first
        });
    }
}

impl Default for Member {
    /// A group of its own.
    fn default() -> Self {
        Group::new().join()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn is_to_leave(member: &Member) -> bool {
        let mut task = Context::from_waker(Waker::noop());
        let waiting = pin!(member.another_has_left());
        waiting.poll(&mut task) == Poll::Ready(())
    }

    #[test]
    fn those_who_were_there_leave_with_the_first_and_those_who_come_later_stay() {
        let group = Group::new();
        let [first, second] = [group.join(), group.join()];
        assert!(!is_to_leave(&second));
        first.leave();
        let later = group.join();
        second.leave();
        assert_eq!(
            [&first, &second, &later].map(is_to_leave),
            [true, true, false]
        );
    }
}
