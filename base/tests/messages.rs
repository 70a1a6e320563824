//! The message buffer, and random numbers.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::{Kernel, kprintf, msgbuf};
use sim::Sim;
use support::{boot, end};

base::kernel!(EMPTY = []);

#[test]
fn messages_are_lines_of_their_kernel() {
    let sim = Sim::seeded(1);
    let (a, b) = (boot(&sim, &EMPTY, 1), boot(&sim, &EMPTY, 1));
    a.enter(|l| {
        kprintf!(l, "one {}", 1);
        kprintf!(l, "forged\nline");
    })
    .unwrap();
    let text = |k: &Kernel| k.enter(|l| msgbuf::dmesg(l)).unwrap();
    let lines = text(&a);
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("anykernel ") && lines[0].contains("EMPTY"));
    assert_eq!(lines[1..], ["one 1", "forged line"]);
    assert_eq!(text(&b).lines().count(), 1, "a neighbour's messages are its own");
}

#[test]
fn the_message_buffer_forgets_its_oldest_lines() {
    for width in [10, 37, 100] {
        let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
        let used = kernel.account().used();
        let line = |n: usize| format!("{n:0>width$}");
        for n in 0..5000 {
            kernel.enter(|l| kprintf!(l, "{}", line(n))).unwrap();
            if n % 777 == 0 || n == 4999 {
                let text = kernel.enter(|l| msgbuf::dmesg(l)).unwrap();
                let lines: Vec<_> = text.lines().filter(|l| !l.starts_with("any")).collect();
                let first = n + 1 - lines.len();
                let expected: Vec<_> = (first..=n).map(line).collect();
                assert_eq!(lines, expected, "whole lines, in order, up to the newest");
                let bytes = lines.len() * (width + 1);
                assert!(n < 2000 || bytes + width + 1 >= msgbuf::LIMIT, "it is full: {bytes}");
                assert!(text.len() <= msgbuf::LIMIT);
            }
        }
        assert!(kernel.account().used() <= used + msgbuf::LIMIT as u64 + 64);
        end(kernel);
    }
}

#[test]
fn messages_without_memory_lose_old_lines_and_nothing_else() {
    let sim = Sim::seeded(1);
    let kernel = boot(&sim, &EMPTY, 1);
    sim.faults().refuse_from(1);
    for n in 0..100 {
        kernel.enter(|l| kprintf!(l, "{n:04}")).unwrap();
    }
    let text = kernel.enter(|l| msgbuf::dmesg(l)).unwrap();
    assert!(text.ends_with("0099\n"), "{text:?}");
    assert!(text.lines().all(|l| l.len() == 4), "{text:?}");
    sim.faults().clear();
    end(kernel);
}

#[test]
fn random_numbers_follow_from_the_hosts_entropy() {
    let numbers = |seed| {
        let kernel = boot(&Sim::seeded(seed), &EMPTY, 1);
        kernel
            .enter(|l| {
                let below: Vec<_> = (0..2000).map(|_| base::random::below(l, 10)).collect();
                for n in 0..10 {
                    let count = below.iter().filter(|b| **b == n).count();
                    assert!((100..300).contains(&count), "{n} came {count} times of 2000");
                }
                assert!(below.iter().all(|b| *b < 10));
                assert_eq!(base::random::below(l, 0), 0);
                assert_eq!(base::random::below(l, 1), 0);
                (base::random::u32(l), base::random::u64(l))
            })
            .unwrap()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
}
