//! Visitors that keep a site busy while something goes wrong, and what must be true of every answer they get.

use std::{
    env,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tenure::{Error, Session, SessionLayer};
use tokio::{sync::watch, task::JoinHandle};

use super::visitor::{Told, arrive, principal, send, told, visit};

/// The seed of a test that lets chance decide when something goes wrong: `TENURE_TEST_SEED`, or a random one.
pub fn seed() -> u32 {
    let seed = env::var("TENURE_TEST_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| getrandom::u32().unwrap());
    eprintln!("TENURE_TEST_SEED={seed}");
    seed
}

/// Visitors who count, and visitors who leave.
pub struct Load {
    nodes: Vec<SessionLayer>,
    counters: Vec<Arc<Counter>>,
    tasks: Vec<JoinHandle<()>>,
    leaver: JoinHandle<Vec<Leaver>>,
    stop: Arc<AtomicBool>,
    seen: watch::Sender<Seen>,
}

/// How many requests have been answered how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub acknowledged: u32,
    pub refused: u32,
}

/// A session that counts, and how far it must have come.
struct Counter {
    cookie: String,
    acknowledged: AtomicU32,
    /// The requests of which nobody knows whether they counted.
    unknown: AtomicU32,
}

/// A session that is ended while the load lasts.
struct Leaver {
    cookie: String,
    left: bool,
}

impl Load {
    /// Starts with signed-in visitors, each of whom sends requests to each node.
    pub async fn start(nodes: &[SessionLayer]) -> Self {
        let (mut counters, mut leavers) = (Vec::new(), Vec::new());
        for _ in 0..COUNTERS {
            counters.push(Arc::new(Counter {
                cookie: member(&nodes[0]).await,
                acknowledged: AtomicU32::new(0),
                unknown: AtomicU32::new(0),
            }));
        }
        for _ in 0..LEAVERS {
            let cookie = member(&nodes[0]).await;
            leavers.push(Leaver {
                cookie,
                left: false,
            });
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
                        tokio::task::yield_now().await;
                    }
                }));
            }
        }
        let leaver = tokio::spawn(leave(nodes.to_vec(), leavers, stop.clone(), seen.clone()));
        Self {
            nodes: nodes.to_vec(),
            counters,
            tasks,
            leaver,
            stop,
            seen,
        }
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

    /// Ends the load, and compares what is in the store with what was acknowledged.
    pub async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        let leavers = self.leaver.await.unwrap();
        for node in &self.nodes {
            node.drained().await;
        }
        for counter in &self.counters {
            counter.check(&self.nodes[0]).await;
        }
        for leaver in &leavers {
            let alive = (!leaver.left).then_some("ada");
            let found = principal(&self.nodes[0], &leaver.cookie).await;
            assert_eq!(found.as_deref(), alive, "signed in");
        }
        let left = leavers.iter().filter(|leaver| leaver.left).count();
        eprintln!("{:?}, {left} have left", *self.seen.borrow());
    }
}

impl Counter {
    async fn count(&self, node: &SessionLayer, seen: &watch::Sender<Seen>) {
        let count = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
        let (response, loaded) = ask(node, &self.cookie, count).await;
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        if note(&response, seen) {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        } else if loaded {
            self.unknown.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Reads, and must not be shown as logged out, nor what was before.
    async fn look(&self, node: &SessionLayer, seen: &watch::Sender<Seen>) {
        let least = self.acknowledged.load(Ordering::SeqCst);
        let look = async move |session: Session| {
            let principal = session.principal().map(|principal| principal.to_string());
            assert_eq!(principal.as_deref(), Some("ada"), "shown as logged out");
            let count = session.get::<u32>("count")?;
            assert!(count >= Some(least), "{count:?}, acknowledged: {least}");
            Ok(())
        };
        let (response, _) = ask(node, &self.cookie, look).await;
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        note(&response, seen);
    }

    async fn check(&self, node: &SessionLayer) {
        let count = super::visitor::counted(node, &self.cookie).await.unwrap();
        let least = self.acknowledged.load(Ordering::SeqCst);
        let most = least + self.unknown.load(Ordering::SeqCst);
        assert!(
            (least..=most).contains(&count),
            "{least} <= {count} <= {most}"
        );
    }
}

/// Lets one visitor after the other log out, a few requests apart.
async fn leave(
    nodes: Vec<SessionLayer>,
    mut leavers: Vec<Leaver>,
    stop: Arc<AtomicBool>,
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
        leaver.left = loaded;
        if note(&response, &seen) {
            let look = async |session: Session| {
                assert!(session.principal().is_none(), "back again");
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

/// Starts a session that counts and is signed in.
pub async fn member(layer: &SessionLayer) -> String {
    let cookie = arrive(layer).await;
    let login = async |session: Session| session.login("ada");
    let (status, cookie) = visit(layer, Some(&cookie), login).await;
    assert_eq!(status, StatusCode::OK);
    cookie.unwrap()
}

/// Asks again until a session counts; it is a defect if the site does not come back.
pub async fn until_it_counts(layer: &SessionLayer, cookie: &str) {
    let count = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
    let told = until_served(layer, Some(cookie), count).await;
    assert_eq!(told, Told::Nothing);
}

/// Asks again until a session is read.
pub async fn until_it_is_read(layer: &SessionLayer, cookie: &str) {
    let read = async |session: Session| session.get::<u32>("count").map(drop);
    let told = until_served(layer, Some(cookie), read).await;
    assert_eq!(told, Told::Nothing);
}

/// Asks again until there is a new session, and returns its cookie.
pub async fn until_it_starts(layer: &SessionLayer) -> String {
    let insert = async |session: Session| session.insert("count", 0_u32);
    match until_served(layer, None, insert).await {
        Told::Id(cookie) => cookie,
        told => panic!("{told:?}"),
    }
}

async fn until_served<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F + Clone + Send + 'static,
) -> Told
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    for _ in 0..TRIES {
        let response = send(layer, cookie, handler.clone()).await;
        match response.status() {
            StatusCode::OK => return told(&response),
            status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
        }
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the site does not come back");
}

const COUNTERS: usize = 4;
const LEAVERS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);
