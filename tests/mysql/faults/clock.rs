//! A node whose clock is wrong: a process of its own, at another time.

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use tenure::{Clock, SessionLayer, Timestamp, store::MySqlStore};

use super::super::{
    bed::{
        load::member,
        mariadb::Database,
        visitor::{OK, arrive, count, counted, principal},
    },
    open,
};

#[tokio::test]
async fn a_node_whose_clock_is_an_hour_off_changes_nothing_that_users_see() {
    if let Ok(url) = env::var(URL) {
        return be_the_other_node(&url).await;
    }
    let database = Database::new().await;
    let here = SessionLayer::new(open(&database).await);
    let cookie = member(&here).await;
    for (round, offset) in ["+1h", "-1h"].into_iter().enumerate() {
        let begun_there = run_the_other_node(&database, &cookie, offset);
        let counts = Some(u32::try_from(round).unwrap() + 1);
        assert_eq!(counted(&here, &cookie).await, counts, "{offset}");
        assert_eq!(principal(&here, &cookie).await.as_deref(), Some("ada"));
        assert_eq!(counted(&here, &begun_there).await, Some(0), "{offset}");
    }
}

/// Runs this test as another node, and returns the cookie of a session that it has begun.
fn run_the_other_node(database: &Database, cookie: &str, offset: &str) -> String {
    let name = "faults::clock::a_node_whose_clock_is_an_hour_off_changes_nothing_that_users_see";
    let other = Command::new("faketime")
        .args(["-m", "--exclude-monotonic", "-f", offset])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(URL, database.url())
        .env(COOKIE, cookie)
        .env(NOW, Clock::system().now().as_millis().to_string())
        .stderr(Stdio::inherit())
        .output()
        .expect("`faketime`, which `./check` installs");
    let said = String::from_utf8(other.stdout).unwrap();
    assert!(other.status.success(), "{offset}: {said}");
    let begun = said.lines().find_map(|line| line.split("begun: ").nth(1));
    begun.expect("a session begun there").to_owned()
}

async fn be_the_other_node(url: &str) {
    let (cookie, now) = (env::var(COOKIE).unwrap(), env::var(NOW).unwrap());
    let here = Clock::system().now();
    let there = Timestamp::from_millis(now.parse().unwrap());
    let off = here.since(there).max(there.since(here));
    assert!(off > Duration::from_secs(50 * 60), "{off:?}");
    let layer = SessionLayer::new(MySqlStore::connect(url).await.unwrap());
    assert_eq!(principal(&layer, &cookie).await.as_deref(), Some("ada"));
    assert_eq!(count(&layer, &cookie).await, OK);
    println!("begun: {}", arrive(&layer).await);
}

const URL: &str = "TENURE_TEST_NODE_URL";
const COOKIE: &str = "TENURE_TEST_NODE_COOKIE";
const NOW: &str = "TENURE_TEST_NODE_NOW";
