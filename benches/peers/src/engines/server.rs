//! The server of an engine, and what it says of its work.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::bed::{folder::Folder, postgres::Postgres, redis::Redis};

/// What runs beside this process.
pub(crate) enum Server {
    /// Nothing: it is a library, and this is where its files are.
    Files {
        _folder: Folder,
    },
    Postgres {
        server: Postgres,
        console: Client,
    },
    Redis(Redis),
}

impl Server {
    /// Returns the processes of the server.
    pub(crate) fn ids(&self) -> Vec<u32> {
        match self {
            Self::Files { .. } => Vec::new(),
            Self::Postgres { server, .. } => vec![server.id()],
            Self::Redis(server) => vec![server.id()],
        }
    }

    /// Returns how often each command has been carried out so far.
    pub(crate) async fn commands(&self) -> BTreeMap<String, u64> {
        match self {
            Self::Files { .. } => BTreeMap::new(),
            Self::Postgres { console, .. } => statements(console).await,
            Self::Redis(server) => commands(&server.ask("INFO commandstats").to_string()),
        }
    }
}

/// Reads lines such as `cmdstat_get:calls=1,usec=2,…`. What a script calls is counted, too.
fn commands(info: &str) -> BTreeMap<String, u64> {
    let command = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (count, _) = rest.split_once(',')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    let asked_here = |(name, _): &(String, u64)| name == "info";
    let commands = info.lines().filter_map(command);
    commands.filter(|command| !asked_here(command)).collect()
}

/// Counts statements by their first word.
async fn statements(console: &Client) -> BTreeMap<String, u64> {
    let rows = console.query(STATEMENTS, &[]).await.expect("an answer");
    let count = |calls: i64| u64::try_from(calls).unwrap_or(0);
    let statement = |row: &tokio_postgres::Row| (row.get(0), count(row.get(1)));
    rows.iter().map(statement).collect()
}

const STATEMENTS: &str = "SELECT coalesce(lower((regexp_match(query, '[A-Za-z]+'))[1]), '') AS word, sum(calls)::bigint \
    FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' GROUP BY 1";
