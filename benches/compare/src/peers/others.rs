//! The peers that a build without the feature `peers` leaves out.

mod emit_file;
mod fast_log;
mod fastlog_crate;
mod flexi_logger;
mod ftlog;
mod insomnilog;
mod lightning_log;
mod log4rs;
mod logforth;
mod low_latency_log;
mod nanolog_rs;
mod quicklog;
mod slog;
mod spdlog;
mod structured_logger;
// Its `configure!` exports macros that say nothing of themselves.
#[allow(missing_docs)]
mod ticklog;
mod tklog;
#[cfg(feature = "zerolog")]
mod zerolog;

use super::Peer;
use crate::run::Mode;

/// Their rows.
pub const OTHERS: &[Peer] = &[
    Peer::new("slog-async", "slog-async", slog::run),
    Peer::new("spdlog-rs-async", "spdlog-rs", spdlog::run),
    Peer::new("emit-file", "emit_file", emit_file::run),
    Peer::new("logforth-async", "logforth", logforth::run),
    Peer::new("flexi-async", "flexi_logger", flexi_logger::asynchronous),
    Peer::new("flexi-buffer-flush", "flexi_logger", flexi_logger::buffer_and_flush),
    Peer::new("log4rs-file", "log4rs", log4rs::run),
    Peer::new("structured-logger", "structured-logger", structured_logger::run),
    Peer::new("ftlog", "ftlog", ftlog::run),
    Peer::new("fast_log", "fast_log", fast_log::run),
    Peer::new("fastlog-crate-worker", "fastlog", fastlog_crate::worker_format),
    Peer::new("fastlog-crate-caller", "fastlog", fastlog_crate::caller_format),
    Peer::new("ticklog", "ticklog", ticklog::run),
    Peer::new("insomnilog", "insomnilog", insomnilog::run).fast(),
    #[cfg(feature = "zerolog")]
    Peer::new("zerolog-rs", "zerolog-rs", zerolog::run).fast(),
    Peer::new("low_latency_log", "low_latency_log", low_latency_log::run).fast(),
    Peer::new("quicklog", "quicklog", quicklog::run)
        .fast()
        .skips(&[(Mode::Throughput2, "its queue takes one producer")]),
    Peer::new("nanolog-rs", "nanolog-rs", nanolog_rs::run),
    Peer::new("lightning-log", "lightning-log", lightning_log::run),
    Peer::new("tklog", "tklog", tklog::run),
];
