//! Somebody who signs in with one browser after the other, and now and then signs all of them out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tenure::{ErrorKind, Session, SessionLayer};
use tokio::sync::watch;

use super::{BREATH, Seen, again::until_they_are_listed, ask, note};
use crate::bed::visitor::{Told, send, told};

/// The browsers that are signed in as far as they were told.
pub(super) struct Joiner {
    cookies: Vec<String>,
    /// Of those that were signed out, which was acknowledged.
    gone: Vec<String>,
}

impl Joiner {
    /// Signs in on each node in turn until it is told to stop.
    pub(super) async fn join(
        nodes: Vec<SessionLayer>,
        [stop, lossy]: [Arc<AtomicBool>; 2],
        seen: watch::Sender<Seen>,
    ) -> Self {
        let mut joiner = Self {
            cookies: Vec::new(),
            gone: Vec::new(),
        };
        for (number, node) in nodes.iter().cycle().enumerate() {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            joiner.sign_in(node, &lossy, &seen).await;
            if number % AT_ONCE == AT_ONCE - 1 {
                joiner.sign_out(node).await;
            }
            // What a server that loses something has acknowledged says nothing.
            match lossy.load(Ordering::SeqCst) {
                true => joiner.gone.clear(),
                false => joiner.look(node).await,
            }
            tokio::time::sleep(BREATH).await;
        }
        joiner
    }

    async fn sign_in(
        &mut self,
        node: &SessionLayer,
        lossy: &AtomicBool,
        seen: &watch::Sender<Seen>,
    ) {
        let login = async |session: Session| session.login(NAME);
        let response = send(node, None, login).await;
        // What was created a moment ago may be lost before it is bound.
        if response.status() == StatusCode::CONFLICT && lossy.load(Ordering::SeqCst) {
            return;
        }
        match (note(&response, seen), told(&response)) {
            (true, Told::Id(cookie)) => self.cookies.push(cookie),
            (acknowledged, told) => assert_eq!((acknowledged, told), (false, Told::Nothing)),
        }
    }

    /// Signs all browsers out; tells whether that was acknowledged.
    async fn sign_out(&mut self, node: &SessionLayer) -> bool {
        match node.sessions().revoke_all(NAME).await {
            Ok(_) => {
                self.gone = std::mem::take(&mut self.cookies);
                true
            }
            Err(error) => {
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::Store | ErrorKind::OutcomeUnknown),
                    "{error:?}"
                );
                false
            }
        }
    }

    /// None that was signed out is signed in.
    async fn look(&self, node: &SessionLayer) {
        for cookie in &self.gone {
            let look = async |session: Session| {
                assert_eq!(session.principal(), None, "signed in again");
                Ok(())
            };
            let (response, _) = ask(node, cookie, look).await;
            let status = response.status();
            assert!(matches!(
                status,
                StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE
            ));
        }
    }

    /// When all is well again nothing is left once all were signed out.
    pub(super) async fn check(mut self, node: &SessionLayer) {
        for _ in 0..TRIES {
            if self.sign_out(node).await {
                self.look(node).await;
                let listed = until_they_are_listed(node, NAME).await;
                assert_eq!(listed.len(), 0, "{listed:?}");
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("nobody can be signed out");
    }
}

const NAME: &str = "joiner";
const AT_ONCE: usize = 5;
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);
