//! A visitor who logs out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tenure::{Session, SessionLayer};
use tokio::sync::watch;

use super::{
    Seen,
    again::{signed_in, until_it_is_read, until_they_are_listed},
    ask, note,
};
use crate::bed::visitor::{Told, principal, told};

/// A session that is ended while the load lasts.
pub(super) struct Leaver {
    name: String,
    cookie: String,
    left: Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was ended when something could get lost.
    Perhaps,
    No,
    Yes,
}

impl Leaver {
    pub(super) async fn new(node: &SessionLayer, number: usize) -> Self {
        let name = format!("leaver {number}");
        Self {
            cookie: signed_in(node, &name).await,
            name,
            left: Left::No,
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.left != Left::No
    }

    /// Tells whether it is among the sessions of its principal. There may be others, of logins that were refused too late.
    async fn is_listed(&self, node: &SessionLayer) -> bool {
        let listed = until_they_are_listed(node, self.name.as_str()).await;
        let mut listed = listed.iter().map(|info| info.handle().to_string());
        let (_, id) = self.cookie.split_once('=').unwrap();
        listed.any(|handle| handle[..WHOLE] == id[..WHOLE])
    }

    /// Returns how many logouts are undone that were acknowledged: one or none.
    pub(super) async fn check(&self, node: &SessionLayer) -> u32 {
        until_it_is_read(node, &self.cookie).await;
        let found = principal(node, &self.cookie).await;
        let alive = found.is_some();
        assert!(
            found.is_none_or(|found| found == self.name),
            "somebody else"
        );
        assert_eq!(self.is_listed(node).await, alive, "{} is listed", self.name);
        match self.left {
            Left::Perhaps => return u32::from(alive),
            Left::No => assert!(alive, "{} is logged out", self.name),
            Left::Yes => assert!(!alive, "{} is back again", self.name),
        }
        0
    }
}

/// Lets one visitor after the other log out, a few requests apart.
pub(super) async fn leave(
    nodes: Vec<SessionLayer>,
    mut leavers: Vec<Leaver>,
    [stop, lossy]: [Arc<AtomicBool>; 2],
    seen: watch::Sender<Seen>,
) -> Vec<Leaver> {
    let mut answers = seen.subscribe();
    for (leaver, node) in leavers.iter_mut().zip(nodes.iter().cycle()) {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let logout = async |session: Session| session.logout();
        let (response, loaded) = ask(node, &leaver.cookie, logout).await;
        // What was not loaded was not ended, and the browser is told nothing.
        let expected = match loaded {
            true => Told::Removal,
            false => Told::Nothing,
        };
        assert_eq!(told(&response), expected, "{response:?}");
        let acknowledged = note(&response, &seen);
        leaver.left = match loaded {
            true if lossy.load(Ordering::SeqCst) => Left::Perhaps,
            true => Left::Yes,
            false => Left::No,
        };
        if acknowledged {
            let must_be_gone = leaver.left == Left::Yes;
            let look = async move |session: Session| {
                let is_gone = session.principal().is_none();
                assert!(is_gone || !must_be_gone, "back again");
                Ok(())
            };
            note(&ask(node, &leaver.cookie, look).await.0, &seen);
        }
        for _ in 0..10 {
            let _ = tokio::time::timeout(Duration::from_millis(20), answers.changed()).await;
        }
    }
    leavers
}

/// As many characters of an id are of the handle alone.
const WHOLE: usize = 21;
