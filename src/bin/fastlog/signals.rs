//! What Ctrl-C and a request to end mean. For a pipe, Ctrl-C goes to the program that writes to it
//! as well: its last lines are still to come, and with them the end of the input.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use fastlog::Engine;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a drain may take that a signal asked for.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// The first Ctrl-C is left to the program before the pipe; a second, or SIGTERM, ends at once,
/// with all lines in the log that were read.
pub fn handle(engine: Engine) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut interrupts = 0;
        for signal in signals.forever() {
            interrupts += u32::from(signal == SIGINT);
            if signal == SIGINT && interrupts == 1 {
                eprintln!("fastlog: waiting for the end of the input; once more to end now");
                continue;
            }
            if let Err(error) = engine.drain_timeout(DRAIN_MAX) {
                eprintln!("fastlog: {error}");
            }
            process::exit(128 + signal);
        }
    })?;
    Ok(())
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
