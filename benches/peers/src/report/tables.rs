//! The figures as tables of Markdown.

use std::collections::BTreeMap;

use super::InProcess;
use crate::{
    engines::{Measured, Row},
    implementations::{IMPLEMENTATIONS, NOT_ON},
    socket::Page,
};

/// What a table says where something cannot be measured.
const NOTHING: &str = "–";

/// What requests cost in process, a table for each kind of figure.
pub(super) fn in_process(found: &[InProcess], rounds: usize) -> String {
    let times = table(found, |one, index| {
        let time = one.times[index];
        format!("{:.0} ({:.0}–{:.0})", time.median, time.p10, time.p90)
    });
    let allocations = table(found, |one, index| {
        let allocations = one.allocations[index];
        format!("{:.1}; {:.0} B", allocations.count, allocations.bytes)
    });
    let instructions = instructions(found);
    format!(
        "## In process\n\nOne thread, five values of 437 bytes of JSON a session, in memory; all in turns, rounds: {rounds}. The \
         columns of a layer that does nothing (`noop`) have the whole request, the others what is above that of the same \
         framework.\n\n### Nanoseconds: median (10th–90th percentile)\n\n{times}\n\n### Allocations, and their \
         bytes\n\n{allocations}\n\n### Instructions, by callgrind (SHA-256 is in software there)\n\n{instructions}"
    )
}

fn instructions(found: &[InProcess]) -> String {
    match found.iter().find_map(|one| one.instructions.as_ref().err()) {
        Some(why) => format!("Not counted: {why}."),
        None => table(found, |one, index| {
            let counted = one.instructions.as_ref().map(|counted| counted[index]);
            counted.map_or(NOTHING.to_owned(), |count| format!("{count:.0}"))
        }),
    }
}

fn table(found: &[InProcess], cell: impl Fn(&InProcess, usize) -> String) -> String {
    let names = IMPLEMENTATIONS
        .iter()
        .map(|implementation| implementation.name);
    let names: Vec<_> = names.map(str::to_owned).collect();
    let mut lines = vec![line("workload", &names), rule(names.len())];
    for one in found {
        let cells: Vec<_> = (0..names.len()).map(|index| cell(one, index)).collect();
        let name = format!("{} {}", one.workload.name, one.workload.what);
        lines.push(line(&name, &cells));
    }
    lines.join("\n")
}

/// What requests cost on engines, a table for each.
pub(super) fn engines(found: &[Measured], rounds: usize) -> String {
    let tables: Vec<_> = found.iter().map(engine).collect();
    format!(
        "## On engines\n\n64 clients in this process, one request after the other each, over 1,024 sessions of five values with \
         437 bytes of JSON; all in turns, rounds: {rounds}. Clients, sites and server share the machine. `read` reads one \
         value, `write` counts it up. Commands are the server's, for one request; with Redis those that a \
         script calls are counted, too. CPU is of one request, and the process's includes the clients.\n\n{}",
        tables.join("\n\n")
    )
}

fn engine(found: &Measured) -> String {
    let heads = [
        "does",
        "requests a second",
        "p50",
        "p99",
        "commands",
        "CPU",
        "server's CPU",
    ];
    let heads = heads.map(str::to_owned);
    let mut lines = vec![
        format!("### {}\n", found.engine),
        line("", &heads),
        rule(heads.len()),
    ];
    lines.extend(
        found
            .rows
            .iter()
            .map(|row| engine_row(row, found.has_server)),
    );
    let is_here = |engine: &str| found.engine.starts_with(engine);
    for (name, _, why) in NOT_ON.iter().filter(|(_, engine, _)| is_here(engine)) {
        lines.push(line(name, &[NOTHING; 7].map(str::to_owned)));
        lines.push(format!("\n{name}: {why}."));
    }
    if !found.has_server {
        lines.push(
            "\nThere is no server: statements are not counted, and CPU is all in the process."
                .to_owned(),
        );
    }
    for row in found.rows.iter().filter(|row| row.failed > 0) {
        lines.push(format!(
            "\n{}, {}: {} requests failed.",
            row.name, row.does, row.failed
        ));
    }
    lines.join("\n")
}

fn engine_row(row: &Row, has_server: bool) -> String {
    let server_cpu = match has_server {
        true => format!("{:.1} µs", row.server_cpu),
        false => NOTHING.to_owned(),
    };
    let cells = [
        row.does.to_owned(),
        format!("{:.0}", row.rate),
        format!("{:.2} ms", row.p50),
        format!("{:.2} ms", row.p99),
        commands(&row.commands),
        format!("{:.1} µs", row.cpu),
        server_cpu,
    ];
    line(row.name, &cells)
}

fn commands(commands: &BTreeMap<String, f64>) -> String {
    let command = |(name, count): (&String, &f64)| format!("{name} {count:.2}");
    let all: Vec<_> = commands.iter().map(command).collect();
    match all.is_empty() {
        true => NOTHING.to_owned(),
        false => all.join(", "),
    }
}

/// What the shop's pages cost.
pub(super) fn pages(found: &Result<Vec<Page>, &'static str>) -> String {
    let body = match found {
        Ok(pages) => {
            let heads = ["requests a second", "p50", "p99"].map(str::to_owned);
            let mut lines = vec![line("page", &heads), rule(heads.len())];
            lines.extend(pages.iter().map(page));
            lines.join("\n")
        }
        Err(missing) => format!("{missing}."),
    };
    format!(
        "## Over a socket\n\nThe example `shop` with its sessions in memory, asked by `wrk -t2 -c64` on the same machine.\n\n{body}"
    )
}

fn page(page: &Page) -> String {
    let what = match &page.trouble {
        Some(trouble) => format!("{} ({trouble})", page.what),
        None => page.what.to_owned(),
    };
    line(
        &what,
        &[page.rate.clone(), page.p50.clone(), page.p99.clone()],
    )
}

fn line(first: &str, cells: &[String]) -> String {
    format!("| {first} | {} |", cells.join(" | "))
}

fn rule(columns: usize) -> String {
    format!("|---|{}", "---|".repeat(columns))
}
