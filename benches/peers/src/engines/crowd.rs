//! Many clients at once, for a while.

use std::{
    collections::BTreeMap,
    future::Future,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Builder, task::LocalSet};

use super::{
    cpu,
    server::Server,
    site::{Asks, LocalAsk, Open, SESSIONS},
};
use crate::statistics::{at, sorted};

const CLIENTS: usize = 64;

/// What was measured in a round.
pub(crate) struct Round {
    elapsed: f64,
    /// Seconds, in order.
    pub(crate) latencies: Vec<f64>,
    pub(crate) failed: usize,
    pub(crate) commands: BTreeMap<String, u64>,
    /// Seconds.
    pub(crate) cpu: f64,
    pub(crate) server_cpu: f64,
}

impl Round {
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed
    }

    pub(crate) fn latency(&self, part: f64) -> f64 {
        match self.latencies.is_empty() {
            true => f64::NAN,
            false => at(&self.latencies, part),
        }
    }

    /// Returns the part of one request.
    pub(crate) fn of_each(&self, all: f64) -> f64 {
        all / self.latencies.len().max(1) as f64
    }
}

/// How long each request of a client took, and how many were not answered well.
#[derive(Default)]
struct Answered {
    latencies: Vec<f64>,
    failed: usize,
}

/// Lets all clients send requests one after the other for a while.
pub(crate) async fn round(asks: &Asks, server: &Server, length: Duration) -> Round {
    let commands = server.commands().await;
    let (cpu, server_cpu) = (cpu::of_this(), cpu::of_all(&server.ids()));
    let start = Instant::now();
    let answered = match asks {
        Asks::Anywhere(ask) => {
            let client = |number| {
                let ask = ask.clone();
                tokio::spawn(client(move |session| ask(session), number, start + length))
            };
            joined(futures::future::join_all((0..CLIENTS).map(client)).await)
        }
        Asks::PerThread(open) => {
            let (open, end) = (open.clone(), start + length);
            let threads = tokio::task::spawn_blocking(move || on_threads(&open, end));
            threads.await.expect("no client panics")
        }
    };
    let elapsed = start.elapsed().as_secs_f64();
    Round {
        elapsed,
        cpu: cpu::of_this() - cpu,
        server_cpu: cpu::of_all(&server.ids()) - server_cpu,
        commands: since(&commands, server.commands().await),
        latencies: sorted(answered.latencies.into_iter()),
        failed: answered.failed,
    }
}

/// Sends requests of some sessions. A session has requests of one client: this is about throughput, not about conflicts.
async fn client<F: Future<Output = bool>>(
    ask: impl Fn(usize) -> F,
    number: usize,
    end: Instant,
) -> Answered {
    let mut answered = Answered::default();
    for session in (number..SESSIONS).step_by(CLIENTS).cycle() {
        let start = Instant::now();
        if start >= end {
            break;
        }
        match ask(session).await {
            true => answered.latencies.push(start.elapsed().as_secs_f64()),
            false => answered.failed += 1,
        }
    }
    answered
}

/// Shares the clients out to as many threads as there are cores, each with a site of its own.
fn on_threads(open: &Open, end: Instant) -> Answered {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let thread = |number| {
        let open = open.clone();
        thread::spawn(move || on_thread(&open, (number..CLIENTS).step_by(count), end))
    };
    let threads: Vec<_> = (0..count).map(thread).collect();
    let answered = threads.into_iter().map(|thread| thread.join());
    together(answered.map(|answered| answered.expect("no client panics")))
}

fn on_thread(open: &Open, clients: impl Iterator<Item = usize>, end: Instant) -> Answered {
    let runtime = Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        let ask: LocalAsk = open().await;
        let of_one = |number| {
            let ask: LocalAsk = Rc::clone(&ask);
            tokio::task::spawn_local(client(move |session| ask(session), number, end))
        };
        joined(futures::future::join_all(clients.map(of_one)).await)
    })
}

fn joined(answered: Vec<Result<Answered, tokio::task::JoinError>>) -> Answered {
    together(
        answered
            .into_iter()
            .map(|one| one.expect("no client panics")),
    )
}

fn together(answered: impl Iterator<Item = Answered>) -> Answered {
    answered.fold(Answered::default(), |mut all, one| {
        all.latencies.extend(one.latencies);
        all.failed += one.failed;
        all
    })
}

/// Returns how often each command was carried out after the first count.
fn since(first: &BTreeMap<String, u64>, mut last: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    for (name, count) in &mut last {
        *count -= first.get(name).copied().unwrap_or(0).min(*count);
    }
    last.retain(|_, count| *count > 0);
    last
}
