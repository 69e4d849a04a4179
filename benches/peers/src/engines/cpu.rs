//! How long processes have been on a core, as Linux tells it.

use std::fs;

/// Ticks a second: what Linux tells processes, whatever its own clock does.
const TICKS: f64 = 100.0;

/// Returns the seconds of this process.
pub(crate) fn of_this() -> f64 {
    ticks("self") / TICKS
}

/// Returns the seconds of other processes, and of those that they started.
pub(crate) fn of_all(ids: &[u32]) -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|process| process.file_name().into_string().ok());
    let is_one = |name: &String| {
        let of = |id: u32| ids.contains(&id);
        name.parse().is_ok_and(of) || field(name, PARENT).is_some_and(|id| of(id as u32))
    };
    names.filter(is_one).map(|name| ticks(&name)).sum::<f64>() / TICKS
}

fn ticks(process: &str) -> f64 {
    let parts = [USER, SYSTEM].map(|number| field(process, number).unwrap_or(0.0));
    parts.iter().sum()
}

/// Returns a field of a process's state, counted from behind its name.
fn field(process: &str, number: usize) -> Option<f64> {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = told.rsplit_once(") ")?;
    fields.split(' ').nth(number)?.parse().ok()
}

const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
