//! Visitors that keep a site busy while something goes wrong, and what must be true of every answer they get.

mod again;
mod counter;
mod joiner;
mod leaver;

use std::{
    env,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tenure::{Error, Session, SessionLayer};
use tokio::{sync::watch, task::JoinHandle};

use self::again::until_it_is_repaired;
pub use self::again::{member, until_it_counts, until_it_is_read, until_it_starts};
use self::{
    counter::Counter,
    joiner::Joiner,
    leaver::{Leaver, leave},
};
use super::{log::tell_of_failures, visitor::send};

/// The seed of a test that lets chance decide when something goes wrong: `TENURE_TEST_SEED`, or a random one.
pub fn seed() -> u32 {
    let seed = env::var("TENURE_TEST_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| getrandom::u32().unwrap());
    eprintln!("TENURE_TEST_SEED={seed}");
    seed
}

/// Visitors who count, visitors who leave, and one who signs in again and again.
pub struct Load {
    nodes: Vec<SessionLayer>,
    counters: Vec<Arc<Counter>>,
    tasks: Vec<JoinHandle<()>>,
    leaver: JoinHandle<Vec<Leaver>>,
    joiner: JoinHandle<Joiner>,
    stop: Arc<AtomicBool>,
    lossy: Arc<AtomicBool>,
    seen: watch::Sender<Seen>,
}

/// How many requests have been answered how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub acknowledged: u32,
    pub refused: u32,
}

/// What was acknowledged and is not there, of a server that may lose something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    pub changes: u32,
    pub logouts: u32,
}

impl Load {
    /// Starts with signed-in visitors, each of whom sends requests to each node.
    pub async fn start(nodes: &[SessionLayer]) -> Self {
        tell_of_failures();
        let lossy = Arc::new(AtomicBool::new(false));
        let (mut counters, mut leavers) = (Vec::new(), Vec::new());
        for number in 0..COUNTERS {
            counters.push(Arc::new(Counter::new(&nodes[0], number, &lossy).await));
        }
        for number in 0..LEAVERS {
            leavers.push(Leaver::new(&nodes[0], number).await);
        }
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), watch::Sender::default());
        let mut tasks = Vec::new();
        for counter in &counters {
            for node in nodes {
                let (counter, node) = (counter.clone(), node.clone());
                let (stop, seen) = (stop.clone(), seen.clone());
                tasks.push(tokio::spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        counter.count(&node, &seen).await;
                        counter.look(&node, &seen).await;
                        tokio::time::sleep(BREATH).await;
                    }
                }));
            }
        }
        let leaving = leave(
            nodes.to_vec(),
            leavers,
            [stop.clone(), lossy.clone()],
            seen.clone(),
        );
        let leaver = tokio::spawn(leaving);
        let flags = [stop.clone(), lossy.clone()];
        let joiner = tokio::spawn(Joiner::join(nodes.to_vec(), flags, seen.clone()));
        Self {
            nodes: nodes.to_vec(),
            counters,
            tasks,
            leaver,
            joiner,
            stop,
            lossy,
            seen,
        }
    }

    /// From now on what is acknowledged may get lost; what has been acknowledged so far may not.
    pub fn may_lose_what_follows(&self) {
        self.lossy.store(true, Ordering::SeqCst);
        for counter in &self.counters {
            counter.is_certain_so_far();
        }
    }

    /// Returns how many requests have been answered how so far.
    pub fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Waits until so many more changes have been acknowledged.
    pub async fn until_acknowledged(&self, more: u32) {
        let enough = self.seen.borrow().acknowledged + more;
        self.until(|seen| seen.acknowledged >= enough).await;
    }

    /// Waits until so many more requests have been refused.
    pub async fn until_refused(&self, more: u32) {
        let enough = self.seen.borrow().refused + more;
        self.until(|seen| seen.refused >= enough).await;
    }

    async fn until(&self, enough: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(enough)).await;
        // What it returns holds the lock that is taken next.
        let came = waited.is_ok_and(|seen| seen.is_ok());
        let seen = *self.seen.borrow();
        assert!(came, "the site answers otherwise: {seen:?}");
    }

    /// Ends the load, compares what is in the store with what was acknowledged, and returns what was lost of it.
    pub async fn end(self) -> Lost {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        let leavers = self.leaver.await.unwrap();
        let joiner = self.joiner.await.unwrap();
        for node in &self.nodes {
            node.drained().await;
        }
        let mut lost = Lost::default();
        if self.lossy.load(Ordering::SeqCst) {
            until_it_is_repaired(&self.nodes[0]).await;
        }
        for counter in &self.counters {
            lost.changes += counter.check(&self.nodes[0]).await;
        }
        for leaver in &leavers {
            lost.logouts += leaver.check(&self.nodes[0]).await;
        }
        joiner.check(&self.nodes[0]).await;
        let left = leavers.iter().filter(|leaver| leaver.has_left());
        eprintln!(
            "{:?}, {} have left, {lost:?}",
            *self.seen.borrow(),
            left.count()
        );
        lost
    }
}

/// Notes how a request was answered; tells whether it was acknowledged.
fn note(response: &Response<String>, seen: &watch::Sender<Seen>) -> bool {
    let acknowledged = match response.status() {
        StatusCode::OK => true,
        StatusCode::SERVICE_UNAVAILABLE => false,
        other => panic!("neither served nor asked to come again: {other}"),
    };
    seen.send_modify(|seen| match acknowledged {
        true => seen.acknowledged += 1,
        false => seen.refused += 1,
    });
    acknowledged
}

/// Sends a request; tells whether its session was loaded.
async fn ask<F>(
    node: &SessionLayer,
    cookie: &str,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> (Response<String>, bool)
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let loaded = Arc::new(AtomicBool::new(false));
    let loading = loaded.clone();
    let handler = move |session| {
        loading.store(true, Ordering::SeqCst);
        handler(session)
    };
    let response = send(node, Some(cookie), handler).await;
    (response, loaded.load(Ordering::SeqCst))
}

const COUNTERS: usize = 4;
const LEAVERS: usize = 100;
/// How long a visitor waits before the next requests. Those that ask on and on keep the servers of their machine from
/// running: then its scheduler is what is tested.
const BREATH: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
