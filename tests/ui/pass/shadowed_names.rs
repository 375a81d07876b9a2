//! The user's own names, as close to the expansion's as they get, change nothing.
#![allow(dead_code, unused_macros, non_camel_case_types, non_upper_case_globals)]

mod core {}
mod std {}
mod alloc {}
mod fastlog {}

struct Some;
struct None;
struct Ok;
struct Err;
struct Option;
struct Result;
struct Level;
struct Callsite;
struct Fields;
struct Value;
struct str;
struct u8;
struct usize;
struct bool;
const INFO: i32 = 1;
const WARN: i32 = 2;
const TRACE: i32 = 2;
const CALLSITE: i32 = 3;
const CALLSITES: i32 = 4;
const PARTS: i32 = 5;
const BYTES: i32 = 6;
const gate: i32 = 7;
const site: i32 = 8;
const fields: i32 = 9;
const template: i32 = 10;
const names: i32 = 11;
const level: i32 = 12;
const target: i32 = 13;
const logger: i32 = 14;

fn emit() {}
fn checked() {}
fn display() {}

macro_rules! stringify { ($($t:tt)*) => { compile_error!("the user's stringify") }; }
macro_rules! concat { ($($t:tt)*) => { compile_error!("the user's concat") }; }
macro_rules! file { ($($t:tt)*) => { compile_error!("the user's file") }; }
macro_rules! line { ($($t:tt)*) => { compile_error!("the user's line") }; }
macro_rules! module_path { ($($t:tt)*) => { compile_error!("the user's module_path") }; }

struct Request {
    method: i32,
}

fn main() {
    let http = Request { method: 3 };
    ::fastlog::fastlog!(INFO, "message {a}", a = INFO, b = CALLSITE, c = gate, d = PARTS);
    ::fastlog::fastlog!(WARN, "message", gate, site, fields, template, names, level, target);
    ::fastlog::fastlog!(INFO, "message", http.method, e = ?BYTES, f = %CALLSITES, logger);
    ::fastlog::fastlog!(level: ::fastlog::Level::INFO, "message", CALLSITES, level, target);
    ::fastlog::fastlog!(target: "t", TRACE, "message", TRACE, WARN);
}
