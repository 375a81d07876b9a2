//! What Ctrl-C and a request to end mean. For a pipe, Ctrl-C goes to the program that writes to it
//! as well: its last lines are still to come, and with them the end of the input.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use fastlog::Engine;
use fastlog::cli_support::is_ignored;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::say;

/// How long the end may take that a signal asked for.
pub const END_MAX: Duration = Duration::from_secs(10);
/// What is added where the input's last lines do not get into a full ring.
const LAST_DRAIN_MAX: Duration = Duration::from_secs(1);

/// What tells the reader of the input that a signal has asked for the end.
pub struct Stop {
    /// To be read once it has.
    pub stream: UnixStream,
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// The signal that has asked.
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

/// The first Ctrl-C is left to the program before the pipe; a second, and what else asks for the
/// end, such as a terminal that is closed, ends the input there, with all lines in the log that
/// were read. One more ends at once. Signals that whoever started this lets it ignore stay ignored.
///
/// # Errors
/// The system's.
pub fn handle(engine: Engine) -> io::Result<Stop> {
    let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
    let mut signals = Signals::new(wanted.into_iter().filter(|signal| !is_ignored(*signal)))?;
    let (stream, mut stop) = UnixStream::pair()?;
    let asked = Arc::new(AtomicI32::new(0));
    let told = Arc::clone(&asked);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut interrupts = 0;
        for signal in signals.forever() {
            interrupts += u32::from(signal == SIGINT);
            if signal == SIGINT && interrupts == 1 {
                say!("waiting for the end of the input; once more to end now");
                continue;
            }
            if told.swap(signal, Ordering::Relaxed) != 0 {
                process::exit(128 + signal);
            }
            // It is read until this program ends.
            let _ = stop.write_all(b"!");
            let engine = engine.clone();
            thread::spawn(move || end_late(&engine, signal));
        }
    })?;
    Ok(Stop { stream, signal: asked })
}

/// Ends the program if it has not ended by itself: where the disk takes nothing, whoever reads the
/// input waits for room.
fn end_late(engine: &Engine, signal: i32) {
    thread::sleep(END_MAX);
    if let Err(error) = engine.drain_timeout(LAST_DRAIN_MAX) {
        say!("{error}");
    }
    process::exit(128 + signal);
}

/// Ctrl-C ends the program, also while its output stands still, with the code for that.
pub fn end_on_interrupt(last_words: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            last_words();
            process::exit(128 + signal);
        }
    })?;
    Ok(())
}
