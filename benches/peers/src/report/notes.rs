//! In what the implementations differ: a figure says nothing without it.

/// Says it, a sentence or two each.
pub(super) fn all() -> String {
    let notes: Vec<_> = NOTES
        .iter()
        .map(|(name, note)| format!("* **{name}**: {note}"))
        .collect();
    format!("## In what they differ\n\n{}", notes.join("\n"))
}

const NOTES: &[(&str, &str)] = &[
    (
        "noop",
        "a layer that hands requests on; its handlers have no session.",
    ),
    (
        "floor",
        "a hand-written minimum in memory: it keeps hashed ids and sends no caching headers; it has no versions, no errors \
         and no expiry that moves.",
    ),
    (
        "tenure",
        "its defaults. Ids are kept hashed; a session is looked up when a handler takes it; a write is conditional on the \
         version that was read and is made again on a conflict, and on SQL the writes that wait share a statement; the expiry is moved once in three minutes; `Vary` and \
         `Cache-Control` are sent with a session that was used, a cookie when the browser has to learn something.",
    ),
    (
        "tower-sessions",
        "as its README sets it up, with 30 minutes of inactivity. A session is looked up at its first use; what was changed \
         is written whole, and the cookie is sent with each write. `sliding` is the same with `with_always_save`, so that \
         reads move the expiry, too. In process it is the current release; on engines it is the newest one that its \
         published stores are made for.",
    ),
    (
        "axum_session",
        "sessions are begun when a handler needs one (`SessionMode::Manual`), their cookies are signed. It keeps sessions in \
         the process's memory for an hour and asks the store for those that it does not have there; the store is told of \
         changes by the same request, and of a later expiry every ten seconds that a session is in use. `nothing in memory` (a memory lifetime of zero) asks the store with each request, and \
         writes what it has loaded. Its cookies are sent with each response. An unknown id that it has signed starts a session \
         under that id, so each request of W8 brings another one.",
    ),
    (
        "actix-session",
        "on its own framework, above a layer of that framework that does nothing; on engines each thread has a site of its \
         own, as its server does it. Cookies are encrypted, as is its default; the session is looked up with each request that \
         has one, and what was changed is written whole, with the cookie sent. `sliding` is `TtlExtensionPolicy::OnEveryRequest`. \
         It publishes no store in memory: in process it has a map of this comparison's own.",
    ),
    (
        "SQL",
        "each uses the pool that its own documentation opens: eight connections of tokio-postgres for `tenure`, ten of sqlx for \
         the others. All SQLite files are opened with a write-ahead log that waits for the disk, and with the same release of \
         SQLite.",
    ),
];
