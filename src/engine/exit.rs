//! The engines of this process, for the exit hook and the fork handler. The hook runs on whichever
//! thread ends the process, when its thread locals may be gone: nothing here uses any that have a
//! destructor.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Place};
use super::lock;
use crate::arena;
use crate::config::ExitHook;
use crate::emit;
use crate::error::Error;
use crate::flush::Limit;
use crate::primitive::{AtomicBool, Ordering};
use crate::recover;
use crate::registry::process;
use crate::sys::exit::{at_exit, at_fork};
use crate::sys::fork_safe::ForkSafe;
use crate::sys::unannounced;

/// What all drains at exit may take together, of the time in which the process runs.
const EXIT_BUDGET: Duration = Duration::from_secs(2);

static ENGINES: ForkSafe<Vec<Running>> = ForkSafe::new();

/// Held while the handlers are registered.
static INSTALLING: ForkSafe<()> = ForkSafe::new();
/// Whether they are; a forked child inherits them.
static INSTALLED: AtomicBool = AtomicBool::new(false);

struct Running {
    core: Arc<Core>,
    exit_hook: ExitHook,
}

/// Registers the handlers of the process, once.
///
/// # Errors
///
/// When the system takes none; the next start tries again.
pub(super) fn install() -> Result<(), Error> {
    let _turn = INSTALLING.lock();
    if !INSTALLED.load(Ordering::Relaxed) {
        let hook = |name| move |source| Error::Hook { name, source };
        unannounced::watch(forked);
        at_fork(None, None, Some(forked)).map_err(hook("pthread_atfork"))?;
        at_exit(drain_all).map_err(hook("atexit"))?;
        INSTALLED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Notes a running engine.
pub(super) fn remember(core: &Arc<Core>, exit_hook: ExitHook) {
    ENGINES.lock().push(Running { core: Arc::clone(core), exit_hook });
}

/// Forgets a drained one.
pub(super) fn forget(core: &Arc<Core>) {
    ENGINES.lock().retain(|running| !Arc::ptr_eq(&running.core, core));
}

/// The process's engine.
pub(super) fn default_core() -> Option<Arc<Core>> {
    let engines = ENGINES.lock();
    let default = engines
        .iter()
        .find(|running| running.core.place == Place::Process && running.core.registry.is_running());
    default.map(|running| Arc::clone(&running.core))
}

/// At normal exit: drains the detached engines, then the process's, all within two seconds.
extern "C" fn drain_all() {
    // A handler of a signal that comes in here and logs must not wait for these locks.
    let _inside = emit::Inside::enter();
    let mut cores: Vec<Arc<Core>> = {
        let engines = ENGINES.lock();
        let wanted = engines.iter().filter(|running| running.exit_hook == ExitHook::Drain);
        wanted.map(|running| Arc::clone(&running.core)).collect()
    };
    cores.sort_by_key(|core| core.place == Place::Process);
    let left = Cell::new(EXIT_BUDGET);
    for core in cores.iter().filter(|core| !core.registry.is_forked()) {
        // The process ends: what could not be drained is in the arena, or nobody's any more.
        let _ = core.drain(Limit::Shared(&left));
    }
}

/// In a forked child, on the thread that forked, or on the first that comes here where `fork`'s
/// handlers were not run: only stores.
extern "C" fn forked() {
    process::forget_after_fork();
    ENGINES.forget();
    INSTALLING.forget();
    lock::forget_after_fork();
    arena::forget_after_fork();
    recover::forget_after_fork();
    emit::forget_after_fork();
    unannounced::told();
}
