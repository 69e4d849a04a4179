//! The files stand in one line, and each imports only from those above it: `docs/architecture.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules, from the ground up.
const ORDER: &[&str] = &[
    "sync",
    "clock",
    "id",
    "principal",
    "lifetime",
    "keyring",
    "limit",
    "site_data",
    "label",
    "renewal",
    "key",
    "error",
    "meter",
    "record",
    "guard",
    "json",
    "cookie",
    "caching",
    "observe",
    "store",
    "change",
    "watch",
    "context",
    "revocation",
    "load",
    "commit",
    "slot",
    "sessions",
    "operator",
    "session",
    "live",
    "fresh",
    "future",
    "service",
    "layer",
    "extract",
    "testing",
    "docs",
];

#[test]
fn each_file_imports_only_from_those_above_it() {
    for file in sources() {
        let module = module_of(&file);
        let text = fs::read_to_string(&file).unwrap();
        for imported in imports(&text) {
            assert!(
                rank(&imported) <= rank(&module),
                "`{module}` imports from `{imported}`, which stands below it"
            );
        }
    }
}

#[test]
fn every_module_has_its_place() {
    let mut modules: Vec<_> = sources().iter().map(|file| module_of(file)).collect();
    modules.sort_unstable();
    modules.dedup();
    let mut order = ORDER.to_vec();
    order.sort_unstable();
    assert_eq!(modules, order);
}

#[test]
fn the_picture_shows_every_module() {
    let picture = include_str!("../docs/architecture.md");
    for module in ORDER {
        assert!(
            picture.contains(&format!("`{module}")),
            "docs/architecture.md does not name `{module}`"
        );
    }
}

#[test]
fn an_import_that_goes_up_is_seen() {
    assert_eq!(
        imports("use crate::{\n    a::{B, C},\n    d,\n};\nuse crate::e::F;"),
        ["a", "d", "e"]
    );
    assert_eq!(
        imports("/// See [`X`](crate::x::X).\nfn f() { crate::y::g() }"),
        ["y"]
    );
}

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if is_code(&path) && path != root.join("lib.rs") => files.push(path),
                false => {}
            }
        }
    }
    files
}

/// Guides lie beside the code and are none.
fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Returns the first part of a file's path below `src`.
fn module_of(file: &Path) -> String {
    let below = file
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Returns the modules that a file names after `crate::`, apart from its tests and its comments.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code
        .match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
    {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(heads(list)),
            None => found.push(identifier(rest)),
        }
    }
    found
}

/// Returns the first names of the parts of a list in braces.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    let mut at_head = true;
    for (index, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            char if at_head && char.is_alphabetic() => {
                heads.push(identifier(&list[index..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|char| char.is_alphanumeric() || *char == '_')
        .collect()
}

fn rank(module: &str) -> usize {
    let place = ORDER.iter().position(|known| *known == module);
    place.unwrap_or_else(|| panic!("`{module}` has no place in the line"))
}
