//! What requests cost whose sessions are on an engine: 64 clients, one after the other each, over a thousand sessions.

mod cpu;
mod crowd;
mod postgres;
mod redis;
mod server;
pub(crate) mod site;
mod sqlite;

use std::{collections::BTreeMap, time::Duration};

use self::{
    crowd::Round,
    server::Server,
    site::{Asks, Site},
};
use crate::{options::Options, statistics::median};

/// An engine that runs, and the sites that keep their sessions there.
struct Engine {
    name: String,
    server: Server,
    sites: Vec<Site>,
}

/// What was measured on an engine.
pub(crate) struct Measured {
    pub(crate) engine: String,
    pub(crate) has_server: bool,
    pub(crate) rows: Vec<Row>,
}

/// What one kind of request costs on one site.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) does: &'static str,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Of the server, for each request.
    pub(crate) commands: BTreeMap<String, f64>,
    /// Microseconds of this process, and of the server's, for each request.
    pub(crate) cpu: f64,
    pub(crate) server_cpu: f64,
    pub(crate) failed: usize,
}

/// Measures on all engines that are wanted.
pub(crate) async fn measure(options: &Options) -> Vec<Measured> {
    let mut measured = Vec::new();
    if options.wants("redis") {
        measured.push(on(redis::open().await, options).await);
    }
    if options.wants("postgres") {
        measured.push(on(postgres::open().await, options).await);
    }
    if options.wants("sqlite") {
        measured.push(on(sqlite::open().await, options).await);
    }
    measured
}

async fn on(engine: Engine, options: &Options) -> Measured {
    eprintln!("{}", engine.name);
    let mut rows = Vec::new();
    for (does, asks) in KINDS {
        rows.extend(in_turns(&engine, does, asks, options).await);
    }
    Measured {
        has_server: !engine.server.ids().is_empty(),
        engine: engine.name,
        rows,
    }
}

/// Where a site has its requests of one kind.
type Kind = fn(&Site) -> &Asks;

const KINDS: [(&str, Kind); 2] = [("read", |site| &site.read), ("write", |site| &site.write)];

async fn in_turns(engine: &Engine, does: &'static str, asks: Kind, options: &Options) -> Vec<Row> {
    let length = match options.is_quick {
        true => Duration::from_millis(500),
        false => Duration::from_secs(3),
    };
    let mut rounds: Vec<Vec<Round>> = engine.sites.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (site, rounds) in engine.sites.iter().zip(&mut rounds) {
            rounds.push(crowd::round(asks(site), &engine.server, length).await);
        }
    }
    let sites = engine.sites.iter().zip(&rounds);
    sites
        .map(|(site, rounds)| row(site.name, does, rounds))
        .collect()
}

fn row(name: &'static str, does: &'static str, rounds: &[Round]) -> Row {
    let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    Row {
        name,
        does,
        rate: middle(Round::rate),
        p50: middle(|round| round.latency(0.5)) * 1e3,
        p99: middle(|round| round.latency(0.99)) * 1e3,
        commands: commands(rounds),
        cpu: middle(|round| round.of_each(round.cpu)) * 1e6,
        server_cpu: middle(|round| round.of_each(round.server_cpu)) * 1e6,
        failed: rounds.iter().map(|round| round.failed).sum(),
    }
}

fn commands(rounds: &[Round]) -> BTreeMap<String, f64> {
    let requests: usize = rounds.iter().map(|round| round.latencies.len()).sum();
    let mut commands = BTreeMap::new();
    for (name, count) in rounds.iter().flat_map(|round| &round.commands) {
        *commands.entry(name.clone()).or_default() += *count as f64 / requests.max(1) as f64;
    }
    // What is done once in a while is nobody's request.
    commands.retain(|_, count| *count >= 0.005);
    commands
}
