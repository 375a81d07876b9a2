//! Lines of JSON to a table on the standard output, the same in Markdown, and plots.

mod about;
mod chart;
mod figures;
mod plots;
mod summary;
mod table;

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::run::Run;

pub use about::About;

const FRAGMENT: &str = "compare.md";

/// Reports on the lines of `results`: the first is about the machine, each other is a run.
pub fn write(results: &Path, plots: &Path) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(results)?;
    let mut lines = text.lines();
    let about: About = serde_json::from_str(lines.next().ok_or("there are no results")?)?;
    let runs: Vec<Run> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    let rows = summary::rows(&runs);
    let table = table::table(&rows);
    println!("{table}");
    fs::create_dir_all(plots)?;
    fs::write(plots.join(FRAGMENT), table::fragment(&about, &rows))?;
    plots::draw(&rows, plots)
}
