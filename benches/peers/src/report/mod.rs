//! The report: Markdown on the output and in a file, and a chart beside it.

mod chart;
mod machine;
mod notes;
mod tables;

use std::{fs, path::Path};

use crate::{
    engines::Measured,
    in_process::{allocations::Allocations, times::Time},
    options::Options,
    socket::Page,
    workload::Workload,
};

/// All that was measured.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) in_process: Vec<InProcess>,
    pub(crate) engines: Vec<Measured>,
    /// What is missing, if the pages were not asked.
    pub(crate) pages: Option<Result<Vec<Page>, &'static str>>,
}

/// What one workload costs, in the order of the implementations.
pub(crate) struct InProcess {
    pub(crate) workload: &'static Workload,
    pub(crate) times: Vec<Time>,
    pub(crate) allocations: Vec<Allocations>,
    pub(crate) instructions: Result<Vec<f64>, &'static str>,
}

/// Prints the report, and writes it and its chart into files.
pub(crate) fn publish(findings: &Findings, options: &Options) {
    let text = text(findings, options);
    println!("{text}");
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/target/report"));
    fs::create_dir_all(folder).expect("a folder for the report");
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        eprintln!("written: {}", file.display());
    };
    write("peers.md", &text);
    write("peers.svg", &chart::draw(findings));
}

fn text(findings: &Findings, options: &Options) -> String {
    let mut parts = vec![
        "# What sessions cost".to_owned(),
        machine::describe(findings),
    ];
    if options.is_quick {
        parts.push("**One short round: these figures mean little.**".to_owned());
    }
    parts.push("![The same figures as bars](peers.svg)".to_owned());
    if !findings.in_process.is_empty() {
        parts.push(tables::in_process(&findings.in_process, options.rounds));
    }
    if !findings.engines.is_empty() {
        parts.push(tables::engines(&findings.engines, options.rounds));
    }
    if let Some(pages) = &findings.pages {
        parts.push(tables::pages(pages));
    }
    parts.push(notes::all());
    parts.join("\n\n")
}
