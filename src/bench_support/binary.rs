//! Binary logs for the benches and the fuzz target: written to memory, and read from bytes that may
//! be anything.

use super::{MESSAGE_MAX, THREAD, site};
use crate::clock::Piece;
use crate::envelope::site::Site;
use crate::format::binary::lines::Lines;
use crate::format::binary::write::{Origin, Parts, Writer};
use crate::format::{Details, LineBuffer};

/// As the collector has it.
const LINE_MAX: usize = 512 * 1024;

/// Writes the records of one callsite.
pub struct BinaryLog {
    writer: Writer,
    site: Site<'static>,
}

impl BinaryLog {
    /// Nothing yet of the callsite's records.
    pub fn new(template: &'static str, names: &'static [&'static str]) -> BinaryLog {
        let origin =
            Origin { details: Details::default(), message_max: MESSAGE_MAX, pid: 1, engine: 1 };
        let piece = Piece { base_ticks: 0, base_utc_ns: 0, mult: 1 << 47, shift: 48 };
        let mut writer = Writer::new(origin, [piece; 2]);
        writer.begin(1);
        BinaryLog { writer, site: site(template, names) }
    }

    /// Writes an envelope to `out` and says how long that is; 0 if there is no room: then the next
    /// begins a segment.
    #[inline]
    pub fn put(&mut self, envelope: &[u8], out: &mut [u8]) -> usize {
        let site = (self.site.id as usize, || Some(self.site.to_bytes()));
        let Ok(parts) = Parts::of(envelope) else { return 0 };
        self.writer.put(out, &parts, site, THREAD).unwrap_or(0)
    }
}

/// Hands each line of a binary log to `line`, and what cannot be read with its offset to `damage`.
pub fn binary_lines(
    bytes: &[u8],
    mut line: impl FnMut(&[u8]),
    mut damage: impl FnMut(u64, String),
) {
    let mut lines = Lines::new(bytes);
    let mut memory = vec![0; LINE_MAX];
    loop {
        let mut out = LineBuffer::new(&mut memory);
        match lines.next(&mut out) {
            Some(Ok(())) => {
                let len = out.len();
                line(&memory[..len]);
            }
            Some(Err(error)) => damage(error.offset, error.damage.to_string()),
            None => return,
        }
    }
}
