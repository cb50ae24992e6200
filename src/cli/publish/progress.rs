//! How far a publish is: a bar on a terminal, a plain line at every tenth otherwise.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: Option<ProgressBar>,
    size: Option<u64>,
    tenths: u64,
}

impl Progress {
    /// `size` is that of the file, if it is known.
    pub fn of(size: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = "{bar:40} {percent}% {bytes}/{total_bytes} {msg}";
            match ProgressStyle::with_template(template) {
                Ok(style) if size.is_some() => bar.with_style(style),
                _ => bar,
            }
        });
        Self { bar, size, tenths: 0 }
    }

    pub fn at(&mut self, read: u64, records: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            bar.set_message(format!("{records} records"));
            return;
        }
        let Some(size) = self.size.filter(|size| *size > 0) else { return };
        let tenths = (10 * read.min(size)) / size;
        if tenths > self.tenths {
            self.tenths = tenths;
            eprintln!("{}% {records} records", 10 * tenths);
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
