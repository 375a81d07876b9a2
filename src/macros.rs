//! `fastlog!` and its relatives: syntax only. They expand on the caller's thread to a static
//! callsite, a gate, and one call; an argument is evaluated once, in order, and only if the gate
//! is open. Each arm only rearranges tokens; what they call stands in `macro_support` and
//! `template`.
//!
//! A call passes through four macros: `__head` (level and options, up to the message), `__fields`
//! (one field a step into a list of keys and a list of values), `__emit` (the code), `__list`
//! (the values as `(&a, (&b, ()))`). The state they hand on stands in brackets before the tokens
//! still to be read: `[levels] [targets] [loggers]`, then `[call] [keys] [values]`.
//!
//! Names that could meet a user's: items are not hygienic, so the static lives in a block that
//! sees no field; a binding could be taken for a user's constant of that name, hence the prefix.

mod misuse;

/// Logs one record: a level, a message, and named values.
///
/// ```
/// # struct User { id: u64, name: &'static str }
/// # let u = User { id: 42, name: "ann" };
/// # let (user_id, v, ms) = (u.id, [1, 2], 1.25);
/// # let e = std::fmt::Error;
/// use fastlog::{Level, fastlog};
///
/// fastlog!(INFO, "plain");
/// fastlog!(INFO, "user {user_id} took {ms:.1} ms", user_id, ms);       // holes by name
/// fastlog!(INFO, "user {} took {:.1} ms", id = u.id, ms = ms * 2.0);   // or by order
/// fastlog!(WARN, "fields", user_id, u.name, "http.status" = 200, http.method = "GET");
/// fastlog!(ERROR, "failed", ?v, %e, list = ?v, error = %e);            // by Debug, by Display
/// fastlog!(INFO, target: "db", "another target", rows = 3);
/// fastlog!(level: Level::DEBUG, "a level known only at run time");
/// ```
///
/// The level words are TRACE, DEBUG, INFO, WARN (or WARNING), ERROR, CRITICAL (or FATAL). The
/// options stand before the message, in any order: `target: expr` (a constant; by default the
/// module's path), `logger: expr` (a [`Logger`](crate::Logger)) and `level: expr` (a
/// [`Level`](crate::Level), in place of the word).
///
/// The message is any constant expression of type `&str`. Its holes `{name}` or `{}` are filled by
/// this record's own fields, never by local variables, and have the format specs of [`std::fmt`]
/// without `$`; `{{` and `}}` are braces. It is checked when the program is compiled. A text that
/// is known only at run time is the message, and no field besides, as `"{message}", message = s`.
///
/// A field is `name = value`, the short form `name` or `u.name` (key `u.name`), or `"any key" =
/// value`. A `?` or `%` before the short form or the value renders it by
/// [`Debug`](std::fmt::Debug) or [`Display`](std::fmt::Display); so do
/// [`debug(&v)`](crate::debug()) and [`display(&v)`](crate::display()). Values are borrowed. At
/// most 255 fields; a call of more than about 100 fields that are not all `name = value` needs a
/// higher `recursion_limit`.
///
/// When the level is disabled, no value is evaluated. `level:` and `logger:` are, since they
/// decide.
#[macro_export]
macro_rules! fastlog {
    // fastlog!(INFO, "message", name = value)
    ($($call:tt)*) => { $crate::__head!([] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::TRACE`](crate::Level::TRACE): `trace!("message", name = value)`.
#[macro_export]
macro_rules! trace {
    // trace!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Trace)] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::DEBUG`](crate::Level::DEBUG): `debug!("message", name = value)`.
#[macro_export]
macro_rules! debug {
    // debug!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Debug)] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::INFO`](crate::Level::INFO): `info!("message", name = value)`.
#[macro_export]
macro_rules! info {
    // info!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Info)] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::WARN`](crate::Level::WARN): `warn!("message", name = value)`.
#[macro_export]
macro_rules! warn {
    // warn!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Warn)] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::ERROR`](crate::Level::ERROR): `error!("message", name = value)`.
#[macro_export]
macro_rules! error {
    // error!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Error)] [] [] $($call)*) };
}

/// [`fastlog!`] at [`Level::CRITICAL`](crate::Level::CRITICAL):
/// `critical!("message", name = value)`.
#[macro_export]
macro_rules! critical {
    // critical!("message", name = value)
    ($($call:tt)*) => { $crate::__head!([(const $crate::Level::Critical)] [] [] $($call)*) };
}

/// Level and options, in any order, up to the message.
#[doc(hidden)]
#[macro_export]
macro_rules! __head {
    // Given twice:
    // fastlog!(INFO, WARN, "message")
    ([$a:tt $b:tt] $t:tt $g:tt $($r:tt)*) => {
        $crate::__misuse!("the level is given twice: keep one level word or one `level:`")
    };
    // fastlog!(target: "a", target: "b", INFO, "message")
    ($l:tt [$a:tt $b:tt] $g:tt $($r:tt)*) => {
        $crate::__misuse!("the option `target:` is given twice: keep one")
    };
    // fastlog!(logger: a, logger: b, INFO, "message")
    ($l:tt $t:tt [$a:tt $b:tt] $($r:tt)*) => {
        $crate::__misuse!("the option `logger:` is given twice: keep one")
    };

    // The level word:
    // fastlog!(TRACE, ..)
    ([$($l:tt)*] $t:tt $g:tt TRACE $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Trace)] $t $g $($($r)*)?)
    };
    // fastlog!(DEBUG, ..)
    ([$($l:tt)*] $t:tt $g:tt DEBUG $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Debug)] $t $g $($($r)*)?)
    };
    // fastlog!(INFO, ..)
    ([$($l:tt)*] $t:tt $g:tt INFO $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Info)] $t $g $($($r)*)?)
    };
    // fastlog!(WARN, ..)
    ([$($l:tt)*] $t:tt $g:tt WARN $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Warn)] $t $g $($($r)*)?)
    };
    // fastlog!(WARNING, ..)
    ([$($l:tt)*] $t:tt $g:tt WARNING $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Warn)] $t $g $($($r)*)?)
    };
    // fastlog!(ERROR, ..)
    ([$($l:tt)*] $t:tt $g:tt ERROR $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Error)] $t $g $($($r)*)?)
    };
    // fastlog!(CRITICAL, ..)
    ([$($l:tt)*] $t:tt $g:tt CRITICAL $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Critical)] $t $g $($($r)*)?)
    };
    // fastlog!(FATAL, ..)
    ([$($l:tt)*] $t:tt $g:tt FATAL $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (const $crate::Level::Critical)] $t $g $($($r)*)?)
    };

    // The options:
    // fastlog!(level: lvl, ..)
    ([$($l:tt)*] $t:tt $g:tt level: $e:expr $(, $($r:tt)*)?) => {
        $crate::__head!([$($l)* (dyn $e)] $t $g $($($r)*)?)
    };
    // fastlog!(target: "db", ..)
    ($l:tt [$($t:tt)*] $g:tt target: $e:expr $(, $($r:tt)*)?) => {
        $crate::__head!($l [$($t)* ($e)] $g $($($r)*)?)
    };
    // fastlog!(logger: l, ..)
    ($l:tt $t:tt [$($g:tt)*] logger: $e:expr $(, $($r:tt)*)?) => {
        $crate::__head!($l $t [$($g)* ($e)] $($($r)*)?)
    };
    // fastlog!(INFO, tgt: "db", "message")
    ($l:tt $t:tt $g:tt $option:ident : $($r:tt)*) => {
        $crate::__misuse!(
            "`", $crate::__private::stringify!($option),
            ":` is no option: the options are `target:`, `logger:` and `level:`"
        )
    };

    // No level:
    // fastlog!(INFOO, "message")
    ([] $t:tt $g:tt $word:ident $(, $($r:tt)*)?) => {
        $crate::__misuse!(
            "`", $crate::__private::stringify!($word), "` is no level word: use TRACE, DEBUG, \
            INFO, WARN, ERROR or CRITICAL, or `level: ", $crate::__private::stringify!($word),
            "` for a level known only at run time"
        )
    };
    // fastlog!("message")
    ([] $t:tt $g:tt $($r:tt)*) => {
        $crate::__misuse!(
            "a level is missing: write `fastlog!(INFO, \"message\", name = value)`, or `level: \
            lvl` in place of INFO for a level known only at run time"
        )
    };

    // No message:
    // fastlog!(INFO)
    ($l:tt $t:tt $g:tt) => { $crate::__no_message!() };
    // fastlog!(INFO, user_id = 1)
    ($l:tt $t:tt $g:tt $($k:ident).+ = $($r:tt)*) => { $crate::__no_message!() };
    // fastlog!(INFO, "http.status" = 200)
    ($l:tt $t:tt $g:tt $k:literal = $($r:tt)*) => { $crate::__no_message!() };
    // fastlog!(INFO, ?v)
    ($l:tt $t:tt $g:tt ? $($r:tt)*) => { $crate::__no_message!() };
    // fastlog!(INFO, %e)
    ($l:tt $t:tt $g:tt % $($r:tt)*) => { $crate::__no_message!() };

    // The message:
    // fastlog!(INFO, "message", name = value)
    ([$l:tt] [] $g:tt $m:expr $(, $($r:tt)*)?) => {
        $crate::__fields!([$l ($crate::__private::module_path!()) $g ($m)] [] [] $($($r)*)?)
    };
    // fastlog!(INFO, target: "db", "message", name = value)
    ([$l:tt] [$t:tt] $g:tt $m:expr $(, $($r:tt)*)?) => {
        $crate::__fields!([$l $t $g ($m)] [] [] $($($r)*)?)
    };
    // fastlog!(INFO, "message" name = value)
    ($l:tt $t:tt $g:tt $m:tt $($r:tt)*) => {
        $crate::__misuse!("a `,` is missing after `", $crate::__private::stringify!($m), "`")
    };
}

/// The fields, one a step, into `[keys] [values]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    // fastlog!(INFO, "message")
    ($c:tt [$($n:tt)*] [$($a:tt)*]) => { $crate::__emit!($c [$($n)*] [$($a)*]) };
    // name = value, other = value (all that are left, in one step)
    ($c:tt [$($n:tt)*] [$($a:tt)*] $($k:ident = $v:expr),+ $(,)?) => {
        $crate::__emit!($c [$($n)* $($crate::__key!($k),)+] [$($a)* $(&$v,)+])
    };
    // u.name = value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $($k:ident).+ = $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!($c [$($n)* $crate::__key!($($k).+),] [$($a)* &$v,] $($($r)*)?)
    };
    // name = ?value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $($k:ident).+ = ? $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!(
            $c [$($n)* $crate::__key!($($k).+),] [$($a)* &$crate::debug(&$v),] $($($r)*)?
        )
    };
    // name = %value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $($k:ident).+ = % $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!(
            $c [$($n)* $crate::__key!($($k).+),] [$($a)* &$crate::display(&$v),] $($($r)*)?
        )
    };
    // name, u.name
    ($c:tt [$($n:tt)*] [$($a:tt)*] $($k:ident).+ $(, $($r:tt)*)?) => {
        $crate::__fields!($c [$($n)* $crate::__key!($($k).+),] [$($a)* &$($k).+,] $($($r)*)?)
    };
    // ?name, ?u.name
    ($c:tt [$($n:tt)*] [$($a:tt)*] ? $($k:ident).+ $(, $($r:tt)*)?) => {
        $crate::__fields!(
            $c [$($n)* $crate::__key!($($k).+),] [$($a)* &$crate::debug(&$($k).+),] $($($r)*)?
        )
    };
    // %name, %u.name
    ($c:tt [$($n:tt)*] [$($a:tt)*] % $($k:ident).+ $(, $($r:tt)*)?) => {
        $crate::__fields!(
            $c [$($n)* $crate::__key!($($k).+),] [$($a)* &$crate::display(&$($k).+),] $($($r)*)?
        )
    };
    // "http.status" = value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $k:literal = $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!($c [$($n)* $k,] [$($a)* &$v,] $($($r)*)?)
    };
    // "http.status" = ?value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $k:literal = ? $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!($c [$($n)* $k,] [$($a)* &$crate::debug(&$v),] $($($r)*)?)
    };
    // "http.status" = %value
    ($c:tt [$($n:tt)*] [$($a:tt)*] $k:literal = % $v:expr $(, $($r:tt)*)?) => {
        $crate::__fields!($c [$($n)* $k,] [$($a)* &$crate::display(&$v),] $($($r)*)?)
    };
    // What else there is, is misuse.
    ($c:tt $n:tt $a:tt $($r:tt)*) => { $crate::__no_field!($($r)*) };
}

/// The code of a call: `[level target logger message] [keys] [values]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __emit {
    // fastlog!(INFO, "message", ..)
    ([(const $l:expr) $t:tt [] $m:tt] $n:tt [$($a:tt)*]) => {{
        if $crate::__private::statically_enabled($l) {
            let __fastlog_site = $crate::__site!(const $l, $t $m $n);
            let __fastlog_gate = $crate::__private::gate(__fastlog_site);
            if __fastlog_gate != 0 {
                $crate::__private::emit(
                    __fastlog_site, __fastlog_gate, $l, $crate::__list!($($a)*)
                );
            }
        }
    }};
    // fastlog!(level: lvl, "message", ..)
    ([(dyn $l:expr) $t:tt [] $m:tt] $n:tt [$($a:tt)*]) => {{
        let __fastlog_level: $crate::Level = $l;
        if $crate::__private::statically_enabled(__fastlog_level) {
            let __fastlog_site = $crate::__site!(dyn __fastlog_level, $t $m $n);
            let __fastlog_gate = $crate::__private::gate(__fastlog_site);
            if __fastlog_gate != 0 {
                $crate::__private::emit(
                    __fastlog_site, __fastlog_gate, __fastlog_level, $crate::__list!($($a)*)
                );
            }
        }
    }};
    // fastlog!(logger: l, INFO, "message", ..)
    ([(const $l:expr) $t:tt [($g:expr)] $m:tt] $n:tt [$($a:tt)*]) => {{
        if $crate::__private::statically_enabled($l) {
            match &$g {
                __fastlog_logger => {
                    let __fastlog_site = $crate::__site!(const $l, $t $m $n);
                    if $crate::__private::admit(__fastlog_logger, __fastlog_site) {
                        $crate::__private::emit_to(
                            __fastlog_logger, __fastlog_site, $crate::__list!($($a)*)
                        );
                    }
                }
            }
        }
    }};
    // fastlog!(logger: l, level: lvl, "message", ..)
    ([(dyn $l:expr) $t:tt [($g:expr)] $m:tt] $n:tt [$($a:tt)*]) => {{
        let __fastlog_level: $crate::Level = $l;
        if $crate::__private::statically_enabled(__fastlog_level) {
            match &$g {
                __fastlog_logger => {
                    let __fastlog_site = $crate::__site!(dyn __fastlog_level, $t $m $n);
                    if $crate::__private::admit(__fastlog_logger, __fastlog_site) {
                        $crate::__private::emit_to(
                            __fastlog_logger, __fastlog_site, $crate::__list!($($a)*)
                        );
                    }
                }
            }
        }
    }};
}

/// The callsite: `level, (target) (message) [keys]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    // fastlog!(INFO, "message", ..)
    (const $l:expr, ($t:expr) ($m:expr) [$($n:tt)*]) => {{
        static CALLSITE: $crate::__private::Callsite =
            match $crate::__private::checked($t, $m, &[$($n)*], $crate::__private::file!()) {
                __fastlog => $crate::__private::Callsite::new(
                    $l, __fastlog.target, __fastlog.template, __fastlog.names, __fastlog.file,
                    $crate::__private::line!(),
                ),
            };
        &CALLSITE
    }};
    // fastlog!(level: lvl, "message", ..)
    (dyn $l:expr, ($t:expr) ($m:expr) [$($n:tt)*]) => {{
        static CALLSITES: [$crate::__private::Callsite; $crate::Level::COUNT] =
            match $crate::__private::checked($t, $m, &[$($n)*], $crate::__private::file!()) {
                __fastlog => $crate::__private::Callsite::for_levels(
                    __fastlog.target, __fastlog.template, __fastlog.names, __fastlog.file,
                    $crate::__private::line!(),
                ),
            };
        &CALLSITES[$l as $crate::__private::usize]
    }};
}

/// A key, as text.
#[doc(hidden)]
#[macro_export]
macro_rules! __key {
    // user_id
    ($k:ident) => { $crate::__private::key($crate::__private::stringify!($k)) };
    // u.name
    ($($k:ident).+) => {{
        const PARTS: &[&$crate::__private::str] = &[$($crate::__private::stringify!($k)),+];
        const BYTES: [$crate::__private::u8; $crate::__private::joined_len(PARTS)] =
            $crate::__private::join(PARTS);
        $crate::__private::joined_str(&BYTES)
    }};
}

/// The values as one nested list; several a step, since 100 fields have to stay below the
/// recursion limit.
#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    // fastlog!(INFO, "message")
    () => { () };
    // fastlog!(INFO, "message", a = 1)
    ($a:expr,) => { ($a, ()) };
    // fastlog!(INFO, "message", a = 1, b = 2)
    ($a:expr, $b:expr,) => { ($a, ($b, ())) };
    // fastlog!(INFO, "message", a = 1, b = 2, c = 3)
    ($a:expr, $b:expr, $c:expr,) => { ($a, ($b, ($c, ()))) };
    // fastlog!(INFO, "message", a = 1, b = 2, c = 3, d = 4)
    ($a:expr, $b:expr, $c:expr, $d:expr,) => { ($a, ($b, ($c, ($d, ())))) };
    // fastlog!(INFO, "message", a = 1, b = 2, c = 3, d = 4, e = 5, ..)
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $($r:tt)*) => {
        ($a, ($b, ($c, ($d, ($e, $crate::__list!($($r)*))))))
    };
}
