//! What is said of a server that is not as it should be.

use std::{
    error::Error,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tenure::{
    CredentialStamp, SessionLayer,
    store::{
        Entered, Entry, PrincipalIndex, RedisStore, SessionStore, SetupError, SetupErrorKind,
        StoreErrorKind, Updated,
    },
};

use super::{
    HANDLE, HOUR,
    bed::{
        load::member,
        redis::Redis,
        visitor::{OK, count, principal},
    },
    record, version,
};

fn said(error: &SetupError, kind: SetupErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    let text = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    assert!(text.contains(words), "{text}");
}

async fn refused(url: &str) -> SetupError {
    RedisStore::connect(url).await.unwrap_err()
}

#[tokio::test]
async fn the_rights_that_the_documents_name_are_all_that_is_needed() {
    let text = include_str!("../../docs/stores.md");
    let line = text
        .lines()
        .find(|line| line.starts_with("ACL SETUSER app"));
    let server = Redis::start();
    server.ask(line.expect("a line to copy"));
    let url = server.url().replace("://", "://app:secret@");
    let layer = SessionLayer::new(RedisStore::connect(&url).await.unwrap());
    let mut cookies = Vec::new();
    for _ in 0..10 {
        cookies.push(member(&layer).await);
    }
    assert_eq!(count(&layer, &cookies[0]).await, OK);
    let sessions = layer.sessions();
    assert_eq!(sessions.list("ada").await.unwrap().len(), 10);
    let stamp = CredentialStamp::of(b"another password");
    sessions.credentials_changed("ada", stamp).await.unwrap();
    assert_eq!(sessions.count("ada").await.unwrap(), 0);
    assert_eq!(sessions.repair().await.unwrap(), 0);
    assert_eq!(principal(&layer, &cookies[0]).await, None);
}

#[tokio::test]
async fn what_is_no_url_is_named_and_its_password_is_not() {
    for url in [
        "localhost",
        "postgres://app:secret@localhost/shop",
        "redis://app:secret@localhost:port",
        "redis://app:secret@localhost/shop",
        "redis-sentinel://app:secret@localhost",
        "redis-cluster://app:secret@localhost/1",
        "redis-cluster://app:secret@",
    ] {
        let error = refused(url).await;
        said(
            &error,
            SetupErrorKind::Url,
            "one looks like `redis://host:6379`",
        );
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    let builder = RedisStore::builder("redis://app:secret@localhost").unwrap();
    assert!(!format!("{builder:?}").contains("secret"), "{builder:?}");
    let error = builder.with_prefix("{shop}").unwrap_err();
    said(
        &error,
        SetupErrorKind::Name,
        "`{shop}` is no prefix for keys",
    );
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    for (url, words) in [
        ("redis://127.0.0.1:1", "is it running"),
        ("redis+unix:///nowhere/redis.sock", "is it running"),
        (
            "redis-cluster://127.0.0.1:1,127.0.0.1:2",
            "127.0.0.1:2: Connection refused",
        ),
        (
            "redis-sentinel://127.0.0.1:1,127.0.0.1:2?service=shop",
            "are the Sentinels running",
        ),
    ] {
        said(&refused(url).await, SetupErrorKind::Unreachable, words);
    }
}

#[tokio::test]
async fn a_server_that_is_no_cluster_is_named() {
    let server = Redis::start();
    let url = server.url().replace("redis://", "redis-cluster://");
    let error = refused(&url).await;
    said(
        &error,
        SetupErrorKind::Unreachable,
        "let the URL begin with `redis://`",
    );
}

#[tokio::test]
async fn a_wrong_password_is_named_and_the_right_one_opens() {
    let server = Redis::start_with(&["requirepass right"]);
    let with = |user: &str| server.url().replace("//", &format!("//{user}@"));
    let error = refused(&with(":wrong")).await;
    said(
        &error,
        SetupErrorKind::Unreachable,
        "the user or the password is another",
    );
    let error = refused(&server.url()).await;
    said(
        &error,
        SetupErrorKind::Unreachable,
        "put the password into the URL",
    );
    let store = RedisStore::connect(&with(":right")).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
}

#[tokio::test]
async fn a_user_with_few_rights_can_start_and_carry_out_every_verb() {
    let rights = "user app on >secret ~tenure:* -@all +evalsha +eval +get +set +getrange +setrange +pexpire +exists +time \
                  +del +scan +zadd +zcard +zrange +zrank +zrem +zscore +persist";
    let server = Redis::start_with(&[rights]);
    let url = server.url().replace("//", "//app:secret@");
    let store = RedisStore::connect(&url).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    let loaded = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(loaded.record, record(2));
    can_keep_the_index(&store).await;
    assert!(store.delete(&HANDLE).await.unwrap());
    let other = RedisStore::builder(&url).unwrap().with_prefix("shop:");
    let other = other.unwrap().connect().await.unwrap();
    let error = other.load(&HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}

async fn can_keep_the_index(store: &RedisStore) {
    let (ada, entry) = ("ada".into(), Entry::new(HANDLE, version(2)));
    for password in ["old", "new"] {
        let stamp = CredentialStamp::of(password);
        store.restamp(&ada, &stamp).await.unwrap();
        let entered = store
            .enter(&ada, entry, Some(&stamp), usize::MAX)
            .await
            .unwrap();
        assert_eq!(entered, Entered::After(vec![]));
    }
    assert_eq!(store.entries(&ada).await.unwrap(), [entry]);
    assert!(store.load_all(&[HANDLE]).await.unwrap()[0].is_some());
    assert_eq!(store.walk(None, 100).await.unwrap().handles, [HANDLE]);
    store.leave(&ada, &[entry]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_named() {
    let primary = Redis::start();
    let replica = Redis::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    let error = refused(&replica.url()).await;
    said(&error, SetupErrorKind::ReadOnly, "connect to the primary");
}

#[tokio::test]
async fn a_server_that_may_drop_live_sessions_is_warned_of() {
    for (settings, is_warned) in [
        (
            &["maxmemory 100mb", "maxmemory-policy allkeys-lru"][..],
            true,
        ),
        (&["maxmemory 100mb", "maxmemory-policy volatile-ttl"], true),
        (&["maxmemory 100mb", "maxmemory-policy noeviction"], false),
        (&["maxmemory-policy allkeys-lru"], false),
    ] {
        let server = Redis::start_with(settings);
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        RedisStore::connect(&server.url()).await.unwrap();
        drop(logging);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let warning = "WARN tenure: the server may drop live sessions";
        assert_eq!(text.contains(warning), is_warned, "{settings:?}: {text}");
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
