//! What the engine may do by itself while its log lags. The setters; `settings` checks what they
//! are given.

use super::Config;
use crate::level::Level;

/// Whether intervals, parks, reserves and staging follow the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushControl {
    /// They do, within what is configured. See [`Pressure`](crate::Pressure); in short:
    ///
    /// - fewer than 200 records a second are published after 1 ms, others after
    ///   [`publish_every`](Config::publish_every), sooner under pressure;
    /// - a sync that nobody asked for begins no sooner after the last than that took (10 s at
    ///   most), and one with more than 256 MiB to write does not wait for its time;
    /// - staging beyond the four hot segments is given back while it is calm;
    /// - blocks are reserved for four seconds of the present rate, 4 to 64 MiB.
    Adaptive,
    /// They stay as configured; staging is not given back, 64 MiB are reserved, and the collector
    /// sleeps for 20 ms at most, for 1 ms while records are too young to be written.
    Fixed,
}

/// Whether records of low levels are given up while the pressure is critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shed {
    /// No: what becomes of them is the [`Overflow`](crate::Overflow) policy's business alone.
    Never,
    /// Those below this level (DEBUG to ERROR), if their ring is more than half full: they are
    /// dropped without a wait, counted with the reason `shed`, and leave the room to the others.
    Below(Level),
}

impl Config {
    /// Whether intervals, parks, reserves and staging follow the load.
    ///
    /// Default: [`FlushControl::Adaptive`].
    pub fn flush_control(mut self, control: FlushControl) -> Config {
        self.flush_control = control;
        self
    }

    /// Whether records of low levels are given up while the pressure is critical.
    ///
    /// Default: [`Shed::Never`].
    pub fn shed(mut self, shed: Shed) -> Config {
        self.shed = shed;
        self
    }
}
