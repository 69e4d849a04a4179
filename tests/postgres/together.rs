//! Changes that wait share a statement, and each is answered as if it had one of its own.

use futures::{
    FutureExt,
    future::{join, join_all},
};
use tenure::{
    Handle,
    store::{
        Answer, Created, PostgresStore, Record, SessionStore, StoreError, StoreErrorKind, Updated,
    },
};
use tokio_postgres::Client;

use super::{
    HOUR,
    bed::postgres::Database,
    contention::until_waiting,
    engine::{count_statements, statements},
    open, record, version,
};

/// A store with sessions of version 1, whose statements are counted.
struct Site {
    store: PostgresStore,
    client: Client,
    database: Database,
}

impl Site {
    async fn new(sessions: u8) -> Self {
        let database = Database::new().await;
        let client = database.client().await;
        let store = open(&database).await;
        for number in 0..sessions {
            let created = store.create(&handle(number), &record(1), HOUR).await;
            assert!(matches!(created, Ok(Created::Done(_))));
        }
        count_statements(&client).await;
        Self {
            store,
            client,
            database,
        }
    }

    fn update(&self, number: u8, to: u64) -> Answer<Updated> {
        let store = &self.store;
        store.update(&handle(number), version(1), &record(to), HOUR)
    }

    async fn kept(&self, number: u8) -> Option<Record> {
        let loaded = self.store.load(&handle(number)).await.unwrap();
        loaded.map(|loaded| loaded.record)
    }

    /// Locks a session's row, until `COMMIT`.
    async fn lock(&self, number: u8) -> Client {
        let other = self.database.client().await;
        let lock = format!(
            "BEGIN; SELECT FROM tenure_sessions WHERE handle = decode(repeat('{number:02x}', 16), 'hex') FOR UPDATE"
        );
        other.batch_execute(&lock).await.unwrap();
        other
    }
}

#[tokio::test]
async fn changes_that_wait_share_one_statement() {
    let site = Site::new(50).await;
    let updated = at_once((0..50).map(|number| site.update(number, 2))).await;
    assert!(updated.iter().all(is_done), "{updated:?}");
    assert_eq!(statements(&site.client).await, 1);
    for number in 0..50 {
        assert_eq!(site.kept(number).await, Some(record(2)), "{number}");
    }
}

#[tokio::test]
async fn no_more_than_64_changes_share_a_statement() {
    let site = Site::new(65).await;
    let updated = at_once((0..65).map(|number| site.update(number, 2))).await;
    assert!(updated.iter().all(is_done), "{updated:?}");
    assert_eq!(statements(&site.client).await, 2);
}

#[tokio::test]
async fn touches_and_updates_share_a_statement_and_a_touch_leaves_the_record_as_it_is() {
    let site = Site::new(4).await;
    let before = site.store.load(&handle(0)).await.unwrap().unwrap();
    site.client
        .batch_execute("UPDATE tenure_sessions SET principal = 'ada'")
        .await
        .unwrap();
    statements(&site.client).await;
    let touches = [0, 1].map(|number| site.store.touch(&handle(number), version(1), HOUR));
    let updates = [2, 3].map(|number| site.update(number, 2));
    let (touched, updated) = join(at_once(touches), at_once(updates)).await;
    assert!(touched.into_iter().all(|touched| touched.unwrap()));
    assert!(updated.iter().all(is_done), "{updated:?}");
    assert_eq!(statements(&site.client).await, 1);
    let after = site.store.load(&handle(0)).await.unwrap().unwrap();
    assert_eq!(
        (after.record, after.created),
        (before.record, before.created)
    );
    assert!(after.last_seen > before.last_seen);
    let text = "SELECT principal FROM tenure_sessions ORDER BY handle";
    let rows = site.client.query(text, &[]).await.unwrap();
    let principals: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
    let ada = Some("ada".to_owned());
    assert_eq!(principals, [ada.clone(), ada, None, None]);
}

#[tokio::test]
async fn one_of_several_that_is_refused_fails_alone_and_the_next_share_a_statement_again() {
    let site = Site::new(3).await;
    let check = "ALTER TABLE tenure_sessions ADD CHECK (version <> 13)";
    site.client.batch_execute(check).await.unwrap();
    let updated = at_once([(0, 2), (1, 13), (2, 2)].map(|(number, to)| site.update(number, to)));
    let updated = updated.await;
    assert!(is_done(&updated[0]) && is_done(&updated[2]), "{updated:?}");
    let error = updated[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    for (number, kept) in [(0, 2), (1, 1), (2, 2)] {
        assert_eq!(site.kept(number).await, Some(record(kept)), "{number}");
    }
    statements(&site.client).await;
    let touches = [(0, 2), (1, 1), (2, 2)];
    let touches = touches.map(|(number, at)| site.store.touch(&handle(number), version(at), HOUR));
    let touched = at_once(touches).await;
    assert!(touched.into_iter().all(|touched| touched.unwrap()));
    assert_eq!(statements(&site.client).await, 1);
}

#[tokio::test]
async fn each_that_was_not_made_is_told_why() {
    let site = Site::new(4).await;
    assert!(site.store.delete(&handle(1)).await.unwrap());
    assert!(is_done(&site.update(2, 7).await));
    let updates = [0, 1, 2].map(|number| site.update(number, 2));
    let touches = [3, 4].map(|number| site.store.touch(&handle(number), version(1), HOUR));
    let (updated, touched) = join(at_once(updates), at_once(touches)).await;
    let [done, gone, conflict] = updated.try_into().unwrap();
    assert_eq!(
        (done.unwrap(), gone.unwrap()),
        (Updated::Done, Updated::Gone)
    );
    let Ok(Updated::Conflict(Some(fresh))) = conflict else {
        panic!("{conflict:?}");
    };
    assert_eq!(fresh.record, record(7));
    let touched: Vec<_> = touched.into_iter().map(Result::unwrap).collect();
    assert_eq!(touched, [true, false]);
}

#[tokio::test]
async fn of_updates_of_one_session_at_once_the_first_succeeds_and_the_others_get_its_record() {
    let site = Site::new(1).await;
    let updated = at_once([2, 3, 4].map(|to| site.update(0, to))).await;
    assert!(is_done(&updated[0]), "{updated:?}");
    for late in &updated[1..] {
        let Ok(Updated::Conflict(Some(fresh))) = late else {
            panic!("{late:?}");
        };
        assert_eq!(fresh.record, record(2));
    }
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_any_longer_does_not_keep_the_others_from_being_made() {
    let site = Site::new(10).await;
    let mut answers: Vec<_> = (0..10).map(|number| site.update(number, 2)).collect();
    for answer in &mut answers {
        assert!(answer.now_or_never().is_none());
    }
    answers.drain(..5);
    let updated = join_all(answers).await;
    assert!(updated.iter().all(is_done), "{updated:?}");
}

#[tokio::test]
async fn rows_that_somebody_has_locked_hold_up_no_other_sessions() {
    let site = Site::new(40).await;
    let others = [site.lock(0).await, site.lock(1).await];
    let mut waiting = Vec::new();
    for number in [0, 1] {
        waiting.push(tokio::spawn(site.update(number, 2)));
        until_waiting(&site.client, waiting.len()).await;
    }
    let second = tokio::spawn(site.update(0, 3));
    for number in 2..40 {
        assert!(is_done(&site.update(number, 2).await), "{number}");
    }
    for other in others {
        other.batch_execute("COMMIT").await.unwrap();
    }
    for first in waiting {
        assert!(is_done(&first.await.unwrap()));
    }
    let second = second.await.unwrap();
    assert!(
        matches!(second, Ok(Updated::Conflict(Some(_)))),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_row_that_stays_locked_is_unavailable_and_what_shares_its_statement_is_made_without_it() {
    let site = Site::new(20).await;
    let _other = site.lock(7).await;
    let updated = at_once((0..20).map(|number| site.update(number, 2))).await;
    for (number, updated) in (0..).zip(&updated) {
        match (number, updated) {
            (7, Err(error)) => assert_eq!(error.kind(), StoreErrorKind::Unavailable),
            (_, updated) => assert!(number != 7 && is_done(updated), "{number}: {updated:?}"),
        }
    }
    assert_eq!(site.kept(7).await, Some(record(1)));
}

/// Two stores touch the same sessions, one in the order of their handles and one in the other, and both wait for the
/// row in the middle.
#[tokio::test]
async fn two_stores_that_change_the_same_sessions_do_not_lock_each_other_out() {
    let site = Site::new(9).await;
    let another = open(&site.database).await;
    let other = site.lock(4).await;
    let numbers: [u8; 9] = std::array::from_fn(|number| number as u8);
    let touch = |store: &PostgresStore, number| store.touch(&handle(number), version(1), HOUR);
    let forwards = tokio::spawn(at_once(numbers.map(|number| touch(&site.store, number))));
    until_waiting(&site.client, 1).await;
    let free = "SELECT handle FROM tenure_sessions ORDER BY handle FOR UPDATE SKIP LOCKED";
    let free = site.client.query(free, &[]).await.unwrap();
    let free: Vec<Vec<u8>> = free.iter().map(|row| row.get(0)).collect();
    let behind = [5, 6, 7, 8].map(|number| handle(number).as_bytes().to_vec());
    assert_eq!(
        free, behind,
        "rows are locked in the order of their handles"
    );
    let backwards = numbers.map(|number| touch(&another, 8 - number));
    let backwards = tokio::spawn(at_once(backwards));
    until_waiting(&site.client, 2).await;
    statements(&site.client).await;
    other.batch_execute("COMMIT").await.unwrap();
    for touched in [forwards, backwards] {
        let touched = touched.await.unwrap();
        assert!(touched.into_iter().all(|touched| touched.unwrap()));
    }
    assert_eq!(statements(&site.client).await, 2, "neither was rolled back");
}

#[tokio::test]
async fn of_changes_that_share_a_statement_nobody_knows_when_its_connection_is_lost() {
    let site = Site::new(3).await;
    let _other = site.lock(1).await;
    let updates = tokio::spawn(at_once([0, 1, 2].map(|number| site.update(number, 2))));
    until_waiting(&site.client, 1).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    site.client.batch_execute(end).await.unwrap();
    for updated in updates.await.unwrap() {
        let error = updated.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    }
}

/// Asks all before the runtime's only thread gets to what they set going.
async fn at_once<T: Unpin>(
    answers: impl IntoIterator<Item = Answer<T>>,
) -> Vec<Result<T, StoreError>> {
    join_all(answers).await
}

fn is_done(updated: &Result<Updated, StoreError>) -> bool {
    matches!(updated, Ok(Updated::Done))
}

const fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}
