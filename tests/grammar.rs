//! Promise: the macro grammar. Every syntax compiles and logs what it says; arguments are
//! evaluated once, in order, and not at all when the level is disabled; `?`, `return`, `break` and
//! `.await` work inside them.

// No common directory: these are parts of this test alone.
#[path = "grammar/harness.rs"]
mod harness;
#[path = "grammar/hundred_fields.rs"]
mod hundred_fields;

use std::cell::RefCell;
use std::error::Error;
use std::sync::Mutex;

use fastlog::{Level, critical, debug, display, error, fastlog, info, trace, warn};
use harness::{disabled, enabled, logger};
use serde_json::{Value, json};

struct User {
    name: &'static str,
    r#type: u32,
}

const USER: User = User { name: "ann", r#type: 7 };
const MESSAGE: &str = "order {order_id}";

/// The line without what differs from run to run.
fn stable(line: &Value) -> Value {
    let mut line = line.clone();
    let object = line.as_object_mut().expect("an object");
    for key in ["timestamp", "line", "file", "thread"] {
        object.remove(key);
    }
    line
}

/// One call, one line: `call => {level, message, fields}`; the target is this module's path.
macro_rules! logs {
    ($($call:expr => $expected:tt;)+) => {$(
        let lines = enabled(|| $call);
        assert_eq!(lines.len(), 1, "{}", stringify!($call));
        let mut expected = json!($expected);
        let object = expected.as_object_mut().expect("an object");
        object.entry("target").or_insert(json!(module_path!()));
        object.entry("level").or_insert(json!("INFO"));
        assert_eq!(stable(&lines[0]), expected, "{}", stringify!($call));
    )+};
}

#[test]
fn levels() {
    logs! {
        fastlog!(TRACE, "m") => {"level": "TRACE", "message": "m"};
        fastlog!(DEBUG, "m") => {"level": "DEBUG", "message": "m"};
        fastlog!(INFO, "m") => {"level": "INFO", "message": "m"};
        fastlog!(WARN, "m") => {"level": "WARN", "message": "m"};
        fastlog!(WARNING, "m") => {"level": "WARN", "message": "m"};
        fastlog!(ERROR, "m") => {"level": "ERROR", "message": "m"};
        fastlog!(CRITICAL, "m") => {"level": "CRITICAL", "message": "m"};
        fastlog!(FATAL, "m") => {"level": "CRITICAL", "message": "m"};
        trace!("m") => {"level": "TRACE", "message": "m"};
        debug!("m") => {"level": "DEBUG", "message": "m"};
        info!("m") => {"level": "INFO", "message": "m"};
        warn!("m") => {"level": "WARN", "message": "m"};
        error!("m") => {"level": "ERROR", "message": "m"};
        critical!("m",) => {"level": "CRITICAL", "message": "m"};
    }
    for level in Level::ALL {
        let lines = enabled(|| fastlog!(level: level, "m", a = 1));
        assert_eq!(lines[0]["level"], level.as_str());
    }
}

#[test]
fn options() {
    let (l, lvl, rows) = (logger(), Level::WARN, 3);
    logs! {
        fastlog!(INFO, target: "db", "m", rows = 3) => {"target": "db", "message": "m", "rows": 3};
        fastlog!(target: "db", INFO, "m", rows) => {"target": "db", "message": "m", "rows": 3};
        fastlog!(logger: l, INFO, "m") => {"message": "m"};
        fastlog!(INFO, logger: &l, "m") => {"message": "m"};
        fastlog!(logger: l.clone(), target: concat!("a", "::b"), INFO, "m", rows,)
            => {"target": "a::b", "message": "m", "rows": 3};
        fastlog!(level: lvl, "m {}", rows) => {"level": "WARN", "message": "m 3", "rows": 3};
        fastlog!(target: "x", level: lvl, logger: &l, "m")
            => {"level": "WARN", "target": "x", "message": "m"};
        fastlog!(logger: l, level: Level::ERROR, target: "x", "m", rows)
            => {"level": "ERROR", "target": "x", "message": "m", "rows": 3};
        info!(logger: l, target: "x", "m",) => {"target": "x", "message": "m"};
        error!(target: "x", "m", rows)
            => {"level": "ERROR", "target": "x", "message": "m", "rows": 3};
    }
}

#[test]
fn fields() {
    let (user_id, v, e, u) = (42, [1, 2], "broken", &USER);
    let maybe: Option<i32> = None;
    let r#type = 1;
    logs! {
        fastlog!(INFO, "trailing comma",) => {"message": "trailing comma"};
        fastlog!(INFO, "m", user_id) => {"message": "m", "user_id": 42};
        fastlog!(INFO, "m", user_id = u.r#type + 1,) => {"message": "m", "user_id": 8};
        fastlog!(INFO, "m", user_id, ?v, %e, u.name,)
            => {"message": "m", "user_id": 42, "v": "[1, 2]", "e": "broken", "u.name": "ann"};
        fastlog!(INFO, "m", ?u.name, list = ?v, error = %e)
            => {"message": "m", "u.name": "\"ann\"", "list": "[1, 2]", "error": "broken"};
        fastlog!(INFO, "m", %u.name) => {"message": "m", "u.name": "ann"};
        fastlog!(INFO, "m", "http.status" = 200, http.method = "GET", opt = maybe)
            => {"message": "m", "http.status": 200, "http.method": "GET", "opt": null};
        fastlog!(INFO, "m", "a" = ?e, "b" = %e, "c d" = e, x.y = ?e, x.z = %e)
            => {"message": "m", "a": "\"broken\"", "b": "broken", "c d": "broken",
                "x.y": "\"broken\"", "x.z": "broken"};
        fastlog!(INFO, "m", error = display(&e), list = debug(&v))
            => {"message": "m", "error": "broken", "list": "[1, 2]"};
        fastlog!(INFO, "m {type}", r#type) => {"message": "m 1", "type": 1};
        fastlog!(INFO, "m", r#type = 2, u.r#type) => {"message": "m", "type": 2, "u.type": 7};
        fastlog!(INFO, "m", ?r#type, r#fn.r#in = 3) => {"message": "m", "type": "1", "fn.in": 3};
        fastlog!(INFO, "m", a = if user_id > 1 { "many" } else { "one" }, b = { 1 + 1 })
            => {"message": "m", "a": "many", "b": 2};
        fastlog!(INFO, "m", a = user_id == 42, b = Some(5).map(|x| x * 2), c = -1)
            => {"message": "m", "a": true, "b": 10, "c": -1};
    }
}

#[test]
fn messages() {
    let (order_id, http) = (7, 200);
    logs! {
        fastlog!(INFO, MESSAGE, order_id) => {"message": "order 7", "order_id": 7};
        fastlog!(INFO, concat!("order {", "}"), order_id) => {"message": "order 7", "order_id": 7};
        fastlog!(INFO, "{http}/{order_id}/{http}", order_id, http)
            => {"message": "200/7/200", "order_id": 7, "http": 200};
        fastlog!(INFO, "{} and {}", order_id, http, rest = 1)
            => {"message": "7 and 200", "order_id": 7, "http": 200, "rest": 1};
        fastlog!(INFO, "{{{}}} }}{{", order_id) => {"message": "{7} }{", "order_id": 7};
        fastlog!(INFO, "{http.status}", "http.status" = 200)
            => {"message": "200", "http.status": 200};
        fastlog!(INFO, "{u.name}", u.name = "ann") => {"message": "ann", "u.name": "ann"};
    }
}

/// Notes what is evaluated, in which order.
#[derive(Default)]
struct Trail(RefCell<Vec<u32>>);

impl Trail {
    fn step(&self, step: u32) -> u32 {
        self.0.borrow_mut().push(step);
        step
    }

    fn calls(&self) {
        fastlog!(
            INFO,
            "{b} {a}",
            a = self.step(1),
            b = ?self.step(2),
            c = %self.step(3),
            "d" = self.step(4),
            e.f = self.step(5)
        );
        fastlog!(level: Level::WARN, "{}", a = self.step(6), b = self.step(7));
        fastlog!(logger: logger(), INFO, "", a = self.step(8), b = self.step(9));
        fastlog!(logger: logger(), level: Level::WARN, "", a = self.step(10), b = self.step(11));
        info!("", a = self.step(12));
    }
}

#[test]
fn arguments_are_evaluated_once_and_in_order() {
    let trail = Trail::default();
    assert_eq!(enabled(|| trail.calls()).len(), 5);
    assert_eq!(trail.0.take(), (1..=12).collect::<Vec<u32>>());
}

#[test]
fn a_disabled_call_evaluates_no_argument() {
    let trail = Trail::default();
    disabled(|| trail.calls());
    assert!(trail.0.take().is_empty());
}

#[test]
fn options_are_evaluated_once() {
    let trail = Trail::default();
    let level = || Level::ALL[trail.step(1) as usize];
    let l = || {
        trail.step(2);
        logger()
    };
    let calls = || fastlog!(level: level(), logger: l(), "", a = trail.step(3));
    enabled(calls);
    assert_eq!(trail.0.take(), [1, 2, 3]);
    disabled(calls);
    assert_eq!(trail.0.take(), [1, 2], "the level and the logger decide, the field is not needed");
}

#[test]
fn control_flow_leaves_through_an_argument() {
    fn question_mark(text: &str) -> Result<(), Box<dyn Error>> {
        fastlog!(INFO, "parsed {number}", number = text.parse::<i32>()?);
        fastlog!(level: Level::INFO, "again", number = ?text.parse::<i32>()?);
        Ok(())
    }
    fn early_return(value: Option<i32>) -> i32 {
        fastlog!(
            INFO,
            "",
            value = match value {
                Some(value) => value,
                None => return -1,
            }
        );
        1
    }
    fn break_and_continue() -> u32 {
        let mut rounds = 0;
        'outer: loop {
            for i in 0..3 {
                rounds += 1;
                fastlog!(
                    INFO,
                    "",
                    i = if i == 0 { continue } else { i },
                    j = if i == 2 { break 'outer } else { i }
                );
            }
        }
        rounds
    }
    assert_eq!(enabled(|| question_mark("5").expect("a number")).len(), 2);
    assert_eq!(enabled(|| assert!(question_mark("five").is_err())).len(), 0);
    assert_eq!(enabled(|| assert_eq!(early_return(Some(5)), 1)).len(), 1);
    assert_eq!(enabled(|| assert_eq!(early_return(None), -1)).len(), 0);
    assert_eq!(enabled(|| assert_eq!(break_and_continue(), 3)).len(), 1);
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn awaits_in_arguments_leave_the_future_send() {
    async fn number(n: i32) -> i32 {
        tokio::task::yield_now().await;
        n
    }
    async fn calls() -> Result<(), std::num::ParseIntError> {
        let text = String::from("5");
        fastlog!(INFO, "{a} {b}", a = number(1).await, b = %number(2).await, c = ?text);
        fastlog!(level: Level::WARN, "", a = number(3).await, b = number(text.parse()?).await);
        fastlog!(logger: logger(), INFO, "", a = number(4).await, b = number(5).await);
        Ok(())
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let lines = enabled(|| runtime.block_on(is_send(calls())).expect("a number"));
    let values: Vec<_> = lines.iter().map(|line| (&line["a"], &line["b"])).collect();
    assert_eq!(values, [(&json!(1), &json!("2")), (&json!(3), &json!(5)), (&json!(4), &json!(5))]);
}

#[test]
fn fields_are_borrowed() {
    let name = String::from("ann");
    let shared = Mutex::new(5);
    let lines = enabled(|| {
        fastlog!(INFO, "", name, shown = %name, guarded = *shared.lock().expect("free"));
        fastlog!(INFO, "", temporary = format!("{name}!").as_str(), list = ?vec![&name]);
        fastlog!(INFO, "", guard = ?shared.lock().expect("the call before gave it back"));
        drop(shared.lock().expect("so did this one"));
    });
    assert_eq!(lines[0]["guarded"], 5);
    assert_eq!(lines[1]["temporary"], "ann!");
    assert_eq!(name, "ann");
}

#[test]
fn calls_stand_anywhere() {
    trait Log {
        const NAME: &'static str;
        fn log(&self) {
            fastlog!(INFO, "from {name}", name = Self::NAME);
        }
    }
    impl Log for User {
        const NAME: &'static str = "user";
    }
    fn generic<T: fastlog::Value + ?Sized, const N: usize>(value: &T) {
        fastlog!(INFO, "", value, n = N);
    }
    struct Dropped;
    impl Drop for Dropped {
        fn drop(&mut self) {
            fastlog!(INFO, "dropped");
        }
    }
    macro_rules! wrapped {
        ($level:ident, $($rest:tt)*) => { fastlog!($level, target: "wrapped", $($rest)*) };
    }
    let closure = |a: i32| fastlog!(INFO, "closure", a);
    let lines = enabled(|| {
        USER.log();
        generic::<str, 3>("text");
        generic::<i32, 4>(&5);
        drop(Dropped);
        closure(1);
        wrapped!(WARN, "nested {a}", a = 1);
        match USER.r#type {
            7 => fastlog!(INFO, "arm"),
            _ => unreachable!(),
        }
        let () = fastlog!(
            INFO,
            "an expression",
            nested = {
                fastlog!(INFO, "first");
                1
            }
        );
        if true {
            fastlog!(INFO, "a tail")
        }
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
    let expected = ["from user", "", "", "dropped", "closure", "nested 1", "arm", "first"];
    assert_eq!(messages[..8], expected.map(Some));
    assert_eq!(messages[8..], [Some("an expression"), Some("a tail")]);
    assert_eq!(lines[5]["target"], "wrapped");
    assert_eq!((&lines[1]["n"], &lines[2]["n"]), (&json!(3), &json!(4)));
}
