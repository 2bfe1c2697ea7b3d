//! The table, on the terminal and in docs/benchmarks.md.
//!
//! Measures nothing. What stands above the mark in docs/benchmarks.md is written by hand and stays.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

const MARK: &str = "<!-- Written by `make bench` from here on. -->";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of the metric, like `M1`.
    pub metric: &'static str,
    /// What was measured.
    pub what: String,
    /// What it should be.
    pub goal: String,
    /// What it is.
    pub measured: String,
    /// Whether the goal is met; `None` for what is only reported.
    pub met: Option<bool>,
    /// What the naive controller needs.
    pub naive: String,
}

impl Row {
    /// A line that has no goal.
    pub fn report(metric: &'static str, what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (what, measured) = (what.into(), measured.into());
        Self { metric, what, goal: "-".to_owned(), measured, met: None, naive: String::new() }
    }

    /// A line whose figure is at most `goal`; `more` stands behind the figure.
    pub fn at_most(metric: &'static str, what: impl Into<String>, figure: f64, goal: f64, more: &str) -> Self {
        let measured = if more.is_empty() { format!("{figure:.2}") } else { format!("{figure:.2} ({more})") };
        let goal_text = format!("≤ {goal}");
        Self { goal: goal_text, met: Some(figure <= goal), ..Self::report(metric, what, measured) }
    }

    /// The same line with a figure of the naive controller.
    pub fn beside(self, naive: impl Into<String>) -> Self {
        Self { naive: naive.into(), ..self }
    }

    fn cells(&self) -> [String; 5] {
        let met = match self.met {
            Some(true) => "",
            Some(false) => " ✗",
            None => "",
        };
        let [metric, what] = [self.metric.to_owned(), self.what.clone()];
        [metric, what, self.goal.clone(), format!("{}{met}", self.measured), self.naive.clone()]
    }
}

const HEAD: [&str; 5] = ["", "what", "goal", "measured", "naive controller"];

/// The table as Markdown whose columns are aligned.
pub fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for (n, row) in cells.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if n == 0 {
            let line: String = widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).collect();
            let _ = writeln!(text, "{line}|");
        }
    }
    text
}

/// Writes the part of docs/benchmarks.md below the mark.
pub fn write(page: &Path, about: &str, rows: &[Row]) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
    let (head, _) = text.split_once(MARK).with_context(|| format!("{} has no line {MARK}", page.display()))?;
    std::fs::write(page, format!("{head}{MARK}\n\n{about}\n{}", table(rows)))?;
    Ok(())
}
