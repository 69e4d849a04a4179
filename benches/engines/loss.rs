//! What Redis can lose of what it has acknowledged: sessions are changed and ended at a steady rate while something
//! happens, and then it is counted how many are as they were before.

mod way;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tenure::{
    Handle,
    store::{Record, RedisStore, SessionStore, Updated, Version},
};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval_at, sleep},
};

use self::way::Way;
use super::bed::redis::{
    Redis,
    cluster::{self, Cluster},
    node::until,
    sentinel::{self, Sentinels},
    until_replicated,
};

pub(crate) async fn measure() {
    println!(
        "| what happens, {RATE} changes a second, half of them logouts | with | changes lost, each time | logouts \
         undone | acknowledged before and after it began |\n|---|---|---|---|---|"
    );
    for (with, settings) in PERSISTENCE {
        row("a server is killed and started again", with, || {
            killed(settings)
        })
        .await;
    }
    for milliseconds in [1, 20] {
        for replicas in [0, 1] {
            let event = format!("a machine is lost whose replica is {milliseconds} ms away");
            let way = Duration::from_millis(milliseconds);
            row(&event, waiting(replicas), || lost_machine(way, replicas)).await;
        }
    }
    for (with, settings, replicas) in REPLICATION {
        row("Sentinel: the primary is killed", with, || {
            sentinel_kill(settings, replicas)
        })
        .await;
        row("Sentinel: `SENTINEL FAILOVER`", with, || {
            sentinel_request(settings, replicas)
        })
        .await;
        row("Cluster: a primary is killed", with, || {
            cluster_kill(settings, replicas)
        })
        .await;
        row("Cluster: `CLUSTER FAILOVER`", with, || {
            cluster_request(settings, replicas)
        })
        .await;
    }
}

const PERSISTENCE: [(&str, &[&str]); 4] = [
    ("no persistence", &[]),
    ("`appendfsync no`", &["appendonly yes", "appendfsync no"]),
    (
        "`appendfsync everysec`",
        &["appendonly yes", "appendfsync everysec"],
    ),
    (
        "`appendfsync always`",
        &["appendonly yes", "appendfsync always"],
    ),
];

const REPLICATION: [(&str, &[&str], u32); 3] = [
    ("–", &[], 0),
    (
        "`min-replicas-to-write 1`",
        &["min-replicas-to-write 1", "min-replicas-max-lag 1"],
        0,
    ),
    ("`with_replicas(1)`", &[], 1),
];

const fn waiting(replicas: u32) -> &'static str {
    match replicas {
        0 => "–",
        _ => "`with_replicas(1)`",
    }
}

/// What was acknowledged and is lost.
#[derive(Default)]
struct Lost {
    /// Sessions that are not as they were written last.
    changes: usize,
    /// Sessions that were ended and are there.
    logouts: usize,
    /// How long before something happened the first of them was acknowledged.
    before: Duration,
    /// How long after it had begun the last of them was.
    after: Duration,
}

/// Lets something happen some times, and prints what was lost.
async fn row<F: Future<Output = Lost>>(event: &str, with: &str, run: impl Fn() -> F) {
    let (mut changes, mut logouts) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TIMES {
        let lost = run().await;
        changes.push(lost.changes.to_string());
        logouts.push(lost.logouts.to_string());
        (before, after) = (before.max(lost.before), after.max(lost.after));
    }
    println!(
        "| {event} | {with} | {} | {} | {} to {} ms |",
        changes.join(", "),
        logouts.join(", "),
        before.as_millis(),
        after.as_millis()
    );
}

async fn killed(settings: &[&str]) -> Lost {
    let mut server = Redis::start_with(settings);
    let store = open(&server.url(), 0).await;
    let load = Load::start(&server.url(), &store).await;
    load.go_on().await;
    server.kill();
    let happened = Instant::now();
    server.restart();
    load.end(happened, &store).await
}

/// The primary's machine is lost with all that is on its way to the replica, which becomes the primary.
async fn lost_machine(delay: Duration, replicas: u32) -> Lost {
    let mut primary = Redis::start();
    let way = Way::to(primary.address(), delay).await;
    let replica = Redis::start_with(&[&format!("replicaof 127.0.0.1 {}", way.port())]);
    until("the replica follows", || {
        replica.info("master_link_status").as_deref() == Some("up")
    });
    let store = open(&primary.url(), replicas).await;
    let load = Load::start(&primary.url(), &store).await;
    load.go_on().await;
    load.stop();
    drop(way);
    let happened = Instant::now();
    primary.kill();
    replica.ask("REPLICAOF NO ONE");
    load.end(happened, &open(&replica.url(), 0).await).await
}

async fn sentinel_kill(settings: &[&str], replicas: u32) -> Lost {
    let mut site = Sentinels::start(sentinel::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Load::start(&site.url(), &store).await;
    until_replicated(site.servers());
    load.go_on().await;
    let killed = site.kill_primary();
    let happened = Instant::now();
    site.until_another_than(killed);
    load.end(happened, &store).await
}

async fn sentinel_request(settings: &[&str], replicas: u32) -> Lost {
    let site = Sentinels::start(sentinel::Watch::Calm, settings);
    let store = open(&site.url(), replicas).await;
    let load = Load::start(&site.url(), &store).await;
    until_replicated(site.servers());
    load.go_on().await;
    let before = site.primary().port();
    let happened = Instant::now();
    site.fail_over();
    site.until_another_than(before);
    site.until_all_follow();
    load.end(happened, &store).await
}

async fn cluster_kill(settings: &[&str], replicas: u32) -> Lost {
    let mut site = Cluster::start(cluster::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Load::start(&site.url(), &store).await;
    until_replicated(site.nodes());
    load.go_on().await;
    site.node(0).kill();
    let happened = Instant::now();
    site.until_primary(3);
    load.end(happened, &store).await
}

async fn cluster_request(settings: &[&str], replicas: u32) -> Lost {
    let site = Cluster::start(cluster::Watch::Calm, settings);
    let store = open(&site.url(), replicas).await;
    let load = Load::start(&site.url(), &store).await;
    until_replicated(site.nodes());
    load.go_on().await;
    let happened = Instant::now();
    site.nodes()[3].ask("CLUSTER FAILOVER");
    site.until_primary(3);
    load.end(happened, &store).await
}

async fn open(url: &str, replicas: u32) -> RedisStore {
    let builder = RedisStore::builder(url).expect("an address");
    let connecting = builder.with_replicas(replicas, PATIENCE).connect();
    connecting.await.expect("a server")
}

/// Sessions that are changed and ended at a steady rate, each once.
struct Load {
    tasks: Vec<JoinHandle<Vec<Acknowledged>>>,
    stop: Arc<AtomicBool>,
}

/// A session that was changed or ended, and when that was known.
struct Acknowledged {
    handle: Handle,
    is_ended: bool,
    at: Instant,
}

impl Load {
    async fn start(url: &str, store: &RedisStore) -> Self {
        // They need not wait for replicas.
        let preparing = open(url, 0).await;
        let prepared: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(prepare(preparing.clone(), task)))
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for (task, handles) in prepared.into_iter().enumerate() {
            let handles = handles.await.expect("sessions");
            tasks.push(tokio::spawn(change(
                store.clone(),
                task,
                handles,
                stop.clone(),
            )));
        }
        Self { tasks, stop }
    }

    /// Lets it go on for a while.
    async fn go_on(&self) {
        sleep(Duration::from_millis(500)).await;
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Stops, and looks for what was acknowledged.
    async fn end(self, happened: Instant, store: &RedisStore) -> Lost {
        self.stop();
        let mut lost = Lost::default();
        for task in self.tasks {
            for change in task.await.expect("a task") {
                let found = version(store, &change.handle).await;
                match change.is_ended {
                    true if found.is_some() => lost.logouts += 1,
                    false if found != Some(CHANGED) => lost.changes += 1,
                    _ => continue,
                }
                lost.before = lost
                    .before
                    .max(happened.saturating_duration_since(change.at));
                lost.after = lost
                    .after
                    .max(change.at.saturating_duration_since(happened));
            }
        }
        lost
    }
}

async fn prepare(store: RedisStore, task: usize) -> Vec<Handle> {
    let handles: Vec<_> = (0..SESSIONS / TASKS)
        .map(|number| handle(task, number))
        .collect();
    for handle in &handles {
        // A replica may be too late for a moment.
        while store.create(handle, &record(CREATED), HOUR).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    }
    handles
}

async fn change(
    store: RedisStore,
    task: usize,
    handles: Vec<Handle>,
    stop: Arc<AtomicBool>,
) -> Vec<Acknowledged> {
    // One task after the other, each as often as the others.
    let ticks = Duration::from_secs(1) / RATE;
    let mut ticks = interval_at(
        (Instant::now() + ticks * task as u32).into(),
        ticks * TASKS as u32,
    );
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut acknowledged = Vec::new();
    for (number, handle) in handles.into_iter().enumerate() {
        ticks.tick().await;
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let is_ended = (number + task) % 2 == 0;
        let is_known = match is_ended {
            true => store.delete(&handle).await.is_ok(),
            false => {
                let updated = store.update(&handle, CREATED, &record(CHANGED), HOUR).await;
                matches!(updated, Ok(Updated::Done))
            }
        };
        if is_known {
            let at = Instant::now();
            acknowledged.push(Acknowledged {
                handle,
                is_ended,
                at,
            });
        }
    }
    acknowledged
}

fn record(version: Version) -> Record {
    Record::new(version, [1], [2; 400])
}

/// Asks until there is an answer.
async fn version(store: &RedisStore, handle: &Handle) -> Option<Version> {
    loop {
        match store.load(handle).await {
            Ok(loaded) => return loaded.map(|loaded| loaded.record.version()),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

fn handle(task: usize, number: usize) -> Handle {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(
        &(task as u64 + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes(),
    );
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    Handle::from_bytes(bytes)
}

const TIMES: usize = 5;
const TASKS: usize = 16;
const SESSIONS: usize = 8_000;
/// Changes and logouts a second.
const RATE: u32 = 500;
const CREATED: Version = Version::from_u64(1);
const CHANGED: Version = Version::from_u64(2);
const PATIENCE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
