//! Calls from a crate of the 2021 edition, whose rules for temporaries, paths and the never type
//! differ from those of the macros' own.
#![deny(warnings)]

use fastlog::{fastlog, info, Level};

struct User {
    name: String,
    r#gen: u32,
}

fn gen() -> User {
    User { name: "ann".to_owned(), r#gen: 1 }
}

fn tail_expression() {
    let u = gen();
    fastlog!(INFO, "message {u.name}", u.name, ?u.r#gen, gen = %gen().name)
}

fn main() {
    let lvl = Level::INFO;
    let (a, v) = (1, [1, 2]);
    tail_expression();
    fastlog!(INFO, "message {a}", a, ?v, "http.status" = 200, s = %a,);
    fastlog!(level: lvl, target: "t", "message {}", a = a + 1);
    info!("message", a, b = format!("{a}").as_str());
}
