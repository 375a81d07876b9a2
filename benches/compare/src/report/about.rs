//! What figures belong to: machine, compiler, day, versions, command.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::LOCKED;
use crate::peers::Peer;

/// The first line of the results.
#[derive(Debug, Serialize, Deserialize)]
pub struct About {
    pub date: String,
    pub command: String,
    pub processor: String,
    pub cpus: usize,
    pub kernel: String,
    pub rustc: String,
}

impl About {
    /// This machine, with what only the caller knows.
    pub fn here(date: &str, command: &str) -> About {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        About {
            date: date.to_owned(),
            command: command.to_owned(),
            processor: model(&cpu_info).unwrap_or("unknown").to_owned(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            kernel: release(&kernel).to_owned(),
            rustc: env!("COMPARE_RUSTC").to_owned(),
        }
    }
}

fn model(cpu_info: &str) -> Option<&str> {
    let line = cpu_info.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, model)| model)
}

/// Without what the one who built the kernel added.
fn release(kernel: &str) -> &str {
    kernel.split(['-', '\n']).next().unwrap_or(kernel)
}

/// The version in Cargo.lock of the crate that a peer is measured by.
pub fn version(peer: &Peer) -> Option<&'static str> {
    LOCKED.iter().find(|(package, _)| *package == peer.package).map(|(_, version)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Kind;

    #[test]
    fn every_logger_has_a_version() {
        for peer in Peer::all() {
            assert_eq!(version(peer).is_none(), peer.kind == Kind::Baseline, "{}", peer.name);
        }
    }

    #[test]
    fn processor_and_kernel_are_named() {
        let cpu_info = "processor\t: 0\nmodel name\t: Fast 9000\n";
        assert_eq!((model(cpu_info), model("")), (Some("Fast 9000"), None));
        assert_eq!((release("6.18.2-test-1\n"), release("6.18.2\n")), ("6.18.2", "6.18.2"));
    }
}
