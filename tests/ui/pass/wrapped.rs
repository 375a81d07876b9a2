//! A user's macros around ours, in all positions.
use fastlog::{Level, fastlog};

macro_rules! audit {
    ($($call:tt)*) => { fastlog!(INFO, target: "audit", $($call)*) };
}

macro_rules! at {
    ($level:ident, $message:expr, $($key:ident = $value:expr),*) => {
        fastlog!($level, $message, $($key = $value),*)
    };
}

macro_rules! literal_key {
    ($message:literal, $key:literal, $value:expr) => { fastlog!(INFO, $message, $key = $value) };
}

macro_rules! dynamic {
    ($level:expr, $target:expr, $($field:tt)*) => {
        $crate::reexport::fastlog!(level: $level, target: $target, "wrapped", $($field)*)
    };
}

mod reexport {
    pub use fastlog::fastlog;
}

macro_rules! local_of_the_macro {
    ($value:ident) => {{
        let hidden = 1;
        fastlog!(INFO, "message {hidden} {value}", hidden, value = $value)
    }};
}

fn main() {
    let (value, hidden) = (1, 2);
    audit!("message {value}", value);
    audit!("message", ?value, a.b = %value,);
    at!(WARN, "message {a}", a = 1 + 2, b = value);
    literal_key!("message", "http.status", value);
    dynamic!(Level::INFO, "target", value);
    local_of_the_macro!(hidden);
}
