//! Other crates under the names `core` and `std`, even to absolute paths.
#![no_implicit_prelude]
extern crate fastlog as core;
extern crate fastlog as std;

fn main() {
    let a = 1;
    ::fastlog::fastlog!(INFO, "message {a}", a, b = ?a, c.d = %a);
    ::fastlog::fastlog!(level: ::fastlog::Level::INFO, "message", a);
}
