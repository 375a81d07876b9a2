//! From a record's envelope to its line. Runs on the collector, once per record: no I/O, and, once
//! a callsite has its [`Plan`], no allocation. Whatever bytes the values hold, a record is one
//! line.
//!
//! ```text
//! Site ──plan──> Plan ─┐
//! Envelope ────────────┼──line──> LineBuffer, which is a piece of a segment
//! UTC, thread ─────────┘
//! ```

pub(crate) mod binary;
pub(crate) mod credentials;
mod decimal;
pub(crate) mod digits;
mod escape;
mod fields;
mod json;
mod label;
mod line;
mod logfmt;
pub(crate) mod masking;
mod message;
pub(crate) mod number;
mod plan;
mod raw_json;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod timestamp;

use crate::envelope::decode::{Envelope, Malformed};
use crate::envelope::flag;
use crate::envelope::site::Site;

use escape::Set;
use fields::Fields;
pub(crate) use label::Label;
pub(crate) use line::LineBuffer;
pub(crate) use plan::Plan;
use timestamp::Timestamp;

/// How the lines of a log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object (RFC 8259) a line, for machines (broken in two here):
    ///
    /// ```text
    /// {"timestamp":"2026-11-20T21:33:00.123456789Z","level":"INFO","target":"app::db",
    /// "message":"user 42 signed in","user_id":42}
    /// ```
    ///
    /// The fields follow the standard keys in the order of the call. A field whose key is one of
    /// the line's own (`timestamp`, `level`, `target`, `message`, `thread`, `file`, `line`,
    /// `truncated`) is written as `fields.<key>`; a key never appears twice. NaN and infinities
    /// are `null`, a `Duration` is a number of seconds, bytes are hexadecimal. A `SystemTime` is a
    /// text as the timestamp is, with a sign and six digits or more for years that four do not
    /// name: `+010000-01-01T00:00:00.000000000Z`.
    #[default]
    Json,
    /// Pairs of keys and values, with the keys of [`Format::Json`] (broken in two here):
    ///
    /// ```text
    /// timestamp=2026-11-20T21:33:00.123456789Z level=INFO target=app::db
    /// message="user 42 signed in" user_id=42
    /// ```
    ///
    /// Values that need it stand between quotes, with the escapes of JSON. In a key, what would end
    /// it is written as in addresses, `a%20b`, and `%` as `%25`, so that different keys stay
    /// different; an empty key is `%`. A list is one quoted text, `"[1,2,ab]"`.
    Logfmt,
    /// Text for people, in UTC:
    ///
    /// ```text
    /// 21:33:00.123 INFO  app::db user 42 signed in  user_id=42 latency_ms=1.25
    /// ```
    ///
    /// Control characters and what reverses text are escaped, so that no value can touch the
    /// terminal. `…` stands where something was cut.
    Text,
    /// Raw values, some 40 bytes a record, and a dictionary of the calls in each segment: the
    /// least work, for logs that are kept and seldom read.
    ///
    /// `fastlog cat` prints its records as the lines that [`Format::Json`] would have written,
    /// byte for byte. `docs/format.md` has the format itself, for other readers. Files end in
    /// `.flog`, and a file holds whole segments. Needs [`Output::File`](crate::Output::File), or
    /// [`Output::Null`](crate::Output::Null) for measuring.
    Binary,
}

impl Format {
    const ALL: [Format; 4] = [Format::Json, Format::Text, Format::Logfmt, Format::Binary];

    /// As the arena has it.
    pub(crate) fn number(self) -> u64 {
        match self {
            Format::Json => 1,
            Format::Text => 2,
            Format::Logfmt => 3,
            Format::Binary => 4,
        }
    }

    /// The one with this number.
    pub(crate) fn from_number(number: u64) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.number() == number)
    }
}

/// What lines show beside the standard keys, in this order, before the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// The calling thread's name, or its number where it has none.
    Thread,
    /// The source file of the call.
    File,
    /// The line of the call in its source file.
    Line,
}

/// Whether text is coloured with ANSI escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Off,
    On,
}

/// Whether bytes that were read back are a whole line of this format, as far as that shows.
pub(crate) fn is_line(format: Format, bytes: &[u8]) -> bool {
    let Some(line) = bytes.strip_suffix(b"\n") else { return false };
    match format {
        Format::Json => raw_json::is_line(line),
        _ => !line.contains(&0) && std::str::from_utf8(line).is_ok(),
    }
}

/// The thread that made a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadLabel<'a> {
    pub(crate) id: u64,
    /// Meant as UTF-8 but not trusted to be.
    pub(crate) name: Option<&'a [u8]>,
}

impl ThreadLabel<'_> {
    /// Hands on the name, or else the number as text.
    fn with_text(&self, show: impl FnOnce(&[u8])) {
        match self.name {
            Some(name) => show(name),
            None => show(itoa::Buffer::new().format(self.id).as_bytes()),
        }
    }
}

/// Why there is no line. The buffer is left as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    /// It does not fit.
    Full,
    /// The envelope contradicts itself or its callsite, this many bytes from its start.
    Malformed { offset: usize },
}

impl From<Malformed> for LineError {
    fn from(malformed: Malformed) -> LineError {
        LineError::Malformed { offset: malformed.offset }
    }
}

/// Which [`Detail`]s are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    thread: bool,
    file: bool,
    line: bool,
}

impl Details {
    /// Those of a list.
    #[cfg(test)]
    pub(crate) fn of(details: &[Detail]) -> Details {
        let mut shown = Details::default();
        details.iter().for_each(|detail| shown.include(*detail));
        shown
    }

    /// Shows one more.
    pub(crate) fn include(&mut self, detail: Detail) {
        match detail {
            Detail::Thread => self.thread = true,
            Detail::File => self.file = true,
            Detail::Line => self.line = true,
        }
    }

    /// Those of [`bits`](Details::bits).
    pub(crate) fn from_bits(bits: u64) -> Option<Details> {
        let is_shown = |bit: u64| bits & bit != 0;
        let details = Details { thread: is_shown(1), file: is_shown(2), line: is_shown(4) };
        (details.bits() == bits).then_some(details)
    }

    /// 1 for the thread, 2 for the file, 4 for the line: as the arena keeps them.
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.thread) | u64::from(self.file) << 1 | u64::from(self.line) << 2
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug)]
struct Style {
    format: Format,
    colour: Colour,
    details: Details,
    /// Bytes of a rendered message, escapes included.
    message_max: usize,
}

impl Style {
    /// What is escaped in the message.
    fn set(&self) -> Set {
        match self.format {
            // What a binary log is printed as.
            Format::Json | Format::Binary => Set::Json,
            Format::Logfmt => Set::Quoted,
            Format::Text => Set::Terminal,
        }
    }
}

/// What a line shows that is neither the callsite's nor a field.
struct Head<'a> {
    now: &'a mut Timestamp,
    utc_ns: i64,
    /// Borrowed: to copy it at once would wait for its parts to be stored.
    thread: &'a ThreadLabel<'a>,
    truncated: bool,
}

/// Writes lines of one look. Holds what the next line can use of the last.
#[derive(Debug)]
pub(crate) struct Formatter {
    style: Style,
    /// The second of the last record.
    now: Timestamp,
    /// The second of the last time that was a value.
    times: Timestamp,
}

impl Formatter {
    /// `message_max` is the length at which a rendered message is cut, in bytes of the line.
    pub(crate) fn new(
        format: Format,
        colour: Colour,
        details: Details,
        message_max: usize,
    ) -> Formatter {
        let style = Style { format, colour, details, message_max };
        Formatter { style, now: Timestamp::new(), times: Timestamp::new() }
    }

    /// Forgets what it holds of the last line.
    pub(crate) fn forget(&mut self) {
        (self.now, self.times) = (Timestamp::new(), Timestamp::new());
    }

    /// Prepares for a callsite's records. Allocates; to be called once per callsite.
    pub(crate) fn plan(&self, site: &Site<'_>) -> Plan {
        Plan::new(site, &self.style)
    }

    /// Appends a record's line, its newline included, or nothing. `plan` must be one that this
    /// formatter made.
    ///
    /// # Errors
    ///
    /// [`LineError::Full`] when the line does not fit, [`LineError::Malformed`] when the envelope's
    /// bytes are none or the callsite has another number of fields.
    #[inline]
    pub(crate) fn line(
        &mut self,
        out: &mut LineBuffer<'_>,
        plan: &Plan,
        envelope: &Envelope<'_>,
        utc_ns: i64,
        thread: ThreadLabel<'_>,
    ) -> Result<(), LineError> {
        let mut fields = Fields::of(envelope);
        fields.find(plan)?;
        let start = out.len();
        let truncated = envelope.meta.flags & flag::TRUNCATED != 0;
        let mut head = Head { now: &mut self.now, utc_ns, thread: &thread, truncated };
        let (style, times) = (&self.style, &mut self.times);
        let written = match style.format {
            Format::Json | Format::Binary => {
                json::put_line(out, style, plan, &fields, &mut head, times)
            }
            Format::Logfmt => logfmt::put_line(out, style, plan, &fields, &mut head, times),
            Format::Text => text::put_line(out, style, plan, &fields, &mut head, times),
        };
        let is_full = out.is_full();
        if is_full || written.is_err() {
            out.truncate_to(start);
        }
        if is_full { Err(LineError::Full) } else { written.map_err(LineError::from) }
    }
}
