//! What is looked at before the store is used.

use std::time::Duration;

use ::redis::from_redis_value;
use tokio::time::timeout;

use super::{
    Servers,
    address::Address,
    cluster::Cluster,
    connection::Connection,
    failure,
    node::{Kind, Maker, Node, Source},
    resp::Command,
};
use crate::store::SetupError;

/// Connects to a primary.
pub(super) async fn one(source: Source, kind: &Kind) -> Result<Servers, SetupError> {
    let maker = Maker::new(source, kind);
    let opened = timeout(CONNECTING, maker.open()).await;
    let unreachable = |elapsed| SetupError::unreachable(failure::MEND, elapsed);
    let (connection, _driver) = opened.map_err(unreachable)??;
    check(&connection).await?;
    Ok(Servers::One(Node::new(&maker, kind)))
}

/// Connects to a cluster.
pub(super) async fn cluster(seeds: Vec<Address>, kind: Kind) -> Result<Servers, SetupError> {
    let cluster = Cluster::connect(seeds, kind).await?;
    for connection in cluster.connections().await {
        check(&connection).await?;
    }
    Ok(Servers::Cluster(cluster))
}

/// Checks the release, and warns of what would end sessions before their time. A server that does not tell is believed:
/// a managed one may forbid the question.
async fn check(connection: &Connection) -> Result<(), SetupError> {
    if let Some(server) = info(connection, "server").await {
        supported(&server)?;
    }
    if let Some(policy) = info(connection, "memory")
        .await
        .as_deref()
        .and_then(evicting)
    {
        tracing::warn!(
            target: "tenure",
            maxmemory_policy = policy,
            "the server may drop live sessions when its memory is full; set `maxmemory-policy noeviction`"
        );
    }
    Ok(())
}

async fn info(connection: &Connection, section: &str) -> Option<String> {
    let question = Command::new("INFO").arg(section);
    let answer = timeout(CONNECTING, connection.ask(&question)).await;
    from_redis_value::<String>(answer.ok()?.ok()?).ok()
}

/// Checks the release; others than Redis say which release of Redis they are like.
fn supported(server: &str) -> Result<(), SetupError> {
    let Some(version) = field(server, "redis_version") else {
        return Ok(());
    };
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match release < OLDEST {
        true => Err(SetupError::too_old("Redis", version, "6.2")),
        false => Ok(()),
    }
}

/// Returns the policy by which a server that may become full drops keys that have not expired.
fn evicting(memory: &str) -> Option<&str> {
    let is_limited = field(memory, "maxmemory").is_some_and(|bytes| bytes != "0");
    field(memory, "maxmemory_policy").filter(|policy| is_limited && *policy != "noeviction")
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let fields = info.lines().filter_map(|line| line.split_once(':'));
    let mut named = fields.filter(|(field, _)| *field == name);
    named.next().map(|(_, value)| value.trim())
}

const OLDEST: (u32, u32) = (6, 2);
const CONNECTING: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SetupErrorKind;

    #[test]
    fn a_server_that_is_too_old_is_named() {
        for version in ["6.2.0", "6.2.14", "7.0.15", "7.2.4", "8.0.1", "10.0"] {
            let info = format!("# Server\r\nredis_version:{version}\r\nserver_name:valkey\r\n");
            assert!(supported(&info).is_ok(), "{version}");
        }
        assert!(supported("# Server\r\n").is_ok(), "it does not tell");
        for version in ["6.0.16", "5.0.14", "2.8"] {
            let error = supported(&format!("redis_version:{version}\r\n")).unwrap_err();
            assert_eq!(error.kind(), SetupErrorKind::TooOld);
            let said = format!("Redis {version} is too old; 6.2 or later is needed");
            assert_eq!(error.to_string(), said);
        }
    }

    #[test]
    fn a_policy_that_drops_live_sessions_is_seen() {
        for (bytes, policy, expected) in [
            ("0", "allkeys-lru", None),
            ("100mb", "noeviction", None),
            ("1048576", "allkeys-lru", Some("allkeys-lru")),
            ("1048576", "volatile-ttl", Some("volatile-ttl")),
        ] {
            let info = format!("# Memory\r\nmaxmemory:{bytes}\r\nmaxmemory_policy:{policy}\r\n");
            assert_eq!(evicting(&info), expected, "{bytes} {policy}");
        }
        assert_eq!(evicting("# Memory\r\nused_memory:1\r\n"), None);
    }
}
