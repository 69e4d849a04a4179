//! What users see while a file fails, and what is left afterwards.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    str::FromStr,
};

use http::StatusCode;
use sqlx::{
    AssertSqlSafe,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tenure::{
    Session, SessionLayer,
    store::{Record, SessionStore, SqliteStore, StoreErrorKind, Version},
};
use tokio::task::JoinSet;

use super::{
    File,
    bed::{
        load::{member, seed, until_it_counts},
        visitor::{
            self, OK, Told, UNAVAILABLE, count, counted, log_out, principal, quiet, read, send,
            told,
        },
    },
};

/// A process that writes to a file, and is killed when this is dropped.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Writer {
    /// Runs a test as a process that writes in some sessions.
    fn start(file: &File, cookies: &[String]) -> Self {
        let name = "faults::what_was_acknowledged_is_there_after_a_process_is_killed_under_load";
        let process = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FILE, file.url())
            .env(COOKIES, cookies.join(","))
            .stdout(Stdio::piped())
            .spawn();
        Self(process.unwrap())
    }

    /// Kills the process after it has said so much, and returns all that it has said.
    fn kill_after(mut self, lines: usize) -> Vec<String> {
        let mut said = BufReader::new(self.0.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let mut heard: Vec<_> = said.by_ref().take(lines).collect();
        assert_eq!(heard.len(), lines, "it has ended by itself: {heard:?}");
        self.0.kill().unwrap();
        heard.extend(said);
        heard
    }
}

/// Counts in the first session, and leaves the others one by one, until it is killed.
async fn be_the_writer(url: &str) {
    let layer = SessionLayer::new(SqliteStore::connect(url).await.unwrap());
    let cookies = env::var(COOKIES).unwrap();
    let mut cookies = cookies.split(',').map(str::to_owned);
    let counting = cookies.next().unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (layer, counting) = (layer.clone(), counting.clone());
        writers.spawn(async move {
            loop {
                assert_eq!(count(&layer, &counting).await, OK);
                println!(" {COUNTED}");
            }
        });
    }
    for cookie in cookies {
        let left = log_out(&layer, &cookie).await;
        assert_eq!(left.status(), OK);
        println!(" {LEFT}{cookie}");
    }
    let ended: Result<(), _> = writers.join_next().await.unwrap();
    panic!("a writer has ended: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_process_is_killed_under_load() {
    if let Ok(url) = env::var(FILE) {
        return be_the_writer(&url).await;
    }
    let (seed, file) = (seed() as usize, File::new());
    let layer = SessionLayer::new(file.open().await);
    let mut cookies = Vec::new();
    for _ in 0..200 {
        cookies.push(member(&layer).await);
    }
    let said = Writer::start(&file, &cookies).kill_after(50 + seed % 300);
    let acknowledged = said.iter().filter(|line| line.ends_with(COUNTED)).count();
    let found = counted(&layer, &cookies[0]).await.unwrap() as usize;
    assert!(
        (acknowledged..=acknowledged + WRITERS).contains(&found),
        "{acknowledged} were acknowledged, {found} are there"
    );
    let mut left = 0;
    for cookie in said.iter().filter_map(|line| line.split(LEFT).nth(1)) {
        assert_eq!(principal(&layer, cookie).await, None, "back again");
        left += 1;
    }
    let mut signed_in = 0;
    for cookie in &cookies[1..] {
        signed_in += usize::from(principal(&layer, cookie).await.is_some());
    }
    // One logout at most was on its way.
    let others = cookies.len() - 1 - left;
    assert!((others.saturating_sub(1)..=others).contains(&signed_in));
    assert_eq!(count(&layer, &cookies[0]).await, OK);
}

#[tokio::test]
async fn without_a_free_connection_requests_are_unavailable_until_there_is_one() {
    let file = File::new();
    let store = file.open().await;
    let layer = impatient(&store);
    let cookie = member(&layer).await;
    let mut held = Vec::new();
    for _ in 0..store.pool().options().get_max_connections() {
        held.push(store.pool().acquire().await.unwrap());
    }
    assert_eq!(read(&layer, &cookie).await, UNAVAILABLE);
    assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    drop(held);
    assert_eq!(count(&layer, &cookie).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

#[tokio::test]
async fn while_another_process_holds_the_files_lock_reads_go_on_and_writes_are_unavailable() {
    let file = File::new();
    let (store, other) = (file.open().await, file.open().await);
    let layer = impatient(&store);
    let cookie = member(&layer).await;
    let held = other.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    assert_eq!(read(&layer, &cookie).await, OK);
    held.rollback().await.unwrap();
    until_it_counts(&layer, &cookie).await;
}

/// A node that waits for the store as long as it does for a commit, less than for the lock of a file.
fn impatient(store: &SqliteStore) -> SessionLayer {
    let short = std::time::Duration::from_millis(500);
    SessionLayer::builder(store.clone())
        .with_load_timeout(short)
        .with_commit_timeout(short * 2)
        .build()
        .unwrap()
}

/// Opens a file by a pool of one connection, so that what is set for a connection is set for the store.
async fn one_connection(file: &File) -> SqliteStore {
    drop(file.open().await);
    let options = SqliteConnectOptions::from_str(&file.url()).unwrap();
    let pool = SqlitePoolOptions::new().max_connections(1);
    SqliteStore::new(pool.connect_with(options).await.unwrap())
}

async fn set(store: &SqliteStore, pragma: String) {
    let set = sqlx::query(AssertSqlSafe(format!("PRAGMA {pragma}")));
    set.execute(store.pool()).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_keeps_what_is_there() {
    let file = File::new();
    let store = one_connection(&file).await;
    let layer = SessionLayer::new(store.clone());
    let (cookie, leaving) = (member(&layer).await, member(&layer).await);
    set(&store, "max_page_count = 40".to_owned()).await;
    let handle = tenure::Handle::from_bytes([7; 16]);
    let record = Record::new(Version::from_u64(1), [1], [2; 200_000]);
    let hour = std::time::Duration::from_secs(3_600);
    let error = store.create(&handle, &record, hour).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(store.load(&handle).await.unwrap(), None);
    let mut visitors = 0..100;
    while store_in_a_new_session(&layer).await == OK {
        visitors.next().expect("there is not always room");
    }
    assert_eq!(store_large(&layer, &cookie).await, UNAVAILABLE);
    assert_eq!(counted(&layer, &cookie).await, Some(0));
    assert_eq!(principal(&layer, &cookie).await.as_deref(), Some("ada"));
    let left = log_out(&layer, &leaving).await;
    assert_eq!((left.status(), told(&left)), (OK, Told::Removal));
    assert_eq!(principal(&layer, &leaving).await, None);
    set(&store, "max_page_count = 4000".to_owned()).await;
    assert_eq!(store_large(&layer, &cookie).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(0));
}

async fn store_in_a_new_session(layer: &SessionLayer) -> StatusCode {
    let insert = async |session: Session| session.insert("value", "x".repeat(4_000));
    send(layer, None, insert).await.status()
}

async fn store_large(layer: &SessionLayer, cookie: &str) -> StatusCode {
    let insert = async |session: Session| session.insert("large", "x".repeat(20_000));
    quiet(&send(layer, Some(cookie), insert).await)
}

#[tokio::test]
async fn a_file_that_takes_no_writes_still_serves_reads() {
    let file = File::new();
    let store = one_connection(&file).await;
    let layer = SessionLayer::new(store.clone());
    let cookie = member(&layer).await;
    set(&store, "query_only = on".to_owned()).await;
    let options = SqliteConnectOptions::from_str(&file.url()).unwrap();
    let pool = SqlitePoolOptions::new().connect_with(options.read_only(true));
    let read_only = SqliteStore::new(pool.await.unwrap());
    let touching = visitor::touching(read_only.clone());
    let read_only = SessionLayer::new(read_only);
    for node in [&layer, &read_only, &touching] {
        assert_eq!(count(node, &cookie).await, UNAVAILABLE);
        assert_eq!(counted(node, &cookie).await, Some(0));
        assert_eq!(principal(node, &cookie).await.as_deref(), Some("ada"));
    }
    set(&store, "query_only = off".to_owned()).await;
    assert_eq!(count(&layer, &cookie).await, OK);
    assert_eq!(counted(&read_only, &cookie).await, Some(1));
}

const FILE: &str = "TENURE_TEST_FILE";
const COOKIES: &str = "TENURE_TEST_COOKIES";
const COUNTED: &str = "counted";
const LEFT: &str = "left: ";
const WRITERS: usize = 4;
