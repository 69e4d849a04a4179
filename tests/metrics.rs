//! What is counted for the `metrics` facade, and how it is named.

use std::{collections::BTreeMap, time::Duration};

use bed::visitor::{arrive, begin, count, log_out, read, send, visit};
use http::StatusCode;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tenure::{
    Handle, Session, SessionLayer, SessionLimit,
    store::{Answer, Created, Loaded, MemoryStore, Record, SessionStore, Updated, Version},
};

mod bed;

/// What a recorder has, by name and labels.
type Numbers = BTreeMap<String, DebugValue>;

/// Runs something with a recorder of its own.
fn recorded<T>(run: impl AsyncFnOnce(&Snapshotter) -> T) -> T {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run(&snapshotter)))
}

fn numbers(snapshotter: &Snapshotter) -> Numbers {
    let all = snapshotter.snapshot().into_vec();
    let named = all.into_iter().map(|(key, unit, description, value)| {
        let key = key.key();
        assert!(
            unit.is_some() && description.is_some(),
            "{key} is described"
        );
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    named.collect()
}

#[track_caller]
fn counter(numbers: &Numbers, name: &str) -> u64 {
    match numbers.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name}: {other:?} in {:?}", numbers.keys()),
    }
}

#[track_caller]
fn gauge(numbers: &Numbers, name: &str) -> f64 {
    match numbers.get(name) {
        Some(DebugValue::Gauge(value)) => value.0,
        other => panic!("{name}: {other:?} in {:?}", numbers.keys()),
    }
}

#[track_caller]
fn taken(numbers: &Numbers, verb: &str, outcome: &str) -> Vec<f64> {
    match numbers.get(&format!(
        "tenure_store_seconds{{verb={verb},outcome={outcome}}}"
    )) {
        Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.0).collect(),
        other => panic!("{verb} {outcome}: {other:?} in {:?}", numbers.keys()),
    }
}

/// Does what there is a number for, with so many visitors.
async fn a_busy_day(layer: &SessionLayer, visitors: usize) -> Vec<tenure::LiveSession> {
    let mut lives = Vec::new();
    for number in 0..visitors {
        let cookie = arrive(layer).await;
        // A conflict.
        let slow = begin(layer, Some(&cookie), |session: Session, gate| async move {
            session.update("count", |count: &mut u32| *count += 1)?;
            gate.pass().await;
            Ok(())
        })
        .await;
        count(layer, &cookie).await;
        slow.go().await;
        // Gone.
        let late = begin(layer, Some(&cookie), |session: Session, gate| async move {
            session.insert("late", 1)?;
            gate.pass().await;
            Ok(())
        })
        .await;
        log_out(layer, &cookie).await;
        late.go().await;
        // Unknown.
        read(layer, &cookie).await;
        // Superseded, and refused at a limit.
        let old = arrive(layer).await;
        let who = format!("user{number}");
        let login = {
            let who = who.clone();
            async move |session: Session| session.login(who)
        };
        let (_, cookie) = visit(layer, Some(&old), login).await;
        read(layer, &old).await;
        let again = async move |session: Session| session.login(who);
        let refused = send(layer, None, again).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        lives.push(bed::live::open(layer, &cookie.unwrap()).await);
    }
    layer.drained().await;
    lives
}

fn limited(store: impl SessionStore) -> SessionLayer {
    let builder = SessionLayer::builder(store).with_session_limit(SessionLimit::reject(1));
    builder.build().unwrap()
}

#[test]
fn loads_and_commits_are_counted_by_what_they_came_to() {
    recorded(async |snapshotter| {
        let layer = limited(MemoryStore::new());
        let mut lives = a_busy_day(&layer, 3).await;
        drop(lives.pop());
        let numbers = numbers(snapshotter);
        for (name, expected) in [
            ("tenure_loads_total{outcome=live,layer=__Host-Http-id}", 6),
            (
                "tenure_loads_total{outcome=superseded,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_loads_total{outcome=unknown,layer=__Host-Http-id}",
                1,
            ),
            // One of them notes that the cookie of a login was shown.
            ("tenure_commits_total{outcome=done,layer=__Host-Http-id}", 7),
            ("tenure_commits_total{outcome=gone,layer=__Host-Http-id}", 1),
            (
                "tenure_commits_total{outcome=refused,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=session_conflict,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=session_gone,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=session_superseded,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=session_id_unknown,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=excess_sessions_exceeded,layer=__Host-Http-id}",
                1,
            ),
            (
                "tenure_events_total{event=session_logout,layer=__Host-Http-id}",
                1,
            ),
        ] {
            assert_eq!(counter(&numbers, name), 3 * expected, "{name}");
        }
        assert_eq!(gauge(&numbers, "tenure_live_connections{}"), 2.0);
        assert_eq!(gauge(&numbers, "tenure_sessions{}"), 3.0);
    });
}

#[test]
fn events_that_the_log_leaves_out_are_counted() {
    recorded(async |snapshotter| {
        let layer = SessionLayer::new(MemoryStore::new());
        for _ in 0..50 {
            read(&layer, "__Host-Http-id=malformed").await;
        }
        let name = "tenure_events_total{event=session_id_malformed,layer=__Host-Http-id}";
        assert_eq!(counter(&numbers(snapshotter), name), 50);
    });
}

#[test]
fn a_number_of_visitors_makes_no_more_series() {
    let series = |visitors| {
        recorded(async |snapshotter: &Snapshotter| {
            let layer = limited(MemoryStore::new());
            let _lives = a_busy_day(&layer, visitors).await;
            numbers(snapshotter).into_keys().collect::<Vec<_>>()
        })
    };
    assert_eq!(series(1), series(20));
}

#[test]
fn the_guide_names_every_number_and_none_that_is_not_there() {
    let guide = include_str!("../src/docs/deployment.md");
    let (_, rest) = guide.split_once("\n## Metrics\n").unwrap();
    let table = rest
        .lines()
        .filter_map(|line| line.strip_prefix("| `tenure_"));
    let mut documented: Vec<_> = table
        .map(|row| format!("tenure_{}", row.split('`').next().unwrap()))
        .collect();
    let mut named = recorded(async |snapshotter| {
        let layer = limited(MemoryStore::new());
        let _lives = a_busy_day(&layer, 1).await;
        let names = numbers(snapshotter).into_keys();
        names
            .map(|name| name.split('{').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    named.dedup();
    documented.sort_unstable();
    assert_eq!(named, documented);
}

/// A store whose loads take a while.
struct Slow(MemoryStore, Duration);

impl SessionStore for Slow {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        self.0.create(handle, record, expires_in)
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let (pause, answer) = (self.1, self.0.load(handle));
        Answer::later(async move {
            tokio::time::sleep(pause).await;
            answer.await
        })
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        self.0.update(handle, expected, record, expires_in)
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        self.0.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        self.0.delete(handle)
    }
}

#[test]
fn how_long_the_store_takes_is_told_also_where_nobody_waited_to_the_end() {
    for (takes, outcome, told) in [(0.25, "answered", 0.25), (60.0, "given_up", 2.0)] {
        recorded(async |snapshotter| {
            let pause = Duration::from_secs_f64(takes);
            let layer = SessionLayer::new(Slow(MemoryStore::new(), pause));
            let cookie = arrive(&layer).await;
            read(&layer, &cookie).await;
            let numbers = numbers(snapshotter);
            let times = taken(&numbers, "load", outcome);
            assert_eq!(times.len(), 1);
            assert!((times[0] - told).abs() < 0.1, "{times:?}");
            assert_eq!(taken(&numbers, "create", "answered"), [0.0]);
        });
    }
}
