//! Whose records come next from a ring, as its control envelopes say. Runs on the collector, and
//! where a dead engine's rings are read.

use super::ThreadLabel;
use crate::envelope::control;
use crate::envelope::decode::Envelope;
use crate::value::ValueRef;

/// The thread whose records come next from a ring.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    id: u64,
    name: [u8; control::NAME_BYTES_MAX],
    /// None: the thread has no name.
    name_len: Option<usize>,
}

impl Default for Label {
    fn default() -> Label {
        Label { id: 0, name: [0; control::NAME_BYTES_MAX], name_len: None }
    }
}

impl Label {
    /// Takes over what a control envelope says.
    pub(crate) fn read(&mut self, envelope: &Envelope<'_>) {
        let mut field = 0;
        // A damaged control envelope leaves a wrong name, nothing worse.
        let _ = envelope.fields(|value| {
            match (field, value) {
                (0, ValueRef::U64(id)) => self.id = id,
                (1, ValueRef::Text(name)) => self.set_name(Some(name)),
                (1, _) => self.set_name(None),
                _ => {}
            }
            field += 1;
        });
    }

    /// The thread with this id, by this name, of which the first bytes are kept.
    pub(crate) fn of(id: u64, name: Option<&[u8]>) -> Label {
        let mut label = Label { id, ..Label::default() };
        label.set_name(name);
        label
    }

    fn set_name(&mut self, name: Option<&[u8]>) {
        let name = name.map(|name| &name[..name.len().min(control::NAME_BYTES_MAX)]);
        self.name_len = name.map(<[u8]>::len);
        if let Some(name) = name {
            self.name[..name.len()].copy_from_slice(name);
        }
    }

    /// What a line shows of it.
    pub(crate) fn get(&self) -> ThreadLabel<'_> {
        ThreadLabel { id: self.id, name: self.name_len.map(|len| &self.name[..len]) }
    }
}
