//! What the documents say exists: the tests they name, the rows they promise, the files they link to.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const SECURITY: &str = include_str!("../docs/security.md");

const COMPARISON: &str = include_str!("../docs/comparison.md");

const STORES: &str = include_str!("../docs/stores.md");

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests();
    let names = [SECURITY, COMPARISON, STORES]
        .into_iter()
        .flat_map(backticked);
    for name in names.filter(|name| is_test_name(name)) {
        assert!(tests.contains(name), "there is no test `{name}`");
    }
}

#[test]
fn every_guide_that_the_security_page_names_exists() {
    for path in backticked(SECURITY).filter(|name| name.starts_with("src/docs/")) {
        assert!(root().join(path).is_file(), "there is no `{path}`");
    }
}

#[test]
fn the_security_page_answers_every_row() {
    let (cheat_sheet, rest) = SECURITY.split_once("\n## OWASP ASVS\n").unwrap();
    let (v4, rest) = rest.split_once("\n### 5.0, chapter V7\n").unwrap();
    let (v7, rest) = rest.split_once("\n### 5.0, its neighbours\n").unwrap();
    let (neighbours, rest) = rest.split_once("\n## NIST").unwrap();
    let (_, kinds) = rest.split_once("\n## Kinds of vulnerability\n").unwrap();
    let numbers: Vec<_> = (1..=43).map(|number| number.to_string()).collect();
    let letters: Vec<_> = ('A'..='Z').map(String::from).collect();
    let words = |text: &str| -> Vec<String> { text.split(' ').map(String::from).collect() };
    for (part, keys) in [
        (cheat_sheet, numbers),
        (v4, words(ASVS_4_V3)),
        (v7, words(ASVS_5_V7)),
        (neighbours, words(ASVS_5_NEIGHBOURS)),
        (kinds, letters),
    ] {
        for key in keys {
            assert!(part.contains(&format!("\n| {key} |")), "no row {key}");
        }
    }
}

#[test]
fn every_row_of_the_security_page_ends_with_an_answer() {
    for row in SECURITY.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let answer = cells[cells.len() - 1];
        let reason = cells[cells.len() - 2];
        let is_told = ["**", "not offered", "there are none", "there is no"]
            .iter()
            .any(|words| reason.contains(words));
        assert!(
            answer == "shown by" || answer.contains('`') || answer == "–" && is_told,
            "{row}"
        );
    }
}

#[test]
fn every_file_that_a_document_links_to_exists() {
    for document in ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(PathBuf::from)
        .into_iter()
        .chain(files(&root().join("docs"), "md"))
    {
        let path = root().join(document);
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            let target = path.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let documents = files(&root().join("docs"), "md");
    for document in documents
        .into_iter()
        .chain([root().join("CONTRIBUTING.md")])
    {
        let text = fs::read_to_string(&document).unwrap();
        for path in backticked(&text).filter(|name| is_path(name)) {
            assert!(root().join(path).exists(), "{}: {path}", document.display());
        }
    }
}

#[test]
fn randomness_comes_from_the_operating_system_alone() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = rest.split_once("\n[").unwrap();
    assert!(dependencies.contains("\ngetrandom = "));
    for other in ["fastrand", "nanorand", "oorandom", "rand ", "rand_", "uuid"] {
        let line = format!("\n{other}");
        assert!(!dependencies.contains(&line), "{other} draws ids too");
    }
    for file in files(&root().join("src"), "rs") {
        let names_it = fs::read_to_string(&file).unwrap().contains("getrandom::");
        let may = RANDOM.iter().any(|(path, _)| file.ends_with(path));
        assert_eq!(names_it, may, "{}", file.display());
    }
}

/// Finds the names of all functions that may be tests: those of the suite for stores are made by a macro.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let folders = ["src", "tests"].map(|folder| root().join(folder));
    for file in folders.iter().flat_map(|folder| files(folder, "rs")) {
        let text = fs::read_to_string(file).unwrap();
        let functions = text.split("fn ").skip(1).map(identifier);
        let sentences = text
            .lines()
            .filter(|line| line.ends_with("(subject) {"))
            .map(identifier);
        names.extend(functions.chain(sentences));
    }
    names
}

/// A test's name is a sentence: four words and more.
fn is_test_name(text: &str) -> bool {
    text.matches('_').count() >= 3
        && text
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// A path in this repository; `NAME` stands for any name.
fn is_path(text: &str) -> bool {
    let folders = ["benches/", "docs/", "examples/", "fuzz/", "src/", "tests/"];
    folders.iter().any(|folder| text.starts_with(folder))
        && !text.contains("NAME")
        && !text.contains(' ')
}

fn backticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Finds the targets of relative links, without what stands after `#`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|char| char.is_alphanumeric() || *char == '_')
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

const ASVS_4_V3: &str = "3.1.1 3.2.1 3.2.2 3.2.3 3.2.4 3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.5.1 \
                         3.5.2 3.5.3 3.6.1 3.6.2 3.7.1";
const ASVS_5_V7: &str = "7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 \
                         7.5.2 7.5.3 7.6.1 7.6.2";
const ASVS_5_NEIGHBOURS: &str = "3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.4.1 3.5.1 9.1.1–9.2.4 11.2.2 11.2.3 11.2.4 11.2.5 \
                                 11.3.2–11.3.4 11.4.1 11.5.1 11.5.2 14.2.1 14.2.2 14.3.1 14.3.2 16.2.5 16.3.3 16.3.4 \
                                 16.4.1 16.5.1 16.5.2 16.5.3";

/// Which files ask the operating system for random bytes, and for what.
const RANDOM: &[(&str, &str)] = &[
    ("src/id/random.rs", "ids and versions"),
    (
        "src/store/backoff.rs",
        "pauses that differ between processes",
    ),
];

/// What has no example of its own, and where it is shown instead.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("CredentialStamp::from_bytes", "the stores that keep it"),
    ("Keyring::active", "the example of `Keyring`"),
    ("Keyring::from_env", "the guide on keys, as `from_file`"),
    ("Keyring::from_file", "the guide on keys"),
    ("Keyring::new", "the example of `Keyring`"),
    ("Keyring::previous", "the example of `PreviousKey`"),
    ("Keyring::with_unkeyed_until", "the guide on keys"),
    ("Lifetime::aal2", "the example of `aal1`"),
    ("Lifetime::aal3", "the example of `aal1`"),
    (
        "PreviousKey::droppable_at",
        "the example of `with_previous`",
    ),
    ("PreviousKey::id", "the example of `PreviousKey`"),
    (
        "PreviousKey::replaced_at",
        "`tests` of `Keyring::from_text`",
    ),
    ("Renewal::every", "the example of `Renewal`"),
    ("Renewal::with_grace", "the example of `Renewal`"),
    ("Renewal::with_on_reuse", "the example of `Renewal`"),
    ("RequireFresh", "the example of `require_fresh`"),
    ("RequireFresh::of", "`tests/promises/step_up.rs`"),
    (
        "RequireFresh::or_redirect_to",
        "the example of `require_fresh`",
    ),
    (
        "RequireFreshService",
        "the example of `require_fresh`, which makes it",
    ),
    ("ServerKey::from_base64", "the example of `ServerKey`"),
    ("ServerKey::from_bytes", "the example of `ServerKey`"),
    ("ServerKey::from_hex", "the example of `ServerKey`"),
    ("ServerKey::generate", "the example of `Keyring`"),
    ("ServerKey::id", "the example of `ServerKey`"),
    ("Session::begun_login", "the example of `begin_login`"),
    ("Session::finish_login", "the example of `begin_login`"),
    ("SessionSlot::sessions", "`Sessions`, which it returns"),
    (
        "MySqlStore::check",
        "the example of `MySqlStore`; it needs a server",
    ),
    (
        "MySqlStore::connect",
        "the example of `MySqlStore`; it needs a server",
    ),
    (
        "MySqlStore::ddl",
        "the example of `MySqlStore`; it needs a server",
    ),
    (
        "MySqlStore::migrate",
        "the example of `MySqlStore`; it needs a server",
    ),
    (
        "RedisStore::connect",
        "the example of `RedisStore`; it needs a server",
    ),
    (
        "RedisStoreBuilder::with_tls",
        "the example of `RedisStore`; it needs a server",
    ),
    ("CredentialStamp::as_bytes", "the stores that keep it"),
    ("CredentialStamp::of", "the example of `CredentialStamp`"),
    ("Cursor::as_str", "the example of `Cursor`"),
    ("Cursor::new", "the example of `Cursor`"),
    ("Entry::new", "the example of `Entry`"),
    ("Indexed", "`tests/conformance.rs`, as `Subject` is"),
    ("PrincipalIndex", "the examples of `Entered` and `Walked`"),
    ("Walked::new", "`MemoryStore`, and whoever writes a store"),
    (
        "SessionInfo::authenticated_at",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::created_at",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::expires_at",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::handle",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::idle_expires_at",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::last_seen_at",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionInfo::was_shown",
        "the example of `SessionInfo`; it is a getter",
    ),
    (
        "SessionLimit::evict_oldest",
        "the examples of `SessionLimit` and `with_session_limit`",
    ),
    (
        "SessionLimit::reject",
        "the examples of `SessionLimit` and `with_session_limit`",
    ),
    (
        "SessionLimit::with_most_for",
        "the examples of `SessionLimit` and `with_session_limit`",
    ),
    ("OperatorView::new", "the example of `OperatorView`"),
    ("Session::label", "the example of `set_label`"),
    ("SessionInfo::label", "the example of `with_label_from`"),
    ("Sessions::count_everyone", "the example of `Sessions`"),
    ("Sessions::revoke_of_anybody", "the example of `Sessions`"),
    ("Sessions::count", "the example of `Sessions`"),
    ("Sessions::credentials_changed", "the example of `Sessions`"),
    ("Sessions::list", "the example of `Sessions`"),
    ("Sessions::repair", "the example of `Sessions`"),
    ("Sessions::revoke", "the example of `Sessions`"),
    ("Sessions::revoke_all", "the example of `Sessions`"),
    ("Sessions::revoke_everyone", "the example of `Sessions`"),
    ("Event::error", "the example of `Event`; it is a getter"),
    ("Event::handle", "the example of `Event`; it is a getter"),
    ("Event::kind", "the examples of `Event` and `with_observer`"),
    ("Event::peer", "the example of `with_peer`; it is a getter"),
    ("Event::principal", "the example of `Event`; it is a getter"),
    (
        "Event::suppressed",
        "the example of `Event`; it is a getter",
    ),
    ("Session::detach", LIVE),
    ("Session::authenticated_at", "the example of `created_at`"),
    ("Session::expires_at", "the example of `created_at`"),
    ("Session::idle_expires_at", "the example of `created_at`"),
    ("Session::rotated_at", "the example of `created_at`"),
    ("SessionSlot::session", "the example of `SessionSlot`"),
    ("LiveSession::ended", LIVE),
    ("LiveSession::generation", LIVE),
    ("LiveSession::handle", LIVE),
    ("LiveSession::reload", LIVE),
    ("LoadFuture", "it is what `SessionSlot::session` returns"),
    ("ResponseFuture", "it is what `SessionService` returns"),
    ("Record::header", "the example of `Record`"),
    ("Record::new", "the example of `Record`"),
    (
        "Record::principal",
        "only what the crate has encoded has one; `examples/custom_store.rs`",
    ),
    ("Record::values", "the example of `Record`"),
    ("Record::version", "the example of `Record`"),
    ("Loaded::new", "`examples/custom_store.rs`"),
    ("Answer::later", "the example of `Answer`"),
    ("Answer::ready", "the example of `Answer`"),
    (
        "SessionStore",
        "`examples/custom_store.rs` and the guide on testing",
    ),
    ("StoreError::corrupt", "the example of `StoreError`"),
    ("StoreError::full", "the example of `StoreError`"),
    ("StoreError::kind", "the example of `StoreError`"),
    ("StoreError::unavailable", "the example of `StoreError`"),
    ("StoreError::unknown", "the example of `StoreErrorKind`"),
    ("MemoryStore::is_empty", "the example of `MemoryStore`"),
    ("MemoryStore::len", "the example of `MemoryStore`"),
    ("MemoryStore::new", "the example of `MemoryStore`"),
    ("MemoryStore::with_clock", "the example of `Clock::manual`"),
    (
        "MemoryStore::with_max_bytes",
        "the example of `MemoryStore`",
    ),
    (
        "MemoryStore::with_max_entries",
        "the example of `MemoryStore`",
    ),
    ("Clocked", "the example of the module"),
    ("Subject", "the example of the module"),
    (
        "Swept",
        "`tests/sqlite` and `tests/postgres`, whose stores are some",
    ),
    ("MySqlStore::builder", MYSQL_BUILDER),
    ("MySqlStoreBuilder::connect", MYSQL_BUILDER),
    ("MySqlStoreBuilder::with_connections", MYSQL_BUILDER),
    ("MySqlStoreBuilder::with_table", MYSQL_BUILDER),
    ("PostgresStore::builder", POSTGRES_BUILDER),
    ("PostgresStore::check", "the example of `SqliteStore`"),
    ("PostgresStore::connect", "the example of `PostgresStore`"),
    ("PostgresStore::ddl", "the example of `SqliteStore::ddl`"),
    ("PostgresStore::migrate", "the example of `PostgresStore`"),
    ("PostgresStoreBuilder::connect", POSTGRES_BUILDER),
    (
        "PostgresStoreBuilder::connect_with_tls",
        "it wants a connector of another crate",
    ),
    ("PostgresStoreBuilder::with_connections", POSTGRES_BUILDER),
    ("PostgresStoreBuilder::with_table", POSTGRES_BUILDER),
    ("RedisStore::builder", REDIS_BUILDER),
    ("RedisStoreBuilder::connect", REDIS_BUILDER),
    ("RedisStoreBuilder::with_prefix", REDIS_BUILDER),
    ("RedisStoreBuilder::with_replicas", REDIS_BUILDER),
    ("SetupError::kind", "the example of `SetupError`"),
    ("SetupErrorKind", "the example of `SetupError`"),
    ("SqliteStore::check", "the example of `SqliteStore`"),
    ("SqliteStore::connect", "the example of `SqliteStore`"),
    ("SqliteStore::migrate", "the example of `SqliteStore`"),
    ("SqliteStore::new", "the example of `SqliteStore`"),
    ("SqliteStore::pool", "the example of `SqliteStore`"),
    ("SqliteStore::with_table", "the example of `SqliteStore`"),
    ("Sweep", "the example of `Sweeper`"),
    ("Sweeper::new", "the example of `Sweeper`"),
    ("Sweeper::start", "the example of `Sweeper`"),
    ("Sweeper::with_batch", "the example of `Sweeper`"),
    ("Sweeper::with_interval", "the example of `Sweeper`"),
    ("Sweeping", "the example of `Sweeper`"),
];

const LIVE: &str = "the example of `LiveSession`";
const REDIS_BUILDER: &str = "the example of `RedisStoreBuilder`";
const MYSQL_BUILDER: &str = "the example of `MySqlStoreBuilder`";
const POSTGRES_BUILDER: &str = "the example of `PostgresStoreBuilder`";

#[test]
fn every_public_item_has_an_example_or_a_place_where_it_is_shown() {
    let mut without = BTreeSet::new();
    for file in files(&root().join("src"), "rs") {
        without.extend(items_without_example(&fs::read_to_string(file).unwrap()));
    }
    let elsewhere = SHOWN_ELSEWHERE.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(without, elsewhere.collect());
}

/// Finds the public types and functions of a file whose documentation has no code.
fn items_without_example(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let (mut found, mut documentation, mut owner) = (Vec::new(), String::new(), String::new());
    for line in code.lines() {
        let line = line.trim_start();
        if line.starts_with("impl") {
            owner = owner_of(line);
        }
        match public_item(line) {
            _ if line.starts_with("///") => documentation += line,
            _ if line.is_empty() => documentation.clear(),
            Some(name) if !documentation.is_empty() && !documentation.contains("```") => {
                let is_type = name.starts_with(char::is_uppercase);
                found.push(if is_type {
                    name
                } else {
                    format!("{owner}::{name}")
                });
            }
            _ => {} // an attribute of several lines, say
        }
    }
    found
}

/// Returns the name of the type or function that a line makes public.
fn public_item(line: &str) -> Option<String> {
    let words = line.strip_prefix("pub ")?.split(' ');
    let mut words = words.skip_while(|word| ["async", "const"].contains(word));
    let is_item = ["enum", "fn", "struct", "trait"].contains(&words.next()?);
    let name = is_item.then(|| identifier(words.next().unwrap_or_default()));
    name.filter(|name| !name.is_empty()) // as in a macro
}

/// Returns the type of an `impl` without its parameters.
fn owner_of(line: &str) -> String {
    let line = line.split(" for ").last().unwrap();
    let name = line.trim_start_matches("impl");
    let name = match name.strip_prefix('<') {
        Some(rest) => rest.split_once("> ").map_or(rest, |(_, name)| name),
        None => name,
    };
    identifier(name.trim_start())
}
