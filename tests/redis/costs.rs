//! What requests cost, as the servers count it.

use http::StatusCode;
use tenure::{Session, SessionLayer, store::RedisStore};

use super::bed::{redis::node::Node, visitor::visit};

/// Checks that a request costs as many commands as it has verbs; the servers are those that take writes.
pub(super) async fn check(store: RedisStore, servers: &[&Node]) {
    let layer = SessionLayer::new(store);
    for _ in 0..50 {
        // Each server knows each script from here on.
        requests(&layer, || 0).await;
    }
    for _ in 0..5 {
        sent(servers);
        let costs = requests(&layer, || sent(servers)).await;
        assert_eq!(costs, [1, 1, 1, 2, 3, 2], "{WHAT:?}");
    }
}

const WHAT: [&str; 6] = [
    "the first write",
    "nothing but a load",
    "a read",
    "a write",
    "a login",
    "a logout",
];

/// Sends requests, and returns what each of them has cost.
async fn requests(layer: &SessionLayer, cost: impl Fn() -> u64) -> [u64; WHAT.len()] {
    let mut costs = [0; WHAT.len()];
    let insert = async |session: Session| session.insert("count", 1);
    let (_, cookie) = visit(layer, None, insert).await;
    costs[0] = cost();
    let cookie = cookie.as_deref();
    visit(layer, cookie, async |_: Session| Ok(())).await;
    costs[1] = cost();
    let read = async |session: Session| session.get::<u32>("count").map(drop);
    visit(layer, cookie, read).await;
    costs[2] = cost();
    let update = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
    visit(layer, cookie, update).await;
    costs[3] = cost();
    // Of somebody with many entries some would be looked at.
    let somebody = getrandom::u64().unwrap();
    let login = async move |session: Session| session.login(somebody);
    let (_, cookie) = visit(layer, cookie, login).await;
    costs[4] = cost();
    let logout = async |session: Session| session.logout();
    let (status, _) = visit(layer, cookie.as_deref(), logout).await;
    costs[5] = cost();
    assert_eq!(status, StatusCode::OK);
    costs
}

/// Returns how many commands were sent since this was last asked.
fn sent(servers: &[&Node]) -> u64 {
    servers.iter().map(|server| sent_to(server)).sum()
}

fn sent_to(server: &Node) -> u64 {
    let stats = server.ask("INFO commandstats");
    server.ask("CONFIG RESETSTAT");
    let calls = |name: &str| {
        let numbers = stats.field(&format!("cmdstat_{name}"))?;
        let calls = numbers.strip_prefix("calls=")?.split(',').next()?;
        calls.parse::<u64>().ok()
    };
    // A load is a `GET`; scripts send one only in a conflict.
    ["del", "eval", "evalsha", "get"]
        .into_iter()
        .filter_map(calls)
        .sum()
}
