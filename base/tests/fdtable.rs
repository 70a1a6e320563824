//! The table of descriptors does what a naive map does, whatever is asked of it.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use base::file::{Fd, FdTable, File, MAX_FDS};
use base::{Errno, KArc, Lwp};
use proptest::prelude::*;
use sim::Sim;
use support::{Closed, Pipe, boot, end};

base::kernel!(EMPTY = []);

#[derive(Clone, Debug)]
enum Op {
    Open {
        min: Fd,
        cloexec: bool,
    },
    Dup {
        from: Fd,
        min: Fd,
    },
    DupTo {
        from: Fd,
        to: Fd,
        cloexec: bool,
    },
    Reserve,
    /// The first number that was reserved gets a file, or is let go of.
    Settle {
        fill: bool,
        cloexec: bool,
    },
    Close(Fd),
    SetCloexec(Fd, bool),
    Copy,
    CloseAll,
}

fn fd() -> impl Strategy<Value = Fd> {
    prop_oneof![20 => 0..12_u32, 2 => 12..200_u32, 1 => Just(MAX_FDS), 1 => Just(Fd::MAX)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (fd(), any::<bool>()).prop_map(|(min, cloexec)| Op::Open { min, cloexec }),
        3 => (fd(), fd()).prop_map(|(from, min)| Op::Dup { from, min }),
        4 => (fd(), fd(), any::<bool>()).prop_map(|(from, to, cloexec)| Op::DupTo { from, to, cloexec }),
        3 => Just(Op::Reserve),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(fill, cloexec)| Op::Settle { fill, cloexec }),
        6 => fd().prop_map(Op::Close),
        2 => (fd(), any::<bool>()).prop_map(|(fd, on)| Op::SetCloexec(fd, on)),
        1 => Just(Op::Copy),
        1 => Just(Op::CloseAll),
    ]
}

/// The naive table: a file is a number.
#[derive(Clone, Default)]
struct Model {
    open: BTreeMap<Fd, (usize, bool)>,
    reserved: BTreeSet<Fd>,
}

impl Model {
    fn lowest(&self, min: Fd) -> Result<Fd, Errno> {
        let is_free = |fd: &Fd| !self.open.contains_key(fd) && !self.reserved.contains(fd);
        (min..MAX_FDS).find(is_free).ok_or(Errno::TooManyFiles)
    }
}

/// The files of a test: the real one, and what counts its ends. Tables hold the only references
/// that count.
struct Files(Vec<(KArc<File>, Closed)>);

impl Files {
    fn make(&mut self, l: &Lwp<'_>) -> usize {
        let closed = Closed::default();
        self.0.push((Pipe::file(l, 1, &closed).unwrap(), closed));
        self.0.len() - 1
    }

    fn number(&self, file: &KArc<File>) -> usize {
        self.0.iter().position(|(f, _)| std::ptr::eq(&***f, &***file)).unwrap()
    }
}

fn step(l: &mut Lwp<'_>, table: &FdTable, model: &mut Model, files: &mut Files, op: &Op) {
    match *op {
        Op::Open { min, cloexec } => {
            let n = files.make(l);
            let expected = model.lowest(min);
            assert_eq!(table.install(l, files.0[n].0.clone(), min, cloexec), expected);
            match expected {
                Ok(fd) => _ = model.open.insert(fd, (n, cloexec)),
                // It never had a descriptor: nothing closes it.
                Err(_) => _ = files.0.pop(),
            }
        }
        Op::Dup { from, min } => {
            let Some((n, _)) = model.open.get(&from).copied() else { return };
            let file = table.get(l, from).unwrap();
            let expected = model.lowest(min);
            assert_eq!(table.install(l, file, min, false), expected);
            expected.map(|fd| model.open.insert(fd, (n, false))).ok();
        }
        Op::DupTo { from, to, cloexec } => {
            let Some((n, _)) = model.open.get(&from).copied() else { return };
            let file = table.get(l, from).unwrap();
            let done = table.install_at(l, file, to, cloexec);
            let is_reserved = model.reserved.contains(&to);
            let usual = if is_reserved { Err(Errno::Busy) } else { Ok(to) };
            assert_eq!(done, if to < MAX_FDS { usual } else { Err(Errno::BadFile) });
            done.map(|fd| model.open.insert(fd, (n, cloexec))).ok();
        }
        Op::Reserve => {
            let reserved = table.reserve(l);
            assert_eq!(reserved, model.lowest(0));
            model.reserved.extend(reserved);
        }
        Op::Settle { fill, cloexec } => {
            let Some(fd) = model.reserved.pop_first() else { return };
            if !fill {
                return table.release(l, fd);
            }
            let n = files.make(l);
            assert_eq!(table.fill(l, fd, files.0[n].0.clone(), cloexec), Ok(()));
            model.open.insert(fd, (n, cloexec));
        }
        Op::Close(fd) => {
            let expected = model.open.remove(&fd).map(|_| ()).ok_or(Errno::BadFile);
            assert_eq!(table.close(l, fd), expected);
        }
        Op::SetCloexec(fd, on) => {
            let expected = model.open.get_mut(&fd).map(|e| e.1 = on).ok_or(Errno::BadFile);
            assert_eq!(table.set_close_on_exec(l, fd, on), expected);
        }
        Op::Copy | Op::CloseAll => unreachable!("done by the test"),
    }
}

/// The table shows what the model has, and the files that neither has are closed, once.
fn compare(l: &mut Lwp<'_>, tables: &[(FdTable, Model)], files: &Files) {
    for (table, model) in tables {
        assert_eq!(table.count(l), model.open.len());
        for fd in (0..250).chain([MAX_FDS - 1, MAX_FDS, Fd::MAX]) {
            let found = table.get(l, fd).map(|f| files.number(&f));
            assert_eq!(found.ok(), model.open.get(&fd).map(|e| e.0), "descriptor {fd}");
            let cloexec = table.close_on_exec(l, fd).ok();
            assert_eq!(cloexec, model.open.get(&fd).map(|e| e.1), "descriptor {fd}");
        }
    }
    for (n, (_, closed)) in files.0.iter().enumerate() {
        let open = tables.iter().any(|(_, model)| model.open.values().any(|e| e.0 == n));
        assert_eq!(closed.load(Ordering::Relaxed), u32::from(!open), "file {n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_table_is_a_map(ops in prop::collection::vec((0..3_usize, op()), 1..60)) {
        let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
        let visit = kernel.enter(|l| {
            let mut files = Files(Vec::new());
            let mut tables = vec![(FdTable::new(l), Model::default())];
            for (which, op) in &ops {
                let which = which % tables.len();
                match op {
                    Op::Copy if tables.len() < 3 => {
                        let copy = FdTable::new(l);
                        tables[which].0.copy_to(l, &copy).unwrap();
                        // What is about to come is one process's.
                        let model = Model { reserved: BTreeSet::new(), ..tables[which].1.clone() };
                        tables.push((copy, model));
                    }
                    Op::Copy => {}
                    Op::CloseAll => {
                        let (table, model) = &mut tables[which];
                        table.close_all(l);
                        // One that comes late is closed.
                        for fd in core::mem::take(&mut model.reserved) {
                            let n = files.make(l);
                            let late = table.fill(l, fd, files.0[n].0.clone(), false);
                            assert_eq!(late, Err(Errno::BadFile));
                        }
                        *model = Model::default();
                    }
                    op => {
                        let (table, model) = &mut tables[which];
                        step(l, table, model, &mut files, op);
                    }
                }
                compare(l, &tables, &files);
            }
            for (table, model) in &mut tables {
                table.close_all(l);
                *model = Model::default();
            }
            compare(l, &tables, &files);
        });
        prop_assert!(visit.is_ok(), "the model and the table differ");
        end(kernel);
    }
}
