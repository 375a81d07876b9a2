//! The sentences that misused calls end in: syntax only, in the compiler. What can only be seen in
//! the message's text is refused by `template::enforce`.

/// Misuse in the place of a field.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_field {
    // fastlog!(INFO, "message", target: "db")
    ($k:ident : $($r:tt)*) => {
        $crate::__misuse!(
            "`", $crate::__private::stringify!($k), ":` after the message: options stand before \
            it, a field is written `", $crate::__private::stringify!($k), " = value`"
        )
    };
    // fastlog!(INFO, "message", a = 1 b = 2)
    ($($k:ident).+ = $($r:tt)*) => {
        $crate::__misuse!(
            "a `,` is missing after the value of `", $crate::__private::stringify!($($k).+), "`"
        )
    };
    // fastlog!(INFO, "message", "http.status" = 200 b = 2)
    ($k:literal = $($r:tt)*) => {
        $crate::__misuse!(
            "a `,` is missing after the value of `", $crate::__private::stringify!($k), "`"
        )
    };
    // fastlog!(INFO, "message", ?self.list())
    (? $v:expr $(, $($r:tt)*)?) => {
        $crate::__misuse!(
            "a value needs a name: write `name = ?", $crate::__private::stringify!($v), "`"
        )
    };
    // fastlog!(INFO, "message", %self.cause())
    (% $v:expr $(, $($r:tt)*)?) => {
        $crate::__misuse!(
            "a value needs a name: write `name = %", $crate::__private::stringify!($v), "`"
        )
    };
    // fastlog!(INFO, "message", 1 + 2)
    ($v:expr $(, $($r:tt)*)?) => {
        $crate::__misuse!(
            "a value needs a name: write `name = ", $crate::__private::stringify!($v), "`"
        )
    };
    // fastlog!(INFO, "message", =)
    ($($r:tt)*) => {
        $crate::__misuse!(
            "`", $crate::__private::stringify!($($r)*), "` is no field: write `name = value`, \
            `name`, `?name` or `%name`, with a `,` between fields"
        )
    };
}

/// A call without a message.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_message {
    // fastlog!(INFO)
    () => {
        $crate::__misuse!(
            "the message is missing: write `fastlog!(INFO, \"message\", name = value)`"
        )
    };
}

/// The sentence that a misused call ends in.
#[doc(hidden)]
#[macro_export]
macro_rules! __misuse {
    // __misuse!("the message is missing")
    ($($part:expr),+) => {
        $crate::__private::compile_error!($crate::__private::concat!("fastlog: ", $($part),+))
    };
}
