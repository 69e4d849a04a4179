//! Races of whole requests under a randomized scheduler: `RUSTFLAGS="--cfg shuttle" cargo test --test shuttle`.
//!
//! The real commit runs on the real memory store, and every lock and counter of both is a point at which the scheduler
//! may let another request go on.
#![cfg(shuttle)]

use std::{convert::Infallible, future::Future, time::Duration};

use http::{Request, Response, StatusCode, header};
use shuttle::{
    check_pct, check_random, future::block_on, sync::Arc, sync::atomic::AtomicUsize,
    sync::atomic::Ordering, thread,
};
use tenure::{
    Error, Handle, Session, SessionLayer, SessionSlot,
    store::{Created, MemoryStore, Record, SessionStore, Version},
};
use tower::{Layer, ServiceExt, service_fn};

const ITERATIONS: usize = 1_000;

/// Explores a race by chance, and by forcing a few switches where they hurt most.
fn explore(race: fn()) {
    check_random(race, ITERATIONS);
    check_pct(race, ITERATIONS / 2, 3);
}

fn send<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F,
) -> (StatusCode, Option<String>)
where
    F: Future<Output = Result<(), Error>>,
{
    let mut handler = Some(handler);
    let service = layer.layer(service_fn(|request: Request<String>| {
        let handler = handler.take().unwrap();
        async move {
            let session = SessionSlot::from_extensions(request.extensions())
                .unwrap()
                .session()
                .await;
            let answered = match session {
                Ok(session) => handler(session).await,
                Err(error) => Err(error),
            };
            Ok::<_, Infallible>(answered.map_or_else(
                |error| error.to_response(),
                |()| Response::new(String::new()),
            ))
        }
    }));
    let mut request = Request::new(String::new());
    if let Some(cookie) = cookie {
        request
            .headers_mut()
            .insert(header::COOKIE, cookie.parse().unwrap());
    }
    let response = block_on(service.oneshot(request)).unwrap();
    let told = response
        .headers()
        .get(header::SET_COOKIE)
        .map(|field| field.to_str().unwrap().to_owned());
    (
        response.status(),
        told.map(|text| text.split(';').next().unwrap().to_owned()),
    )
}

/// Makes a layer, and the cookie of a session on it that has the value `a = 1`.
fn visitor() -> (SessionLayer, MemoryStore, String) {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone());
    let (_, cookie) = send(
        &layer,
        None,
        |session| async move { session.insert("a", 1) },
    );
    (layer, store, cookie.unwrap())
}

fn read(layer: &SessionLayer, cookie: &str, key: &'static str) -> Option<u32> {
    let found = Arc::new(std::sync::Mutex::new(None));
    let place = found.clone();
    send(layer, Some(cookie), |session| async move {
        *place.lock().unwrap() = session.get::<u32>(key)?;
        Ok(())
    });
    *found.clone().lock().unwrap()
}

/// Runs one handler in each of several threads on one session, and returns what each was answered.
fn race<F>(
    layer: &SessionLayer,
    cookie: &str,
    handlers: Vec<fn(Session) -> F>,
) -> Vec<(StatusCode, Option<String>)>
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let spawn = |handler: fn(Session) -> F| {
        let (layer, cookie) = (layer.clone(), cookie.to_owned());
        thread::spawn(move || send(&layer, Some(&cookie), handler))
    };
    let threads: Vec<_> = handlers.into_iter().map(spawn).collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>>>>;

fn increment(session: Session) -> Answer {
    Box::pin(async move { session.update("a", |a: &mut u32| *a += 1) })
}

fn write(session: Session) -> Answer {
    Box::pin(async move { session.insert("b", 2) })
}

fn login(session: Session) -> Answer {
    Box::pin(async move { session.login("1") })
}

fn logout(session: Session) -> Answer {
    Box::pin(async move { session.logout() })
}

#[test]
fn parallel_updates_all_count() {
    explore(|| {
        let (layer, _, cookie) = visitor();
        let answers = race(&layer, &cookie, vec![increment, increment, increment]);
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK));
        assert_eq!(read(&layer, &cookie, "a"), Some(4));
    });
}

#[test]
fn parallel_writes_of_different_keys_all_stay() {
    explore(|| {
        let (layer, _, cookie) = visitor();
        race(&layer, &cookie, vec![increment, write]);
        assert_eq!(
            (read(&layer, &cookie, "a"), read(&layer, &cookie, "b")),
            (Some(2), Some(2))
        );
    });
}

#[test]
fn a_session_that_was_logged_out_is_gone_whatever_was_on_its_way() {
    explore(|| {
        let (layer, _, cookie) = visitor();
        race(&layer, &cookie, vec![write, logout, increment]);
        assert_eq!(
            (read(&layer, &cookie, "a"), read(&layer, &cookie, "b")),
            (None, None)
        );
    });
}

#[test]
fn a_write_that_was_acknowledged_is_there_after_a_login_and_one_that_was_refused_is_not() {
    explore(|| {
        let (layer, _, cookie) = visitor();
        let answers = race(&layer, &cookie, vec![write, login]);
        let acknowledged = answers[0].0 == StatusCode::OK;
        let new = answers[1].1.as_deref().expect("the login succeeds");
        assert_eq!(read(&layer, new, "b").is_some(), acknowledged);
        assert_eq!(read(&layer, &cookie, "a"), None, "the old id opens nothing");
    });
}

#[test]
fn of_two_logins_one_is_refused_or_both_follow_each_other() {
    explore(|| {
        let (layer, store, cookie) = visitor();
        let answers = race(&layer, &cookie, vec![login, login]);
        let live: Vec<_> = answers
            .iter()
            .filter_map(|(_, told)| told.as_deref())
            .collect();
        let open = live
            .iter()
            .filter(|cookie| read(&layer, cookie, "a") == Some(1))
            .count();
        assert_eq!(open, 1, "{answers:?}");
        assert!(
            (1..=2).contains(&store.len()),
            "a late login begins an empty session of its own"
        );
    });
}

#[test]
fn a_value_is_claimed_once() {
    explore(|| {
        let (layer, _, cookie) = visitor();
        let winners = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (layer, cookie, winners) = (layer.clone(), cookie.clone(), winners.clone());
                thread::spawn(move || {
                    send(&layer, Some(&cookie), |session| async move {
                        let won = session.claim::<u32>("a").await?.is_some();
                        winners.fetch_add(usize::from(won), Ordering::SeqCst);
                        Ok(())
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| drop(thread.join().unwrap()));
        assert_eq!(winners.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_memory_stores_bound_holds() {
    explore(|| {
        let store = MemoryStore::new().with_max_entries(2);
        let threads: Vec<_> = (0..3_u8)
            .map(|number| {
                let store = store.clone();
                thread::spawn(move || {
                    let record = Record::new(Version::from_u64(1), [1], [1, 0]);
                    let handle = Handle::from_bytes([number; 16]);
                    let created =
                        block_on(store.create(&handle, &record, Duration::from_secs(60))).unwrap();
                    assert!(
                        matches!(created, Created::Done(_)),
                        "an anonymous session makes room"
                    );
                    assert!(store.len() <= 2);
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let live = |number: u8| {
            block_on(store.load(&Handle::from_bytes([number; 16])))
                .unwrap()
                .is_some()
        };
        assert_eq!((0..3).filter(|number| live(*number)).count(), store.len());
    });
}
