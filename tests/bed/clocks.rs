//! A node whose clock is wrong: a process of its own, at another time.

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use tenure::{Clock, SessionLayer, Timestamp};

use super::{
    load::member,
    visitor::{OK, arrive, count, counted, principal},
};

/// Makes the test; the first expression starts a server, and the second opens a node at a URL.
macro_rules! clocks {
    ($server:expr, $open:expr) => {
        #[tokio::test]
        async fn a_node_whose_clock_is_an_hour_off_changes_nothing_that_users_see() {
            if let Some(url) = $crate::bed::clocks::given() {
                return $crate::bed::clocks::be_the_other_node(&$open(url).await).await;
            }
            let server = $server.await;
            let url = server.url().to_owned();
            let here = $open(url.clone()).await;
            $crate::bed::clocks::another_clock_changes_nothing(&url, &here).await;
        }
    };
}
pub(crate) use clocks;

/// Returns the server's URL, if this is the other node.
pub fn given() -> Option<String> {
    env::var(URL).ok()
}

pub async fn another_clock_changes_nothing(url: &str, here: &SessionLayer) {
    let cookie = member(here).await;
    for (round, offset) in ["+1h", "-1h"].into_iter().enumerate() {
        let begun_there = run_the_other_node(url, &cookie, offset);
        let counts = Some(u32::try_from(round).unwrap() + 1);
        assert_eq!(counted(here, &cookie).await, counts, "{offset}");
        assert_eq!(principal(here, &cookie).await.as_deref(), Some("ada"));
        assert_eq!(counted(here, &begun_there).await, Some(0), "{offset}");
    }
}

/// Runs this test as another node, and returns the cookie of a session that it has begun.
fn run_the_other_node(url: &str, cookie: &str, offset: &str) -> String {
    let name = "faults::clock::a_node_whose_clock_is_an_hour_off_changes_nothing_that_users_see";
    let other = Command::new("faketime")
        .args(["-m", "--exclude-monotonic", "-f", offset])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(URL, url)
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

pub async fn be_the_other_node(layer: &SessionLayer) {
    let (cookie, now) = (env::var(COOKIE).unwrap(), env::var(NOW).unwrap());
    let here = Clock::system().now();
    let there = Timestamp::from_millis(now.parse().unwrap());
    let off = here.since(there).max(there.since(here));
    assert!(off > Duration::from_secs(50 * 60), "{off:?}");
    assert_eq!(principal(layer, &cookie).await.as_deref(), Some("ada"));
    assert_eq!(count(layer, &cookie).await, OK);
    println!("begun: {}", arrive(layer).await);
}

const URL: &str = "TENURE_TEST_NODE_URL";
const COOKIE: &str = "TENURE_TEST_NODE_COOKIE";
const NOW: &str = "TENURE_TEST_NODE_NOW";
