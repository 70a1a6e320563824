//! Boot: components by need and by phase, options, errors, and what is left after them.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::component::ChooseError;
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::wait::Unslept;
use base::{BootError, Errno, Gone, KVec, Kernel, Lwp, Options, Phase, kprintf};
use sim::{Config, Sim};
use support::{boot, end, on_sims};

/// Says in the message buffer that it ran.
macro_rules! teller {
    ($module:ident, $name:literal, [$($need:literal),*], $($phase:ident),+) => {
        mod $module {
            base::component! {
                $name, needs [$($need),*],
                hooks { $($phase => |l| {
                    base::kprintf!(l, "{} {:?}", $name, base::Phase::$phase);
                    Ok(())
                }),+ }
            }
        }
    };
}

teller!(net, "net", [], Net);
teller!(middle, "middle", ["bottom"], Kern);
teller!(bottom, "bottom", [], Kern);
teller!(top, "top", ["middle", "bottom"], Kern);
teller!(lonely, "lonely", [], Kern);
teller!(aside, "aside", [], Kern);
teller!(phases, "phases", [], Postinit, Syscall, NetIfcfg, NetIf, NetRoute, Net, Vfs, Dev, Kern);
teller!(circle_a, "circle_a", ["circle_b"], Kern);
teller!(circle_b, "circle_b", ["circle_a"], Kern);

/// A state that says when it goes.
struct State {
    number: u32,
    ended: &'static AtomicU32,
}

impl Drop for State {
    fn drop(&mut self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

mod stateful {
    use super::*;

    base::slot! { pub static STATE: State; }
    base::slot! { pub static NUMBERS: IntrMutex<KVec<u32>>; }
    pub static ENDED: AtomicU32 = AtomicU32::new(0);
    pub static FINI: AtomicU32 = AtomicU32::new(0);

    pub fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        STATE.set(l, kmem::boxed(l, State { number: 7, ended: &ENDED })?)?;
        let mut numbers = KVec::new(l);
        numbers.resize(100, 5)?;
        NUMBERS.set(l, kmem::boxed(l, IntrMutex::new(l, Rank::Proto, numbers))?)
    }

    base::component! {
        "stateful", needs [], hooks { Kern => attach },
        fini |_| _ = FINI.fetch_add(1, Ordering::Relaxed)
    }
}

mod failing {
    base::component! { "failing", needs ["stateful"], hooks { Postinit => |_| Err(base::Errno::Io) } }
}

mod panicking {
    base::component! { "panicking", needs [], hooks { Kern => |_| panic!("expected in this test") } }
}

/// Its hook sleeps; meanwhile a thread of its own comes in and sleeps for ever. Then it fails.
mod sleeping {
    use super::*;

    pub static GONE: AtomicU32 = AtomicU32::new(0);

    fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        let handle = l.handle();
        let thread = Box::new(move || {
            let slept = handle.enter(|l| l.sleep_until(base::Instant::from_nanos(u64::MAX)));
            assert_eq!(slept, Ok(Unslept::Gone));
            GONE.fetch_add(1, Ordering::Relaxed);
        });
        l.host().spawn("guest of a boot", thread).map_err(|_| Errno::NoMemory)?;
        let soon = l.now() + Duration::from_millis(1);
        assert_eq!(l.sleep_until(soon), Unslept::TimedOut);
        Err(Errno::Busy)
    }

    base::component! { "sleeping", needs [], hooks { Kern => attach } }
}

/// Its hook enters its own kernel through a handle.
mod nested {
    use super::*;

    fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        assert_eq!(l.handle().enter(|_| ()), Err(Gone));
        Ok(())
    }

    base::component! { "nested", needs [], hooks { Kern => attach } }
}

base::kernel!(EMPTY = []);
base::kernel!(TOWER = [top, lonely, middle, aside, bottom]);
base::kernel!(NEEDY = [top, bottom, middle]);
base::kernel!(PHASES = [phases]);
base::kernel!(NET_PHASES = [phases, net]);
base::kernel!(STATE = [stateful, bottom]);
base::kernel!(FAILING = [failing, stateful]);
base::kernel!(PANICKING = [stateful, panicking]);
base::kernel!(SLEEPING = [sleeping]);
base::kernel!(NESTED = [nested]);
base::kernel!(CIRCLE = [circle_a, circle_b, bottom]);

/// What the hooks said, in order.
fn told(kernel: &Kernel) -> Vec<String> {
    let text = kernel.enter(|l| base::msgbuf::dmesg(l)).unwrap();
    text.lines().skip(1).map(String::from).collect()
}

fn error(sim: &Arc<Sim>, spec: &'static base::Spec) -> BootError {
    match Kernel::boot(sim.clone(), spec) {
        Ok(_) => panic!("it booted"),
        Err(e) => e,
    }
}

#[test]
fn a_kernel_boots_and_goes_and_leaves_nothing() {
    on_sims(|sim| {
        for ncpu in [1, 2, 64] {
            let kernel = boot(sim, &EMPTY, ncpu);
            assert_eq!(kernel.name(), "EMPTY");
            assert_eq!(kernel.enter(|l| l.ncpu()), Ok(ncpu));
            end(kernel);
        }
    });
}

#[test]
fn a_thousand_kernels_live_beside_each_other() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let kernels: Vec<_> = (0..1000).map(|_| boot(&sim, &STATE, 1)).collect();
        let ids: BTreeSet<_> =
            kernels.iter().map(|k| k.enter(|l| l.kernel_id()).unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        kernels.into_iter().for_each(end);
    });
}

#[test]
fn options_are_taken_or_refused() {
    let sim = Sim::seeded(1);
    let options = Options { name: "n1", hostname: "here", memlimit: 1 << 20, ..Default::default() };
    let kernel = Kernel::boot_with(sim.clone(), &EMPTY, &options).unwrap();
    assert_eq!(kernel.name(), "n1");
    assert_eq!(kernel.account().limit(), 1 << 20);
    assert_eq!(kernel.enter(|l| base::uname::hostname(l)).unwrap(), "here");
    end(kernel);

    let many = Options { ncpu: 65, ..Default::default() };
    let refused = Kernel::boot_with(sim.clone(), &EMPTY, &many).err();
    assert_eq!(refused, Some(BootError::TooManyCpus(65)));
    let tight = Options { memlimit: 100, ..Default::default() };
    let refused = Kernel::boot_with(sim.clone(), &EMPTY, &tight).err();
    assert_eq!(refused, Some(BootError::NoMemory));
    assert_eq!(Arc::strong_count(&sim), 1);
}

#[test]
fn needs_come_first_whatever_the_seed_says() {
    let mut orders = BTreeSet::new();
    for seed in 0..40 {
        let run = || {
            let sim = Sim::seeded(seed);
            sim.run(|| told(&boot(&sim, &TOWER, 1)))
        };
        let order = run();
        assert_eq!(order, run(), "seed {seed} twice");
        let at = |name: &str| order.iter().position(|l| *l == format!("{name} Kern")).unwrap();
        assert!(at("bottom") < at("middle") && at("middle") < at("top"), "seed {seed}: {order:?}");
        assert_eq!(order.len(), 5);
        orders.insert(order);
    }
    assert!(orders.len() > 5, "the seed shuffles what needs leave open: {orders:?}");
}

#[test]
fn phases_come_in_their_order_and_only_with_their_faction() {
    on_sims(|sim| {
        let alone = told(&boot(sim, &PHASES, 1));
        assert_eq!(alone, ["phases Kern", "phases Syscall", "phases Postinit"]);
        let mut with_net = told(&boot(sim, &NET_PHASES, 1));
        with_net.retain(|l| l != "net Net");
        let phases = ["Kern", "Net", "NetRoute", "NetIf", "NetIfcfg", "Syscall", "Postinit"];
        assert_eq!(with_net, phases.map(|p| format!("phases {p}")));
    });
}

#[test]
fn components_can_be_chosen_at_boot() {
    let sim = Sim::seeded(3);
    let try_only = |only: &[&str]| {
        let options = Options { components: Some(only), ..Default::default() };
        Kernel::boot_with(sim.clone(), &NEEDY, &options)
    };
    let kernel = try_only(&["middle", "bottom", "middle"]).unwrap();
    assert_eq!(told(&kernel), ["bottom Kern", "middle Kern"], "twice named is once there");
    kernel.enter(|l| assert!(l.has_component("middle") && !l.has_component("top"))).unwrap();
    drop(kernel);

    let missing = ChooseError::Missing { component: "top", needs: "middle" };
    assert_eq!(try_only(&["top", "bottom"]).err(), Some(BootError::Components(missing)));
    // It is in the binary, but not in this list.
    let unknown = ChooseError::Unknown("lonely".into());
    assert_eq!(try_only(&["lonely"]).err(), Some(BootError::Components(unknown)));
    match error(&sim, &CIRCLE) {
        BootError::Components(ChooseError::Circle(c)) => assert!(c.starts_with("circle")),
        e => panic!("{e}"),
    }
}

#[test]
fn every_kernel_has_states_of_its_own() {
    on_sims(|sim| {
        let (a, b) = (boot(sim, &STATE, 1), boot(sim, &STATE, 1));
        let push = |k: &Kernel, n| {
            k.enter(|l| {
                assert_eq!(l.get(&stateful::STATE).number, 7);
                l.get(&stateful::NUMBERS).lock(l).push(n).unwrap();
            })
            .unwrap();
        };
        let last =
            |k: &Kernel| k.enter(|l| l.get(&stateful::NUMBERS).lock(l).last().copied()).unwrap();
        push(&a, 1);
        push(&b, 2);
        assert_eq!((last(&a), last(&b)), (Some(1), Some(2)));
        // A second state is refused, and is not the one that is there.
        let again = a.enter(stateful::attach).unwrap();
        assert_eq!(again, Err(Errno::Exists));
        assert_eq!(last(&a), Some(1));
        end(a);
        end(b);
    });
}

#[test]
fn the_state_of_a_component_that_is_not_there_ends_the_kernel() {
    let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
    assert!(kernel.enter(|l| l.try_get(&stateful::STATE).is_none()).unwrap());
    assert_eq!(kernel.enter(|l| l.get(&stateful::STATE).number), Err(Gone));
    assert!(kernel.is_dead());
}

#[test]
fn a_hook_that_fails_undoes_the_boot() {
    let sim = Sim::seeded(4);
    // Other tests boot it too, at the same time: only a growth can be seen.
    let (ended, fini) = (&stateful::ENDED, &stateful::FINI);
    let before = (ended.load(Ordering::Relaxed), fini.load(Ordering::Relaxed));
    let expected =
        BootError::Hook { component: "failing", phase: Phase::Postinit, error: Errno::Io };
    assert_eq!(error(&sim, &FAILING), expected);
    assert!(ended.load(Ordering::Relaxed) > before.0, "the state was dropped");
    assert!(fini.load(Ordering::Relaxed) > before.1, "the component's end ran");
    assert_eq!(Arc::strong_count(&sim), 1, "nothing is left of the kernel");
    assert_eq!(
        expected.to_string(),
        "component `failing` failed in phase Postinit: Input/output error (EIO)"
    );
}

#[test]
fn a_hook_that_panics_is_an_error() {
    let sim = Sim::seeded(5);
    assert_eq!(error(&sim, &PANICKING), BootError::Panicked);
    // The host is none the worse for it.
    end(boot(&sim, &STATE, 1));
}

#[test]
fn a_hook_that_slept_and_fails_sends_its_guests_away() {
    for seed in 0..10 {
        let sim = Sim::seeded(seed);
        let before = sleeping::GONE.load(Ordering::Relaxed);
        sim.run(|| {
            let expected =
                BootError::Hook { component: "sleeping", phase: Phase::Kern, error: Errno::Busy };
            assert_eq!(error(&sim, &SLEEPING), expected);
        });
        assert_eq!(sleeping::GONE.load(Ordering::Relaxed), before + 1);
        assert_eq!(Arc::strong_count(&sim), 1);
    }
}

#[test]
fn a_hook_that_enters_its_own_kernel_gets_an_answer() {
    on_sims(|sim| end(boot(sim, &NESTED, 1)));
}

/// Boots with the host refusing charges by `plan(n)` for n = 1, 2, … until none is refused.
fn refusals(spec: &'static base::Spec, ncpu: u32, plan: impl Fn(&Sim, u64)) {
    let mut refused_boots = 0;
    for n in 1.. {
        let sim = Sim::new(Config { seed: n, ..Config::default() });
        plan(&sim, n);
        let booted = sim.run(|| {
            let options = Options { ncpu, ..Default::default() };
            let kernel = Kernel::boot_with(sim.clone(), spec, &options);
            match &kernel {
                Ok(k) => k.enter(|l| kprintf!(l, "up")).unwrap(),
                Err(e) => assert_eq!(*e, BootError::NoMemory, "charge {n}"),
            }
            kernel.is_ok()
        });
        refused_boots += u32::from(!booted);
        // Whatever is left of a kernel holds its account, and the account its host.
        assert_eq!(Arc::strong_count(&sim), 1, "charge {n} refused: something is left");
        if sim.faults().refused() == 0 {
            assert!(refused_boots >= 4, "a boot charges more than {refused_boots} times");
            return;
        }
    }
}

#[test]
fn a_boot_without_its_nth_charge_is_an_error_and_leaves_nothing() {
    for ncpu in [1, 4] {
        refusals(&EMPTY, ncpu, |sim, n| sim.faults().refuse_nth_charge(n));
        refusals(&STATE, ncpu, |sim, n| sim.faults().refuse_nth_charge(n));
    }
}

#[test]
fn a_boot_that_runs_out_of_memory_is_an_error_and_leaves_nothing() {
    refusals(&STATE, 1, |sim, n| sim.faults().refuse_from(n));
}
