//! Writes recovered records as the dead engine would have: as lines, or as binary segments.

use std::collections::HashMap;
use std::io;

use crate::arena::layout::SEGMENT_BYTES;
use crate::arena::read::{Header, Sites};
use crate::clock::{Piece, utc_ns};
use crate::envelope::RECORD_BYTES_MAX;
use crate::envelope::decode::Envelope;
use crate::envelope::site::Site;
use crate::format::binary::write::{Origin, Parts, Writer};
use crate::format::masking::Masking;
use crate::format::{Colour, Details, Format, Formatter, LineBuffer, LineError, Plan, ThreadLabel};

/// In the binary writer's tables the engine's own record has the first place.
const OWN_KEY: usize = 0;

/// How the dead engine wrote.
pub(super) struct Pen<'d> {
    formatter: Formatter,
    /// Instead of lines, binary segments.
    binary: Option<Binary>,
    sites: &'d Sites,
    plans: HashMap<u32, Plan>,
    pieces: [Piece; 2],
    /// Where passwords in addresses are masked, and a record's copy in which that is done.
    masking: Option<Masking>,
    copy: Vec<u8>,
    /// What is written, and goes out when it is full.
    buffer: Vec<u8>,
    len: usize,
}

struct Binary {
    writer: Writer,
    /// The number of the segment that is written.
    segment: u64,
    /// Places in the writer's tables, by the callsites' ids.
    keys: HashMap<u32, usize>,
}

impl<'d> Pen<'d> {
    /// One for the arena with this header; the first binary segment has the number `segment`.
    pub(super) fn new(
        header: &Header,
        (sites, pieces, segment): (&'d Sites, [Piece; 2], u64),
    ) -> Pen<'d> {
        let format = Format::from_number(header.format).unwrap_or_default();
        let details = Details::from_bits(header.details).unwrap_or_default();
        let colour = if header.colour == 1 { Colour::On } else { Colour::Off };
        let message_max = header.message_max;
        let binary = (format == Format::Binary).then(|| {
            let pid = u32::try_from(header.pid).unwrap_or_default();
            let origin = Origin { details, message_max, pid, engine: header.id };
            let mut writer = Writer::new(origin, pieces);
            writer.begin(segment);
            Binary { writer, segment, keys: HashMap::new() }
        });
        Pen {
            formatter: Formatter::new(format, colour, details, message_max),
            binary,
            sites,
            plans: HashMap::new(),
            pieces,
            masking: header.masks_url_passwords.then(Masking::default),
            copy: vec![0; RECORD_BYTES_MAX],
            buffer: vec![0; SEGMENT_BYTES],
            len: 0,
        }
    }

    /// UTC of these ticks, in nanoseconds since 1970.
    pub(super) fn utc_ns(&self, ticks: u64) -> i64 {
        utc_ns(&self.pieces, ticks)
    }

    /// Writes a record; gives its ticks, or none if it is malformed or its callsite is nobody's.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn put(
        &mut self,
        out: &mut dyn io::Write,
        bytes: &[u8],
        thread: ThreadLabel<'_>,
    ) -> io::Result<Option<u64>> {
        let mut copy = std::mem::take(&mut self.copy);
        let put = match (&mut self.masking, copy.get_mut(..bytes.len())) {
            (Some(masking), Some(room)) => {
                room.copy_from_slice(bytes);
                masking.mask_copy(&mut copy, bytes.len());
                self.put_as_it_is(out, &copy[..bytes.len()], thread)
            }
            _ => self.put_as_it_is(out, bytes, thread),
        };
        self.copy = copy;
        put
    }

    fn put_as_it_is(
        &mut self,
        out: &mut dyn io::Write,
        bytes: &[u8],
        thread: ThreadLabel<'_>,
    ) -> io::Result<Option<u64>> {
        let Ok(envelope) = Envelope::parse(bytes) else { return Ok(None) };
        let id = envelope.meta.id;
        // In segments nothing but the shape is looked at: what its values are must be known here.
        if envelope.level().is_err() || envelope.fields(|_| ()).is_err() {
            return Ok(None);
        }
        let Some(site) = self.sites.get(id) else { return Ok(None) };
        let Pen { formatter, plans, .. } = self;
        let plan = plans.entry(id).or_insert_with(|| site.with(|site| formatter.plan(site)));
        if plan.fields() != usize::from(envelope.meta.fields) {
            return Ok(None);
        }
        let key = self.binary.as_mut().map(|binary| {
            let next = binary.keys.len() + 1;
            *binary.keys.entry(id).or_insert(next)
        });
        let entry = || Some(site.bytes().to_vec());
        let is_written = self.write(out, (bytes, &envelope), (id, key), entry, thread)?;
        Ok(is_written.then_some(envelope.ticks))
    }

    /// Writes a record of the engine's own.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn put_own(
        &mut self,
        out: &mut dyn io::Write,
        site: &Site<'_>,
        bytes: &[u8],
    ) -> io::Result<()> {
        const LABEL: ThreadLabel<'static> = ThreadLabel { id: 0, name: Some(b"fastlog") };
        let Ok(envelope) = Envelope::parse(bytes) else { return Ok(()) };
        // Ids count from 1.
        let id = 0;
        self.plans.insert(id, self.formatter.plan(site));
        let entry = || Some(site.to_bytes());
        self.write(out, (bytes, &envelope), (id, Some(OWN_KEY)), entry, LABEL).map(drop)
    }

    /// Writes a record whose plan is made; whether it could be.
    fn write(
        &mut self,
        out: &mut dyn io::Write,
        (bytes, envelope): (&[u8], &Envelope<'_>),
        (id, key): (u32, Option<usize>),
        entry: impl Fn() -> Option<Vec<u8>>,
        thread: ThreadLabel<'_>,
    ) -> io::Result<bool> {
        let utc_ns = self.utc_ns(envelope.ticks);
        loop {
            let room = &mut self.buffer[self.len..];
            let put = match (&mut self.binary, key) {
                (Some(binary), Some(key)) => Parts::of(bytes)
                    .map_err(LineError::from)
                    .and_then(|parts| binary.writer.put(room, &parts, (key, &entry), thread)),
                _ => {
                    let Some(plan) = self.plans.get(&id) else { return Ok(false) };
                    let mut line = LineBuffer::new(room);
                    let put = self.formatter.line(&mut line, plan, envelope, utc_ns, thread);
                    put.map(|()| line.len())
                }
            };
            match put {
                Ok(len) => {
                    self.len += len;
                    return Ok(true);
                }
                Err(LineError::Full) if self.len > 0 => self.next(out)?,
                Err(_) => return Ok(false),
            }
        }
    }

    /// Hands on what is written; what follows is another segment's.
    fn next(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.finish(out)?;
        if let Some(binary) = &mut self.binary {
            binary.segment = binary.segment.wrapping_add(1);
            binary.writer.begin(binary.segment);
        }
        Ok(())
    }

    /// Hands on what is written.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn finish(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(&self.buffer[..self.len])?;
        self.len = 0;
        Ok(())
    }
}
