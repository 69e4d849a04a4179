//! A visitor who counts.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tenure::{Session, SessionLayer};
use tokio::sync::watch;

use super::{
    Seen,
    again::{signed_in, until_it_is_read},
    ask, note,
};
use crate::bed::visitor::{Told, counted, told};

/// A session that counts, and how far it must have come.
pub(super) struct Counter {
    name: String,
    cookie: String,
    sent: AtomicU32,
    acknowledged: AtomicU32,
    /// What was acknowledged when something might begin to get lost.
    certain: AtomicU32,
    /// The requests of which nobody knows whether they counted.
    unknown: AtomicU32,
    lossy: Arc<AtomicBool>,
}

impl Counter {
    pub(super) async fn new(node: &SessionLayer, number: usize, lossy: &Arc<AtomicBool>) -> Self {
        let name = format!("counter {number}");
        Self {
            cookie: signed_in(node, &name).await,
            name,
            sent: AtomicU32::new(0),
            acknowledged: AtomicU32::new(0),
            certain: AtomicU32::new(0),
            unknown: AtomicU32::new(0),
            lossy: lossy.clone(),
        }
    }

    pub(super) async fn count(&self, node: &SessionLayer, seen: &watch::Sender<Seen>) {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let count = async move |session: Session| {
            session.update("count", |count: &mut u32| *count += 1)?;
            session.update("requests", move |last: &mut Vec<u32>| {
                assert!(!last.contains(&number), "applied twice");
                last.push(number);
                last.drain(..last.len().saturating_sub(LAST));
            })
        };
        let (response, loaded) = ask(node, &self.cookie, count).await;
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        if note(&response, seen) {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        } else if loaded {
            self.unknown.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Reads, and must not be shown as logged out or as somebody else, nor what was before.
    pub(super) async fn look(&self, node: &SessionLayer, seen: &watch::Sender<Seen>) {
        let (least, name) = (self.least(), self.name.clone());
        let look = async move |session: Session| {
            let principal = session.principal().map(|principal| principal.to_string());
            assert_eq!(principal, Some(name), "shown as logged out");
            let count = session.get::<u32>("count")?;
            assert!(count >= Some(least), "{count:?}, acknowledged: {least}");
            Ok(())
        };
        let (response, _) = ask(node, &self.cookie, look).await;
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        note(&response, seen);
    }

    /// What has been acknowledged so far must not get lost.
    pub(super) fn is_certain_so_far(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        self.certain.store(acknowledged, Ordering::SeqCst);
    }

    /// Returns how far the session must have come.
    fn least(&self) -> u32 {
        let least = match self.lossy.load(Ordering::SeqCst) {
            true => &self.certain,
            false => &self.acknowledged,
        };
        least.load(Ordering::SeqCst)
    }

    /// Returns how many changes are lost that were acknowledged.
    pub(super) async fn check(&self, node: &SessionLayer) -> u32 {
        until_it_is_read(node, &self.cookie).await;
        let count = counted(node, &self.cookie).await.unwrap();
        let (least, acknowledged) = (self.least(), self.acknowledged.load(Ordering::SeqCst));
        let most = acknowledged + self.unknown.load(Ordering::SeqCst);
        assert!(
            (least..=most).contains(&count),
            "{least} <= {count} <= {most}"
        );
        acknowledged.saturating_sub(count)
    }
}

/// The requests that a session remembers; more than are sent at once.
const LAST: usize = 20;
