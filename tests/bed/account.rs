//! Whom servers run as.

use std::fs;

/// Returns the user and the group to run a server as, if this process is root: a server refuses to be. It is the one
/// whose line in the list of users begins so, or else nobody.
pub(crate) fn unprivileged(line: &str) -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let uids = status.lines().find(|line| line.starts_with("Uid:"))?;
    (uids.split_whitespace().nth(2)? == "0").then_some(())?;
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = accounts.lines().find(|line| line.starts_with(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        of(line)
            .or_else(|| of("nobody:"))
            .expect("an unprivileged user"),
    )
}
