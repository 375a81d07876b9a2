//! A type of your own as a field: `cargo run --release --example custom_value`.
//!
//! A value is encoded on the caller: as something that the engine knows, which costs nothing, or
//! rendered as text. Writes to `./logs` and prints the lines.

use std::fmt;
use std::fs;

use fastlog::value::{Rendered, Scratch};
use fastlog::{Config, Engine, Preset, Redacted, Value, info};

/// An amount of money; a number in the log.
struct Cents(i64);

impl Value for Cents {
    type Encoded<'a> = f64;

    fn encode<'a>(&'a self, _: &'a Scratch) -> f64 {
        self.0 as f64 / 100.0
    }
}

/// A position; a text in the log.
struct Position {
    latitude: f64,
    longitude: f64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4},{:.4}", self.latitude, self.longitude)
    }
}

impl Value for Position {
    type Encoded<'a> = Rendered<'a>;

    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Rendered<'a> {
        scratch.format(format_args!("{self}"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::preset(Preset::Production).name("custom_value");
    let engine = Engine::start(config)?;

    let price = Cents(1299);
    let place = Position { latitude: 48.2082, longitude: 16.3738 };
    info!("sold for {price:.2} at {place}", price, place);
    // Without a `Value` of its own, a type shows by `Display` or `Debug`; a secret, never.
    info!("again", place = %place, days = ?["Mon", "Tue"], card = Redacted("4111 1111"));

    let report = engine.drain()?;
    println!("{report}");
    let log = fs::read_to_string(report.log_path().ok_or("a file")?)?;
    log.lines().rev().take(2).collect::<Vec<_>>().iter().rev().for_each(|line| println!("{line}"));
    Ok(())
}
