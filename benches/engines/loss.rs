//! What Redis can lose of what it has acknowledged: sessions are ended at a steady rate while something happens, and
//! then it is counted how many are there again.

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
    store::{Record, RedisStore, SessionStore, Version},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

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
        "| what happens | with | logouts undone, each time | those of the last | of so many a second |"
    );
    println!("|---|---|---|---|---|");
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

/// The logouts that were acknowledged and are undone.
struct Undone {
    count: usize,
    /// From the first of them to the last logout before something happened, or to the last of them.
    span: Duration,
}

/// Lets something happen some times, and prints what was lost.
async fn row<F: Future<Output = Undone>>(event: &str, with: &str, run: impl Fn() -> F) {
    let (mut counts, mut longest) = (Vec::new(), Duration::ZERO);
    for _ in 0..TIMES {
        let undone = run().await;
        counts.push(undone.count.to_string());
        longest = longest.max(undone.span);
    }
    let counts = counts.join(", ");
    let longest = longest.as_millis();
    println!("| {event} | {with} | {counts} | {longest} ms | {RATE} |");
}

async fn killed(settings: &[&str]) -> Undone {
    let mut server = Redis::start_with(settings);
    let store = open(&server.url(), 0).await;
    let load = Logouts::start(&store).await;
    load.go_on().await;
    server.kill();
    let happened = Instant::now();
    server.restart();
    load.end(happened, &store).await
}

/// The primary's machine is lost with all that is on its way to the replica, which becomes the primary.
async fn lost_machine(delay: Duration, replicas: u32) -> Undone {
    let mut primary = Redis::start();
    let way = Way::to(primary.address(), delay).await;
    let replica = Redis::start_with(&[&format!("replicaof 127.0.0.1 {}", way.port())]);
    until("the replica follows", || {
        replica.info("master_link_status").as_deref() == Some("up")
    });
    let store = open(&primary.url(), replicas).await;
    let load = Logouts::start(&store).await;
    load.go_on().await;
    drop(way);
    let happened = Instant::now();
    primary.kill();
    replica.ask("REPLICAOF NO ONE");
    load.end(happened, &open(&replica.url(), 0).await).await
}

async fn sentinel_kill(settings: &[&str], replicas: u32) -> Undone {
    let mut site = Sentinels::start(sentinel::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Logouts::start(&store).await;
    until_replicated(site.servers());
    load.go_on().await;
    let killed = site.kill_primary();
    let happened = Instant::now();
    site.until_another_than(killed);
    load.end(happened, &store).await
}

async fn sentinel_request(settings: &[&str], replicas: u32) -> Undone {
    let site = Sentinels::start(sentinel::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Logouts::start(&store).await;
    until_replicated(site.servers());
    load.go_on().await;
    let before = site.primary().port();
    let happened = Instant::now();
    site.fail_over();
    site.until_another_than(before);
    site.until_all_follow();
    load.end(happened, &store).await
}

async fn cluster_kill(settings: &[&str], replicas: u32) -> Undone {
    let mut site = Cluster::start(cluster::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Logouts::start(&store).await;
    until_replicated(site.nodes());
    load.go_on().await;
    site.node(0).kill();
    let happened = Instant::now();
    site.until_primary(3);
    load.end(happened, &store).await
}

async fn cluster_request(settings: &[&str], replicas: u32) -> Undone {
    let site = Cluster::start(cluster::Watch::Nervous, settings);
    let store = open(&site.url(), replicas).await;
    let load = Logouts::start(&store).await;
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

/// Sessions that are ended one after the other.
struct Logouts {
    tasks: Vec<tokio::task::JoinHandle<Vec<(Handle, Instant)>>>,
    stop: Arc<AtomicBool>,
}

impl Logouts {
    async fn start(store: &RedisStore) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let handles: Vec<_> = (0..SESSIONS / TASKS)
                .map(|number| handle(task, number))
                .collect();
            for handle in &handles {
                let record = Record::new(Version::from_u64(1), [1], [2; 400]);
                store
                    .create(handle, &record, HOUR)
                    .await
                    .expect("a session");
            }
            tasks.push((store.clone(), handles, stop.clone()));
        }
        let tasks = tasks
            .into_iter()
            .map(|(store, handles, stop)| tokio::spawn(end_each(store, handles, stop)));
        Self {
            tasks: tasks.collect(),
            stop,
        }
    }

    /// Lets them be ended for a while.
    async fn go_on(&self) {
        sleep(Duration::from_millis(500)).await;
    }

    /// Stops, and counts those that were ended and are there.
    async fn end(self, happened: Instant, store: &RedisStore) -> Undone {
        self.stop.store(true, Ordering::SeqCst);
        let (mut count, mut span) = (0, Duration::ZERO);
        for task in self.tasks {
            for (handle, at) in task.await.expect("a task") {
                if is_there(store, &handle).await {
                    count += 1;
                    span = span.max(happened.saturating_duration_since(at));
                }
            }
        }
        Undone { count, span }
    }
}

async fn end_each(
    store: RedisStore,
    handles: Vec<Handle>,
    stop: Arc<AtomicBool>,
) -> Vec<(Handle, Instant)> {
    let mut ticks = interval(Duration::from_secs(1) * TASKS as u32 / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended = Vec::new();
    for handle in handles {
        ticks.tick().await;
        if stop.load(Ordering::SeqCst) {
            break;
        }
        if store.delete(&handle).await.is_ok() {
            ended.push((handle, Instant::now()));
        }
    }
    ended
}

/// Asks until there is an answer.
async fn is_there(store: &RedisStore, handle: &Handle) -> bool {
    loop {
        match store.load(handle).await {
            Ok(loaded) => return loaded.is_some(),
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
const SESSIONS: usize = 16_000;
const RATE: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
