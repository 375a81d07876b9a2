//! What engines that were killed have left beside the log: files that were to be the log's next, or
//! a compressed one, and the locks of second engines, whose names nobody uses again. Runs on the
//! keeper, at start and once a minute.

use std::io;
use std::path::Path;

use super::old_files::Care;
use crate::config::file_names;
use crate::sys::io::Io;

/// The file that comes next, made by the keeper, or by the publisher where none waits.
const NEXT: [&str; 2] = ["next", "now"];
/// A compressed file until it is whole.
pub(super) const PACKING: &str = "packing";
/// Who writes files of a base holds the lock of this file.
const LOCK: &str = "lock";

/// Removes what an engine of this base has left that was killed. Nothing of the present one is
/// there yet but, perhaps, what the publisher has made.
pub(super) fn clear_own(io: &dyn Io, private_dir: &Path, base: &str) {
    for end in [NEXT[0], PACKING] {
        // Nothing depends on it.
        let _ = io.unlink(&private_dir.join(format!("{base}.{end}")));
    }
}

/// Removes what second engines of the log have left that are gone.
///
/// # Errors
/// The system's: the directory cannot be read. One that is gone has nothing in it.
pub(super) fn clear_away(care: &Care) -> io::Result<()> {
    let names = match care.io.read_dir_names(&care.private_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    let mut bases: Vec<&str> = names.iter().filter_map(|name| base_of(name)).collect();
    bases
        .retain(|base| *base != care.base && file_names::name_of_second(base) == Some(&*care.name));
    bases.sort_unstable();
    bases.dedup();
    for base in bases {
        care.engines.while_gone(base, &mut || {
            for end in NEXT.into_iter().chain([PACKING]) {
                let _ = care.io.unlink(&care.private_dir.join(format!("{base}.{end}")));
            }
        });
    }
    Ok(())
}

/// Of a file that belongs to an engine's base.
fn base_of(name: &str) -> Option<&str> {
    let (base, end) = name.rsplit_once('.')?;
    (NEXT.contains(&end) || [PACKING, LOCK].contains(&end)).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_may_have_dots_and_ends_are_exact() {
        let bases = ["app@7.lock", "a.b@7-2.next", "app.lock.now", "app@7.packing"].map(base_of);
        assert_eq!(bases, [Some("app@7"), Some("a.b@7-2"), Some("app.lock"), Some("app@7")]);
        for name in ["app@7.17-00ff.arena", "app@7.17-00ff.segments", "app", "app@7.locks"] {
            assert_eq!(base_of(name), None, "{name}");
        }
    }
}
