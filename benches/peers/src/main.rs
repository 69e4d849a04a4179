//! What sessions cost, measured beside each other: `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! The report is printed, and is written into a file with its chart: the last line says where. `-- --help` says what can be
//! left out.

fn main() -> std::process::ExitCode {
    peers::run()
}
