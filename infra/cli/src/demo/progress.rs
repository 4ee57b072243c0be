//! What the demo shows while it works, and the table at its end.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Width of a step's name.
const NAME: usize = 28;

/// A step that is done.
struct Row {
    name: String,
    seconds: f64,
}

/// Steps: a spinner that moves on a terminal, plain lines elsewhere.
pub struct Progress {
    terminal: bool,
    bar: Option<ProgressBar>,
    started: Instant,
    rows: Vec<Row>,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Progress { terminal: std::io::stderr().is_terminal(), bar: None, started: Instant::now(), rows: Vec::new() }
    }

    /// A step begins.
    pub fn begin(&mut self, name: &str) {
        self.clear();
        self.started = Instant::now();
        if self.terminal {
            let bar = ProgressBar::new_spinner().with_message(format!("{name:NAME$}"));
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:>5}  {prefix:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            self.bar = Some(bar);
        } else {
            println!("… {name}");
        }
    }

    /// The bar of the step that runs: what happens within it is shown there.
    pub fn bar(&self) -> Option<ProgressBar> {
        self.bar.clone()
    }

    /// The step is done, and took as long as we saw.
    pub fn done(&mut self, name: &str, detail: &str) {
        self.took(name, self.started.elapsed().as_secs_f64(), detail);
    }

    /// The step is done, and took so long.
    pub fn took(&mut self, name: &str, seconds: f64, detail: &str) {
        self.clear();
        println!("✔ {name:NAME$} {seconds:7.2} s  {detail}");
        self.rows.push(Row { name: name.to_owned(), seconds });
    }

    /// Takes the spinner away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Everything again, as one table; and what the processes took.
    pub fn table(&self, processes: &[(String, String)]) -> String {
        let mut table = format!("\n{:NAME$} {:>9}\n{}\n", "step", "seconds", "-".repeat(NAME + 10));
        for Row { name, seconds } in &self.rows {
            table.push_str(&format!("{name:NAME$} {seconds:9.2}\n"));
        }
        let total: f64 = self.rows.iter().map(|row| row.seconds).sum();
        table.push_str(&format!("{:NAME$} {total:9.2}\n\n", "all"));
        for (name, took) in processes {
            table.push_str(&format!("{name:NAME$} {took}\n"));
        }
        table
    }
}
