//! What can be said on the command line: `--help` prints it.

use std::{env, process};

const HELP: &str = "Measures what sessions cost: in process, on engines, over a real socket.

  --only WHAT      measures that alone, and may be said again: W1 to W8, `process` for all of them,
                   `redis`, `postgres`, `sqlite`, or `socket`
  --rounds N       takes the median of so many rounds; 5 if it is not said
  --quick          takes one short round: it shows that all do their work, and its figures mean little
  --help           prints this";

/// What is measured, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Options {
    only: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) is_quick: bool,
    /// One implementation alone for a profiler that counts instructions: its workload, its place, how many requests.
    pub(crate) profile: Option<(String, usize, u32)>,
}

impl Options {
    pub(crate) fn of_this_program() -> Result<Self, String> {
        let mut words = env::args().skip(1);
        let mut options = Self {
            only: Vec::new(),
            rounds: 0,
            is_quick: false,
            profile: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" => help(),
                "--only" => options.only.push(known(words.next())?),
                "--profile" => options.profile = profile(&mut words),
                "--quick" => options.is_quick = true,
                "--rounds" => options.rounds = number(words.next())?,
                _ => return Err(format!("{word} is unknown; `--help` lists what there is")),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.is_quick { 1 } else { 5 };
        }
        Ok(options)
    }

    /// Tells whether a part is to be measured.
    pub(crate) fn wants(&self, part: &str) -> bool {
        let is_workload = part.starts_with('W');
        let names = |only: &String| only == part || is_workload && only == "process";
        self.only.is_empty() || self.only.iter().any(names)
    }
}

fn help() -> ! {
    println!("{HELP}");
    process::exit(0)
}

fn known(word: Option<String>) -> Result<String, String> {
    let known = ["process", "redis", "postgres", "sqlite", "socket"];
    let is_workload = |word: &str| matches!(word.as_bytes(), [b'W', b'1'..=b'8']);
    word.filter(|word| known.contains(&&**word) || is_workload(word))
        .ok_or_else(|| "--only wants a part; `--help` lists them".to_owned())
}

fn number(word: Option<String>) -> Result<usize, String> {
    let number = word.and_then(|word| word.parse().ok());
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| "--rounds wants a number above zero".to_owned())
}

fn profile(words: &mut impl Iterator<Item = String>) -> Option<(String, usize, u32)> {
    let mut next = || words.next();
    Some((next()?, next()?.parse().ok()?, next()?.parse().ok()?))
}
