//! Writes that wait share a transaction, and each is answered as if it had one of its own.

use std::{fs, iter::zip, str::FromStr, time::Duration};

use futures::{FutureExt, future::join_all};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tenure::{
    Handle,
    store::{
        Answer, Created, Record, SessionStore, SqliteStore, StoreError, StoreErrorKind, Updated,
        Version,
    },
};

use super::File;

#[tokio::test]
async fn writes_that_wait_share_one_commit() {
    let file = File::new();
    let store = file.open().await;
    let before = commits(&file);
    let created = create_at_once(&store, &[10; 50]).await;
    assert!(created.iter().all(is_done), "{created:?}");
    assert_eq!(commits(&file) - before, 1);
}

#[tokio::test]
async fn no_more_than_64_writes_share_a_commit() {
    let file = File::new();
    let store = file.open().await;
    let before = commits(&file);
    create_at_once(&store, &[10; 65]).await;
    assert_eq!(commits(&file) - before, 2);
}

#[tokio::test]
async fn one_of_several_that_is_too_large_fails_alone_and_the_next_share_a_commit_again() {
    let file = File::new();
    let store = limited(&file, 60).await;
    the_second_fails_alone(&file, &store, StoreErrorKind::Full).await;
}

#[tokio::test]
async fn one_of_several_that_rolls_back_all_fails_alone_and_the_next_share_a_commit_again() {
    let file = File::new();
    let store = file.open().await;
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON tenure_sessions WHEN length(NEW.payload) > 1000 \
                   BEGIN SELECT RAISE(ROLLBACK, 'as on a full disk'); END";
    sqlx::raw_sql(trigger).execute(store.pool()).await.unwrap();
    the_second_fails_alone(&file, &store, StoreErrorKind::Unavailable).await;
}

async fn the_second_fails_alone(file: &File, store: &SqliteStore, kind: StoreErrorKind) {
    let created = create_at_once(store, &[10, 500_000, 10]).await;
    assert!(is_done(&created[0]) && is_done(&created[2]), "{created:?}");
    let error = created[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    for (number, is_kept) in [(0, true), (1, false), (2, true)] {
        let found = store.load(&handle(number)).await.unwrap();
        assert_eq!(found.is_some(), is_kept, "{number}");
    }
    let before = commits(file);
    let deleted = at_once([0, 1, 2].map(|number| store.delete(&handle(number)))).await;
    let deleted: Vec<_> = deleted.into_iter().map(Result::unwrap).collect();
    assert_eq!(deleted, [true, false, true]);
    assert_eq!(commits(file) - before, 1);
}

#[tokio::test]
async fn of_updates_that_share_a_commit_and_expect_one_version_the_first_succeeds() {
    let file = File::new();
    let store = file.open().await;
    create_at_once(&store, &[10]).await;
    let expected = Version::from_u64(0);
    let updates = [1, 2, 3].map(|version| {
        let record = Record::new(Version::from_u64(version), [1], [2]);
        store.update(&handle(0), expected, &record, HOUR)
    });
    let updated = at_once(updates).await;
    assert_eq!(*updated[0].as_ref().unwrap(), Updated::Done);
    for late in &updated[1..] {
        let Ok(Updated::Conflict(Some(fresh))) = late else {
            panic!("{late:?}");
        };
        assert_eq!(fresh.record.version(), Version::from_u64(1));
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_longer_does_not_keep_the_others_from_being_answered() {
    let file = File::new();
    let store = file.open().await;
    let mut answers: Vec<_> = (0..10).map(|number| create(&store, number, 10)).collect();
    for answer in &mut answers {
        assert!(answer.now_or_never().is_none());
    }
    answers.drain(..5);
    let created = join_all(answers).await;
    assert!(created.iter().all(is_done), "{created:?}");
}

/// Creates records with values of these sizes, all before the first of them can be written.
async fn create_at_once(store: &SqliteStore, sizes: &[usize]) -> Vec<Result<Created, StoreError>> {
    at_once(zip(0.., sizes).map(|(number, size)| create(store, number, *size))).await
}

fn create(store: &SqliteStore, number: u8, size: usize) -> Answer<Created> {
    let record = Record::new(Version::from_u64(0), [1], vec![7; size]);
    store.create(&handle(number), &record, HOUR)
}

/// Asks all, in this order, before the runtime's only thread gets to what they set going.
async fn at_once<T: Unpin>(
    answers: impl IntoIterator<Item = Answer<T>>,
) -> Vec<Result<T, StoreError>> {
    join_all(answers).await
}

fn is_done(created: &Result<Created, StoreError>) -> bool {
    matches!(created, Ok(Created::Done(_)))
}

/// Opens the file, which can have so many pages, by one connection.
async fn limited(file: &File, pages: u32) -> SqliteStore {
    drop(file.open().await);
    let options = SqliteConnectOptions::from_str(&file.url()).unwrap();
    let options = options.pragma("max_page_count", pages.to_string());
    let pool = SqlitePoolOptions::new().max_connections(1);
    SqliteStore::new(pool.connect_with(options).await.unwrap())
}

/// Counts the commits in the write-ahead log: the frames that say how large the database is now
/// (<https://sqlite.org/fileformat2.html#walformat>).
fn commits(file: &File) -> usize {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = fs::read(file.0.path().join("sessions.db-wal")).unwrap_or_default();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let Some(header) = log.get(..HEADER) else {
        return 0;
    };
    let frame = FRAME_HEADER + number(&header[8..12]) as usize;
    let salts = &header[16..24];
    log[HEADER..]
        .chunks_exact(frame)
        .filter(|frame| frame[8..16] == *salts && number(&frame[4..8]) > 0)
        .count()
}

const fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

const HOUR: Duration = Duration::from_secs(3_600);
