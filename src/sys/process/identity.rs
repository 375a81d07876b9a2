//! Who a process is, so that it is told from every other one of whatever time: its number, its
//! start and the machine's boot. Any thread.

use super::{boot_id, pid, start_time, start_time_of};

/// A process, alive or dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// In clock ticks since boot; 0 where the system did not say.
    pub(crate) start_time: u64,
    pub(crate) boot_id: [u8; 16],
}

impl Identity {
    /// This process.
    pub(crate) fn own() -> Identity {
        Identity { pid: pid(), start_time: start_time(), boot_id: boot_id() }
    }

    /// Whether it lives, as far as the numbers of processes are seen from here. It keeps its
    /// identity when it executes another program.
    pub(crate) fn is_alive(&self) -> bool {
        self.start_time != 0
            && start_time_of(self.pid) == Some(self.start_time)
            && self.boot_id == boot_id()
    }

    /// A line of text: number, start, boot.
    pub(crate) fn to_line(self) -> String {
        let boot: String = self.boot_id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {} {boot}\n", self.pid, self.start_time)
    }

    /// Reads what [`to_line`](Identity::to_line) has written; none from anything else.
    pub(crate) fn of_line(line: &[u8]) -> Option<Identity> {
        let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
        let mut words = line.split(' ');
        let (pid, start_time) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let boot_id = super::uuid_in(words.next()?)?;
        let read = Identity { pid, start_time, boot_id };
        (read.to_line().trim_end() == line).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_from_its_line_and_from_nothing_else() {
        let own = Identity::own();
        assert_eq!(Identity::of_line(own.to_line().as_bytes()), Some(own));
        let whole = format!("47 1234 {}\n", "0a".repeat(16));
        let read = Identity { pid: 47, start_time: 1234, boot_id: [10; 16] };
        assert_eq!(Identity::of_line(whole.as_bytes()), Some(read));
        for at in 0..whole.len() {
            assert_eq!(Identity::of_line(&whole.as_bytes()[..at]), None, "{at}");
        }
        for other in ["\n", "47 1234\n", "half of something", "47  1234 00\n", "-1 +2 x\n"] {
            assert_eq!(Identity::of_line(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(Identity::of_line(whole.replace("47", "+47").as_bytes()), None);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn who_lives_is_known_by_all_three() {
        let own = Identity::own();
        assert!(own.is_alive());
        assert!(!Identity { start_time: own.start_time + 1, ..own }.is_alive());
        assert!(!Identity { start_time: 0, ..own }.is_alive());
        assert!(!Identity { boot_id: [1; 16], ..own }.is_alive());
        assert!(!Identity { pid: u32::MAX, ..own }.is_alive());
    }
}
