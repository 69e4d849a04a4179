//! The chart: bars in panels, drawn by hand.

use std::fmt::Write;

use super::{Findings, InProcess};
use crate::{
    engines::{Measured, Row},
    implementations::IMPLEMENTATIONS,
};

/// Bars that are compared with each other, and with no others: each panel has a scale of its own.
struct Panel {
    title: String,
    unit: &'static str,
    bars: Vec<Bar>,
}

struct Bar {
    name: &'static str,
    value: f64,
}

/// Draws all figures that can be compared.
pub(super) fn draw(findings: &Findings) -> String {
    let in_process = findings.in_process.iter().map(of_workload);
    let on_engines = findings
        .engines
        .iter()
        .flat_map(|engine| KINDS.map(|kind| of_engine(engine, kind)));
    let panels: Vec<Panel> = in_process.chain(on_engines).collect();
    let mut body = String::new();
    let mut ends = [TOP; 2];
    for (number, panel) in panels.iter().enumerate() {
        let column = number % ends.len();
        body += &draw_panel(panel, column as f64 * COLUMN + MARGIN, ends[column]);
        ends[column] += height(panel);
    }
    let height = ends[0].max(ends[1]) + MARGIN;
    let width = COLUMN * 2.0 + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title words\">\n<title id=\"title\">{TITLE}</title>\n<desc id=\"words\">{}</desc>\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"36\">{TITLE}</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"58\">{HOW}</text>\n{body}</svg>\n",
        words(&panels)
    )
}

fn of_workload(found: &InProcess) -> Panel {
    let all = IMPLEMENTATIONS.iter().zip(&found.times);
    let compared = all.filter(|(implementation, _)| !implementation.is_noop());
    Panel {
        title: format!("{} {}", found.workload.name, found.workload.what),
        unit: "ns above a layer that does nothing",
        bars: compared
            .map(|(implementation, time)| Bar {
                name: implementation.name,
                value: time.median,
            })
            .collect(),
    }
}

fn of_engine(found: &Measured, does: &str) -> Panel {
    let is_one = |row: &&Row| row.does == does && row.name != "noop";
    let bar = |row: &Row| Bar {
        name: row.name,
        value: row.rate,
    };
    Panel {
        title: format!("{}: {does}", found.engine),
        unit: "requests a second",
        bars: found.rows.iter().filter(is_one).map(bar).collect(),
    }
}

fn draw_panel(panel: &Panel, left: f64, top: f64) -> String {
    let most = panel.bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
    let mut drawn = format!(
        "<text class=\"head\" x=\"{left}\" y=\"{}\">{}</text>\n<text class=\"note\" x=\"{left}\" y=\"{}\">{}</text>\n",
        top + 16.0,
        escaped(&panel.title),
        top + 33.0,
        panel.unit
    );
    for (number, bar) in panel.bars.iter().enumerate() {
        let y = top + HEAD + number as f64 * STEP;
        draw_bar(&mut drawn, bar, most, left, y);
    }
    drawn
}

fn draw_bar(drawn: &mut String, bar: &Bar, most: f64, left: f64, y: f64) {
    let (start, length) = (left + NAMES, (bar.value.max(0.0) / most * LONGEST).max(1.0));
    let class = if bar.name == "tenure" {
        "ours"
    } else {
        "other"
    };
    let (text, end) = (y + 12.5, start + length + 6.0);
    writeln!(
        drawn,
        "<text class=\"name\" x=\"{left}\" y=\"{text}\">{}</text><rect class=\"{class}\" x=\"{start}\" y=\"{y}\" \
         width=\"{length:.1}\" height=\"16\" rx=\"2\"/><text class=\"name\" x=\"{end:.1}\" y=\"{text}\">{}</text>",
        escaped(bar.name),
        grouped(bar.value)
    )
    .expect("a text grows");
}

fn height(panel: &Panel) -> f64 {
    HEAD + panel.bars.len() as f64 * STEP + 24.0
}

/// Says the same for those who do not see it.
fn words(panels: &[Panel]) -> String {
    let bar = |bar: &Bar| format!("{} {}", bar.name, grouped(bar.value));
    let panel = |panel: &Panel| {
        let bars: Vec<_> = panel.bars.iter().map(bar).collect();
        format!("{}, {}: {}.", panel.title, panel.unit, bars.join("; "))
    };
    escaped(&panels.iter().map(panel).collect::<Vec<_>>().join(" "))
}

/// Writes a whole number with commas: `12,345`.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 {
        format!("−{text}")
    } else {
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const KINDS: [&str; 2] = ["read", "write"];

const TITLE: &str = "What sessions cost";
const HOW: &str =
    "Medians; each panel has a scale of its own. In process shorter is better, on engines longer.";

const MARGIN: f64 = 24.0;
const TOP: f64 = 80.0;
const COLUMN: f64 = 560.0;
const NAMES: f64 = 235.0;
const LONGEST: f64 = 230.0;
const HEAD: f64 = 44.0;
const STEP: f64 = 21.0;

/// Dark where the reader's system is.
const STYLE: &str = "\
text{font-family:system-ui,sans-serif;fill:#1f2328}\
.title{font-size:22px;font-weight:600}.head{font-size:15px;font-weight:600}.name{font-size:13px}\
.note{font-size:12.5px;fill:#59636e}.ground{fill:#fff}.ours{fill:#0969da}.other{fill:#a7b0ba}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9aa4af}.ground{fill:#0d1117}.ours{fill:#4493f8}.other{fill:#59636e}}";
