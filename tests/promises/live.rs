//! What outlives its request: when its session ends, and what it can do until then.

#![expect(clippy::disallowed_methods, reason = "tokio's clock stands still here")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use http::{Request, StatusCode};
use tenure::{
    Clock, CredentialStamp, Ended, ErrorKind, Event, EventKind, Handle, LiveSession, PrincipalId,
    Session, SessionLayer, SessionLimit, Timestamp,
    store::{
        Answer, Created, Cursor, Entered, Entry, Loaded, MemoryStore, PrincipalIndex, Record,
        SessionStore, Updated, Version, Walked,
    },
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use crate::support::{Answered, Browser, Fault, Handler, Site, handler};

const INTERVAL: Duration = Duration::from_secs(5);
/// What a load has by default.
const LOAD_TIMEOUT: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

/// Opens something that outlives its request.
async fn open(browser: &Browser) -> LiveSession {
    let (sender, receiver) = oneshot::channel();
    let detach = async move |session: Session| {
        sender.send(session.detach()?).unwrap();
        Ok(StatusCode::OK)
    };
    let request = Request::new(String::new());
    let response = browser.send(request, detach).await;
    assert_eq!(response.status(), StatusCode::OK);
    receiver.await.unwrap()
}

async fn refusal(live: &LiveSession) -> ErrorKind {
    live.reload().await.unwrap_err().kind()
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

#[tokio::test(start_paused = true)]
async fn what_this_layer_ends_is_told_at_once() {
    let deeds: [(&str, Ended, Handler); 6] = [
        ("logout", Ended::Gone, handler(logout)),
        (
            "destroy",
            Ended::Gone,
            handler(async |session: Session| {
                session.destroy()?;
                Ok(StatusCode::OK)
            }),
        ),
        (
            "login as another",
            Ended::Gone,
            handler(async |session: Session| {
                session.login("grace")?;
                Ok(StatusCode::OK)
            }),
        ),
        (
            "login again",
            Ended::PrivilegeChanged,
            handler(async |session: Session| {
                session.login("ada")?;
                Ok(StatusCode::OK)
            }),
        ),
        (
            "a login that is begun",
            Ended::PrivilegeChanged,
            handler(async |session: Session| {
                session.begin_login("ada", None)?;
                Ok(StatusCode::OK)
            }),
        ),
        (
            "a new id",
            Ended::PrivilegeChanged,
            handler(async |session: Session| {
                session.cycle_id()?;
                Ok(StatusCode::OK)
            }),
        ),
    ];
    for (name, why, deed) in deeds {
        let site = Site::new();
        let mut browser = site.member("ada").await;
        let live = open(&browser).await;
        assert_eq!(live.ended().now_or_never(), None, "{name}: not yet");
        browser
            .visit(async |session: Session| {
                session.insert("a", 2)?;
                Ok(StatusCode::OK)
            })
            .await;
        assert_eq!(live.ended().now_or_never(), None, "{name}: a write");
        assert_eq!(browser.visit(deed).await.status(), StatusCode::OK);
        assert_eq!(live.ended().now_or_never(), Some(why), "{name}");
        site.store.calls();
        let refused = refusal(&live).await;
        assert_eq!((refused, &*site.store.calls()), (kind(why), ""), "{name}");
    }
}

fn kind(why: Ended) -> ErrorKind {
    match why {
        Ended::PrivilegeChanged => ErrorKind::Superseded,
        _ => ErrorKind::Gone,
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_signed_out_from_elsewhere_on_this_layer_is_told_at_once() {
    let layer = SessionLayer::builder(MemoryStore::new())
        .with_session_limit(SessionLimit::evict_oldest(3))
        .build()
        .unwrap();
    let login = async |session: Session| {
        session.login("ada")?;
        Ok(StatusCode::OK)
    };
    let mut lives = Vec::new();
    let mut browser = Browser {
        layer: layer.clone(),
        cookie: None,
    };
    for _ in 0..4 {
        browser.cookie = None;
        browser.visit(login).await;
        lives.push(open(&browser).await);
    }
    let ended = || -> Vec<_> {
        let ended = lives.iter().map(|live| live.ended().now_or_never());
        ended.map(|ended| ended.is_some()).collect()
    };
    assert_eq!(
        ended(),
        [true, false, false, false],
        "the oldest is evicted"
    );
    let revoked = layer.sessions().revoke("ada", lives[1].handle()).await;
    assert!(revoked.unwrap());
    assert_eq!(ended(), [true, true, false, false]);
    browser
        .visit(async |session: Session| {
            session.revoke_others().await?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(ended(), [true, true, true, false]);
    assert_eq!(layer.sessions().revoke_everyone().await.unwrap(), 1);
    assert_eq!(ended(), [true; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_the_store_has_refused_so_far_ends_what_is_open() {
    let site = Site::new();
    let mut browser = site.member("ada").await;
    let live = open(&browser).await;
    site.store.fail("delete", Fault::Unavailable);
    assert_eq!(
        browser.visit(logout).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(live.ended().now_or_never(), Some(Ended::Gone));
    site.layer.drained().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_node_ends_is_told_within_an_interval() {
    let site = Site::new();
    let browser = site.member("ada").await;
    let live = open(&browser).await;
    let mut ended = Box::pin(live.ended());
    assert_eq!(ended.as_mut().now_or_never(), None);
    sleep(MINUTE).await;
    assert_eq!(ended.as_mut().now_or_never(), None);
    site.store.inner.delete(&live.handle()).await.unwrap();
    let start = Instant::now();
    assert_eq!(ended.await, Ended::Gone);
    assert!(start.elapsed() <= INTERVAL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_store_is_asked_between_half_an_interval_and_one_while_somebody_is_there() {
    let site = Site::new();
    let browser = site.member("ada").await;
    let lives = [open(&browser).await, open(&browser).await];
    site.store.calls();
    sleep(MINUTE).await;
    assert_eq!(site.store.calls(), "", "nobody waits");
    assert_eq!(lives[0].ended().now_or_never(), None);
    sleep(MINUTE).await;
    let asked = site.store.calls().split(' ').count();
    assert!((12..=24).contains(&asked), "{asked} times");
    drop(lives);
    sleep(MINUTE).await;
    assert_eq!(site.store.calls(), "", "nobody is there");
    let live = open(&browser).await;
    site.store.inner.delete(&live.handle()).await.unwrap();
    assert_eq!(live.ended().await, Ended::Gone, "it has begun again");
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_nothing_before_its_time() {
    let site = Site::new();
    let browser = site.member("ada").await;
    let live = open(&browser).await;
    let mut ended = Box::pin(live.ended());
    let outage = || (0..24).for_each(|_| site.store.fail("load", Fault::Unavailable));
    outage();
    assert_eq!(ended.as_mut().now_or_never(), None);
    sleep(MINUTE).await;
    assert_eq!(ended.as_mut().now_or_never(), None);
    assert_eq!(refusal(&live).await, ErrorKind::Store);
    site.store.forget_faults();
    assert!(live.reload().await.is_ok(), "it goes on");
    outage();
    site.clock.advance(33 * MINUTE - Duration::from_millis(1));
    sleep(INTERVAL).await;
    assert_eq!(ended.as_mut().now_or_never(), None);
    site.clock.advance(Duration::from_millis(1));
    let start = Instant::now();
    assert_eq!(ended.await, Ended::Expired);
    assert!(start.elapsed() <= INTERVAL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_keeps_a_session_alive_only_on_purpose() {
    let site = Site::new();
    for on_purpose in [true, false] {
        let browser = site.member("ada").await;
        let live = open(&browser).await;
        for _ in 0..4 {
            site.clock.advance(10 * MINUTE);
            match on_purpose {
                true => live.keep_alive().await.unwrap(),
                false => drop(live.reload().await),
            }
        }
        let expected = (!on_purpose).then_some(Ended::Expired);
        assert_eq!(live.ended().now_or_never(), expected);
        let principal = browser.principal().await;
        assert_eq!(principal.is_some(), on_purpose);
    }
}

#[tokio::test(start_paused = true)]
async fn to_keep_a_session_alive_is_a_touch_when_one_is_due() {
    let site = Site::new();
    let browser = site.member("ada").await;
    let live = open(&browser).await;
    site.store.calls();
    for (passed, calls) in [(2, "load"), (1, "load touch"), (2, "load")] {
        site.clock.advance(passed * MINUTE);
        live.keep_alive().await.unwrap();
        assert_eq!(site.store.calls(), calls, "after {passed} more minutes");
    }
    site.clock.advance(33 * MINUTE);
    let refused = live.keep_alive().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Gone);
    assert_eq!(live.ended().now_or_never(), Some(Ended::Expired));
}

#[tokio::test]
async fn what_is_not_in_the_store_as_it_is_going_to_be_cannot_be_detached() {
    async fn refused(browser: &mut Browser, deed: fn(&Session)) -> ErrorKind {
        let (sender, receiver) = oneshot::channel();
        let detach = async move |session: Session| {
            deed(&session);
            sender.send(session.detach().unwrap_err().kind()).unwrap();
            Ok(StatusCode::OK)
        };
        browser.visit(detach).await;
        receiver.await.unwrap()
    }
    let site = Site::new();
    let deeds: [fn(&Session); 4] = [
        |session| session.login("ada").unwrap(),
        |session| session.cycle_id().unwrap(),
        |session| session.begin_login("ada", None).unwrap(),
        |session| session.logout().unwrap(),
    ];
    let nothing: fn(&Session) = |_| ();
    let insert: fn(&Session) = |session| session.insert("a", 1).unwrap();
    for deed in [nothing, insert] {
        let kind = refused(&mut site.browser(), deed).await;
        assert_eq!(kind, ErrorKind::Uncommitted);
    }
    for deed in deeds {
        let kind = refused(&mut site.visitor().await, deed).await;
        assert_eq!(kind, ErrorKind::Uncommitted);
    }
    let mut browser = site.visitor().await;
    let mut late = browser.clone();
    browser
        .visit(async |session: Session| {
            session.cycle_id()?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(refused(&mut late, nothing).await, ErrorKind::Superseded);
}

#[tokio::test]
async fn a_live_session_writes_and_logs_out_and_never_gets_a_new_id() {
    let site = Site::new();
    let mut browser = site.member("ada").await;
    let live = open(&browser).await;
    let session = live.reload().await.unwrap();
    assert_eq!(session.principal().unwrap(), "ada");
    for refused in [
        session.login("ada"),
        session.login_fresh("grace"),
        session.begin_login("ada", None),
        session.cycle_id(),
        session
            .credentials_changed(CredentialStamp::of("new"))
            .await
            .map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Detached);
    }
    session.insert("a", 5).unwrap();
    session.commit().await.unwrap();
    assert_eq!(browser.read("a").await, Some(5));
    browser
        .visit(async |session: Session| {
            session.insert("b", 6)?;
            Ok(StatusCode::OK)
        })
        .await;
    session.insert("a", 7).unwrap();
    session.commit().await.unwrap();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(7), Some(6))
    );
    session.logout().unwrap();
    assert_eq!(session.insert("a", 8).unwrap_err().kind(), ErrorKind::Gone);
    session.commit().await.unwrap();
    assert_eq!(session.insert("a", 8).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(live.ended().await, Ended::Gone);
    assert_eq!(browser.principal().await, None);
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn what_a_live_session_changes_and_nobody_commits_is_told() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let site = Site::with(|builder| {
        builder.with_observer(move |event: &Event<'_>| {
            count.fetch_add(
                usize::from(event.kind() == EventKind::Uncommitted),
                Ordering::SeqCst,
            );
        })
    });
    let browser = site.member("ada").await;
    let live = open(&browser).await;
    let session = live.reload().await.unwrap();
    session.insert("a", 2).unwrap();
    session.commit().await.unwrap();
    drop(session);
    drop(live.reload().await.unwrap());
    assert_eq!(told.load(Ordering::SeqCst), 0);
    live.reload().await.unwrap().insert("a", 3).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn what_was_opened_with_a_planted_id_does_not_become_the_victims() {
    let site = Site::new();
    let mut planted = site.visitor().await;
    let attacker = open(&planted).await;
    let before = attacker.reload().await.unwrap();
    let kept = attacker.reload().await.unwrap();
    planted
        .visit(async |session: Session| {
            session.login("victim")?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(
        attacker.ended().now_or_never(),
        Some(Ended::PrivilegeChanged)
    );
    assert_eq!(refusal(&attacker).await, ErrorKind::Superseded);
    assert_eq!(
        attacker.keep_alive().await.unwrap_err().kind(),
        ErrorKind::Superseded
    );
    before.insert("a", 666).unwrap();
    assert_eq!(
        before.commit().await.unwrap_err().kind(),
        ErrorKind::Superseded
    );
    assert_eq!(before.principal(), None);
    assert_eq!(planted.read("a").await, Some(1));
    kept.logout().unwrap();
    assert_eq!(
        kept.commit().await.unwrap_err().kind(),
        ErrorKind::Superseded
    );
    assert_eq!(planted.principal().await.as_deref(), Some("victim"));
}

#[tokio::test(start_paused = true)]
async fn nobody_who_waits_for_an_end_holds_up_the_shutdown() {
    let site = Site::new();
    let browser = site.member("ada").await;
    let live = open(&browser).await;
    assert_eq!(live.ended().now_or_never(), None);
    assert_eq!(site.layer.drained().now_or_never(), Some(()));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_once_nobody_is_there() {
    let store = Arc::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone());
    let mut browser = Browser {
        layer,
        cookie: None,
    };
    browser
        .visit(async |session: Session| {
            session.insert("a", 1)?;
            Ok(StatusCode::OK)
        })
        .await;
    let live = open(&browser).await;
    drop(browser);
    assert_eq!(live.ended().now_or_never(), None);
    tokio::task::yield_now().await;
    assert!(Arc::strong_count(&store) > 1);
    drop(live);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&store), 1, "the task has let go of it");
}

/// Opens something for each of many visitors.
async fn many(layer: &SessionLayer, count: usize) -> Vec<LiveSession> {
    let mut lives = Vec::with_capacity(count);
    for _ in 0..count {
        let mut browser = Browser {
            layer: layer.clone(),
            cookie: None,
        };
        browser
            .visit(async |session: Session| {
                session.insert("a", 1)?;
                Ok(StatusCode::OK)
            })
            .await;
        lives.push(open(&browser).await);
    }
    lives
}

#[tokio::test(start_paused = true)]
async fn a_thousand_live_sessions_are_two_questions() {
    let store = Batches::new();
    let lives = many(&SessionLayer::new(store.clone()), 1_000).await;
    store.inner.delete(&lives[700].handle()).await.unwrap();
    assert_eq!(lives[700].ended().await, Ended::Gone);
    assert_eq!(store.batches.load(Ordering::SeqCst), 2);
    assert!((0..1_000).all(|place| place == 700 || lives[place].ended().now_or_never().is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_leaves_nobody_waiting() {
    let store = Batches::new();
    let live = many(&SessionLayer::new(store.clone()), 1).await.remove(0);
    store.panics.store(1, Ordering::SeqCst);
    store.inner.delete(&live.handle()).await.unwrap();
    assert_eq!(live.ended().await, Ended::Gone);
    assert_eq!(store.panics.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_lets_nobody_outlive_his_session() {
    let store = Batches::new();
    let clock = store.clock.clone();
    let layer = SessionLayer::new(store.clone());
    let lives = many(&layer, 2_000).await;
    assert!(
        lives
            .iter()
            .all(|live| live.ended().now_or_never().is_none())
    );
    store.hangs.store(true, Ordering::SeqCst);
    clock.advance(34 * MINUTE);
    let start = Instant::now();
    for live in &lives {
        assert_eq!(live.ended().await, Ended::Expired);
    }
    let most = INTERVAL + 2 * LOAD_TIMEOUT;
    assert!(start.elapsed() <= most, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_too_leaves_nobody_waiting() {
    let store = Batches::new();
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let panicking = move |event: &Event<'_>| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(event.kind() != EventKind::StoreFailed || !is_first);
    };
    let builder = SessionLayer::builder(store.clone()).with_observer(panicking);
    let live = many(&builder.build().unwrap(), 1).await.remove(0);
    told.store(0, Ordering::SeqCst);
    store.panics.store(1, Ordering::SeqCst);
    store.inner.delete(&live.handle()).await.unwrap();
    assert_eq!(live.ended().await, Ended::Gone);
    assert!(told.load(Ordering::SeqCst) > 0, "it has panicked");
}

#[test]
fn who_waits_is_told_though_the_runtime_is_gone_that_asked_for_him() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone());
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let asking = first.block_on(many(&layer, 1)).remove(0);
    assert_eq!(
        first.block_on(async { asking.ended().now_or_never() }),
        None
    );
    let waiting = second.block_on(many(&layer, 1)).remove(0);
    let mut ended = Box::pin(waiting.ended());
    assert_eq!(
        second.block_on(async { ended.as_mut().now_or_never() }),
        None
    );
    drop(first);
    let told = second.block_on(async {
        store.delete(&waiting.handle()).await.unwrap();
        ended.await
    });
    assert_eq!(told, Ended::Gone);
}

/// A store that counts how often it is asked for many records, and panics or hangs on demand.
#[derive(Clone)]
struct Batches {
    inner: MemoryStore,
    clock: Clock,
    batches: Arc<AtomicUsize>,
    hangs: Arc<AtomicBool>,
    panics: Arc<AtomicUsize>,
}

impl Batches {
    fn new() -> Self {
        let clock = Clock::manual();
        Self {
            inner: MemoryStore::new().with_clock(clock.clone()),
            clock,
            batches: Arc::default(),
            hangs: Arc::default(),
            panics: Arc::default(),
        }
    }
}

impl SessionStore for Batches {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        self.inner.create(handle, record, expires_in)
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        match self.hangs.load(Ordering::SeqCst) {
            true => Answer::later(std::future::pending()),
            false => self.inner.load(handle),
        }
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        self.inner.update(handle, expected, record, expires_in)
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        self.inner.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        self.inner.delete(handle)
    }

    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl PrincipalIndex for Batches {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        self.inner.enter(principal, entry, stamp, most)
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        self.inner.entries(principal)
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        self.inner.leave(principal, entries)
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        self.inner.restamp(principal, stamp)
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        if self.panics.load(Ordering::SeqCst) > 0 {
            self.panics.fetch_sub(1, Ordering::SeqCst);
            panic!("this store is broken");
        }
        match self.hangs.load(Ordering::SeqCst) {
            true => Answer::later(std::future::pending()),
            false => self.inner.load_all(handles),
        }
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        self.inner.walk(from, most)
    }
}
