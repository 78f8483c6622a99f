//! Bars of long jobs.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Width of the bar itself.
const WIDTH: usize = 30;
/// How often it is drawn at most.
const PAUSE: Duration = Duration::from_millis(100);
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// A line on stderr that says how far a job is: what, a bar, the count, a message, the time that is left. It is wiped when it
/// is dropped; where stderr is no terminal it is never drawn.
pub struct Bar {
    state: Option<Mutex<State>>,
}

struct State {
    what: String,
    message: String,
    position: u64,
    length: u64,
    begun: Instant,
    drawn: Option<Instant>,
    /// Characters on the screen.
    shown: usize,
}

/// A bar of `total` data.
pub fn bar(what: &str, total: usize) -> Bar {
    Bar::new(what, total as u64)
}

impl Bar {
    /// A bar of `length` steps; 0 if their number is not known yet.
    pub fn new(what: &str, length: u64) -> Bar {
        if !io::stderr().is_terminal() {
            return Bar::hidden();
        }
        let (what, message) = (what.to_owned(), String::new());
        let state =
            State { what, message, position: 0, length, begun: Instant::now(), drawn: None, shown: 0 };
        Bar { state: Some(state.into()) }
    }

    /// A bar that is never drawn.
    pub fn hidden() -> Bar {
        Bar { state: None }
    }

    pub fn set_length(&self, length: u64) {
        self.change(|state| state.length = length);
    }

    pub fn set_position(&self, position: u64) {
        self.change(|state| state.position = position);
    }

    pub fn inc(&self, more: u64) {
        self.change(|state| state.position += more);
    }

    /// What is said behind the count.
    pub fn set_message(&self, message: impl Into<String>) {
        self.change(|state| state.message = message.into());
    }

    /// What is said now, however short ago it was drawn.
    pub fn say(&self, message: &str) {
        self.change(|state| (state.message, state.drawn) = (message.to_owned(), None));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let Some(Ok(mut state)) = self.state.as_ref().map(Mutex::lock) else { return };
        change(&mut state);
        if state.length > 0 && state.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
            state.draw();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(Ok(mut state)) = self.state.as_ref().map(Mutex::lock) {
            state.show("");
        }
    }
}

impl State {
    fn draw(&mut self) {
        let columns =
            terminal_size::terminal_size_of(io::stderr()).map_or(COLUMNS, |(width, _)| width.0.into());
        // In the last column, some terminals begin a new line.
        let line: String = self.line(self.begun.elapsed()).chars().take(columns.saturating_sub(1)).collect();
        self.show(&line);
        self.drawn = Some(Instant::now());
    }

    /// Puts a line in the place of the last one. There is nobody to tell when it fails.
    fn show(&mut self, line: &str) {
        let (length, shown) = (line.chars().count(), self.shown);
        let mut out = io::stderr().lock();
        let _ = match (length, shown) {
            (0, 0) => Ok(()),
            (0, _) => write!(out, "\r{:shown$}\r", ""),
            _ => write!(out, "\r{line:shown$}"),
        };
        let _ = out.flush();
        self.shown = length;
    }

    fn line(&self, elapsed: Duration) -> String {
        let State { what, message, position, length, .. } = self;
        let done = (*position).min(*length) as f64 / (*length).max(1) as f64;
        let full = (done * WIDTH as f64) as usize;
        let bar: String = (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
        let mut line = format!("{what} {bar} {position}/{length}");
        if !message.is_empty() {
            line = format!("{line} {message}");
        }
        if *position > 0 {
            let left = elapsed.as_secs_f64() * (1.0 - done) / done;
            line = format!("{line} ETA {}", clock(left.round() as u64));
        }
        line
    }
}

/// Seconds as 5s, 3m05s, 2h07m.
fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_long() {
        let (what, message) = ("epoch 1".to_owned(), "ELBO -120.00".to_owned());
        let mut state =
            State { what, message, position: 30, length: 120, begun: Instant::now(), drawn: None, shown: 0 };
        let line = state.line(Duration::from_secs(10));
        assert!(line.starts_with("epoch 1 ███████░"), "{line}");
        assert!(line.ends_with("░ 30/120 ELBO -120.00 ETA 30s"), "{line}");
        state.position = 0;
        assert!(state.line(Duration::ZERO).ends_with("0/120 ELBO -120.00"));
        // More than was foretold.
        state.position = 500;
        assert!(state.line(Duration::from_secs(10)).ends_with("500/120 ELBO -120.00 ETA 0s"));
        assert_eq!([0, 59, 185, 7630].map(clock), ["0s", "59s", "3m05s", "2h07m"]);
    }
}
