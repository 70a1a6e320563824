//! sysproxy's registration: what sessions have in the kernel, and the call that ends it.

use alloc::sync::Arc;

use base::lock::{IntrMutex, Rank};
use base::syscall::{Arg, SysMemory, number};
use base::sysctl::{Node, Value};
use base::vm::kmem;
use base::{Account, Errno, KVec, Lwp};

use crate::notice::Wake;
use crate::state::Sessions;

base::component! { "sysproxy", needs [], hooks { Kern => attach }, fini fini }

/// The component's state in a kernel.
pub(crate) struct Sysproxy {
    pub(crate) sessions: Sessions,
    /// Who is told when the kernel is to end.
    pub(crate) services: IntrMutex<KVec<Arc<dyn Wake>>>,
    /// What all clients that are nobody are charged to, and what they ask the kernel for.
    pub(crate) nobodies: Arc<Account>,
}

/// The part of the kernel's memory that those have together who are nobody to it: the rest is for its
/// owner, who can so always work.
const NOBODIES_PART: u64 = 2;

base::slot! { pub(crate) static SYSPROXY: Sysproxy; }

base::syscalls! {
    static REBOOT = Some("sysproxy"), number::REBOOT, "reboot",
        [Arg::Value, Arg::Value, Arg::Value, Arg::Opaque], reboot;
}

base::sysctl! {
    static NOBODIES = Node {
        name: "vm.nobodies", doc: "bytes that remote clients hold together who are nobody; half of vm.limit at most",
        get: |cx| {
            let used = cx.try_get(&SYSPROXY)?.nobodies.used();
            Some(Value::Int(used.try_into().unwrap_or(i64::MAX)))
        },
        set: None,
    };
}

fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let services = IntrMutex::new(l, Rank::Proto, KVec::new(l));
    let nobodies = Account::part(l.whole_account(), NOBODIES_PART);
    SYSPROXY.set(l, kmem::boxed(l, Sysproxy { sessions: Sessions::new(l), services, nobodies })?)
}

fn fini(l: &mut Lwp<'_>) {
    l.get(&SYSPROXY).sessions.clear(l);
}

const MAGIC: u64 = 0xfee1_dead;
const MAGIC2: [u64; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
const HALT: u32 = 0xcdef_0123;
const POWER_OFF: u32 = 0x4321_fedc;
const RESTART: u32 = 0x0123_4567;

/// Ends the kernel, as soon as whoever serves it gets to it. The kernel does not come back by
/// itself, so all commands that stop one do the same. Sources: reboot(2).
fn reboot(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    if a[0] & 0xffff_ffff != MAGIC || !MAGIC2.contains(&(a[1] & 0xffff_ffff)) {
        return Err(Errno::Invalid);
    }
    if ![HALT, POWER_OFF, RESTART].contains(&(a[2] as u32)) {
        return Err(Errno::Invalid);
    }
    let services = l.get(&SYSPROXY).services.lock(l);
    if services.is_empty() {
        return Err(Errno::NotSupported);
    }
    services.iter().for_each(|s| s.halt());
    Ok(0)
}
