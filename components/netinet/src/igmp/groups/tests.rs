//! Scripts: what a host says to routers, clause by clause.
//!
//! A line is one of `join A`, `leave A`, `query VERSION [A] max TENTHS`, `heard A`, `down`, `up`, `+MS`
//! (time passes, and random numbers are in the middle of their range), `> REPORT`: what must be said
//! next, `quiet`: nothing more is due ever. `A` is the last number of 239.0.0.A; `all` is 224.0.0.1.

use super::*;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

const MS: u64 = 1_000_000;

struct Host {
    groups: Groups,
    now: u64,
    said: VecDeque<String>,
}

fn group(text: &str) -> Ipv4Addr {
    if text == "all" { ALL_HOSTS } else { Ipv4Addr::new(239, 0, 0, text.parse().unwrap()) }
}

fn shown(report: &Report) -> String {
    let last = |addr: &Ipv4Addr| addr.octets()[3];
    match report {
        Report::V1(g) => format!("v1 {}", last(g)),
        Report::V2(g) => format!("v2 {}", last(g)),
        Report::Leave(g) => format!("leave {}", last(g)),
        Report::V3(records) => {
            let word = |change: &Change| match change {
                Change::Is => "is",
                Change::Joined => "joined",
                Change::Left => "left",
            };
            let each = records.as_slice().iter().map(|(c, g)| format!(" {} {}", word(c), last(g)));
            format!("v3{}", each.collect::<String>())
        }
    }
}

impl Host {
    fn new() -> Host {
        Host { groups: Groups::default(), now: SECOND, said: VecDeque::new() }
    }

    fn pump(&mut self) {
        let mut middle = || 1 << 31;
        while let Some(report) = self.groups.poll(self.now, &mut middle) {
            self.said.push_back(shown(&report));
        }
    }

    /// Time passes, deadline by deadline.
    fn pass(&mut self, ns: u64) {
        let end = self.now + ns;
        while let Some(at) = self.groups.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.pump();
        }
        self.now = end;
        self.pump();
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (now, mut middle) = (self.now, || 1 << 31);
        match *words.as_slice() {
            ["join", a] => self.groups.join(group(a), now, &Account::standalone()).unwrap(),
            ["leave", a] => self.groups.leave(group(a), now),
            ["heard", a] => self.groups.heard(group(a), now),
            ["down"] => self.groups.silence(),
            ["up"] => self.groups.announce(now),
            ["query", version, .., "max", tenths] => {
                let version = match version {
                    "v1" => Version::V1,
                    "v2" => Version::V2,
                    _ => Version::V3,
                };
                let max_response_ns = tenths.parse::<u64>().unwrap() * 100 * MS;
                let group = (words.len() == 5).then(|| group(words[2]));
                let query =
                    Query { version, group, max_response_ns, robustness: 0, interval_ns: 0 };
                self.groups.query(&query, now, &mut middle);
            }
            [">", ..] => {
                assert_eq!(self.said.pop_front().as_deref(), line.strip_prefix("> "), "{line}");
                return;
            }
            ["quiet"] => {
                assert_eq!((self.said.pop_front(), self.groups.deadline()), (None, None), "{line}");
                return;
            }
            [ms] => {
                assert_eq!(self.said.front(), None, "before {line}");
                return self.pass(ms.strip_prefix('+').unwrap().parse::<u64>().unwrap() * MS);
            }
            _ => panic!("{line}"),
        }
        self.pump();
    }
}

fn script(text: &str) {
    let mut host = Host::new();
    for line in text.lines().map(str::trim) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            host.line(line);
        }
    }
    assert_eq!(host.said, VecDeque::<String>::new(), "at the end");
}

#[test]
fn rfc3376_5_1_a_change_is_told_as_often_as_the_robustness_says() {
    script(
        "join 1
         > v3 joined 1
         +499
         +1                # half of the unsolicited report interval of a second
         > v3 joined 1
         quiet
         leave 1
         > v3 left 1
         +500
         > v3 left 1
         quiet",
    );
}

#[test]
fn rfc3376_5_1_a_later_change_takes_the_place_of_an_earlier_one() {
    script(
        "join 1
         > v3 joined 1
         leave 1
         > v3 left 1
         join 1
         > v3 joined 1
         +500
         > v3 joined 1
         quiet",
    );
}

#[test]
fn rfc3376_5_2_a_query_for_all_is_answered_at_once_for_all_after_a_random_time() {
    script(
        "join 1
         > v3 joined 1
         join 2
         > v3 joined 2
         +500
         > v3 joined 1 joined 2
         query v3 max 100
         +4999
         +1
         > v3 is 1 is 2
         quiet",
    );
}

#[test]
fn rfc3376_5_2_one_answer_is_pending_at_a_time() {
    script(
        "join 1
         > v3 joined 1
         +500
         > v3 joined 1
         query v3 max 100   # due after 5 s
         query v3 max 200   # rule 1: the one that is pending comes sooner
         query v3 1 max 100
         query v3 max 10    # rule 2: sooner, so it takes its place
         +500
         > v3 is 1
         quiet",
    );
}

#[test]
fn rfc3376_5_2_a_query_for_a_group_is_answered_by_who_is_in_it() {
    script(
        "join 1
         > v3 joined 1
         +500
         > v3 joined 1
         query v3 2 max 10
         quiet
         query v3 1 max 100
         query v3 1 max 10  # rule 5: the earlier of both
         +500
         > v3 is 1
         quiet
         leave 1
         > v3 left 1
         query v3 1 max 1
         +500
         > v3 left 1
         quiet",
    );
}

#[test]
fn rfc3376_7_2_1_older_routers_are_spoken_to_as_they_expect() {
    script(
        "query v2 max 100
         join 1
         > v2 1
         +5000              # RFC 2236 §3: once more, after a random time up to ten seconds
         > v2 1
         query v2 max 100
         +5000
         > v2 1
         leave 1
         > leave 1
         quiet
         +245000            # 250 s after the query before, 260 s after the last one in all
         join 2
         > v2 2
         +15000             # §8.12: by then nobody of version 2 has asked for that long
         > v2 2
         join 3
         > v3 joined 3
         +500
         > v3 joined 3
         quiet",
    );
}

#[test]
fn rfc2236_3_a_report_of_another_is_enough() {
    script(
        "query v2 max 100
         join 1
         > v2 1
         heard 1
         quiet
         query v2 max 100
         +4000
         heard 1
         quiet
         leave 1            # who was not the last to report leaves without a word
         quiet",
    );
}

#[test]
fn rfc2236_3_a_running_timer_is_set_anew_only_if_it_would_be_late() {
    script(
        "query v2 max 100
         join 1
         > v2 1
         +5000
         > v2 1
         query v2 max 100
         query v2 max 200   # in time for it
         query v2 1 max 10  # not for this one
         +500
         > v2 1
         quiet
         query v2 2 max 10
         quiet",
    );
}

#[test]
fn rfc2236_4_routers_of_version_1_hear_no_leave() {
    script(
        "query v1 max 100
         join 1
         > v1 1
         +5000
         > v1 1
         query v1 max 100
         +5000
         > v1 1
         leave 1
         quiet",
    );
}

#[test]
fn rfc2236_6_all_hosts_are_never_reported() {
    script(
        "join all
         quiet
         query v3 max 10
         +1000
         leave all
         quiet",
    );
}

#[test]
fn an_interface_that_comes_up_tells_of_its_groups_again() {
    script(
        "join 1
         > v3 joined 1
         down
         quiet
         up
         > v3 joined 1
         +500
         > v3 joined 1
         quiet",
    );
}

#[test]
fn many_groups_take_several_reports() {
    let mut host = Host::new();
    for n in 0..70 {
        host.groups.join(Ipv4Addr::new(239, 0, 0, n), host.now, &Account::standalone()).unwrap();
    }
    host.pump();
    assert_eq!(host.said.len(), 3, "32, 32 and 6");
    host.pass(SECOND);
    host.said.clear();
    host.line("query v3 max 10");
    host.pass(SECOND);
    let said: String = host.said.drain(..).collect::<Vec<_>>().join(" ");
    assert_eq!(said.matches("is ").count(), 70);
    assert!(said.starts_with("v3 is 0 is 1 ") && said.ends_with(" is 69"));
    host.line("quiet");
}

proptest! {
    /// Whatever happens, it ends: nothing is said for ever, and no group is left that nobody is in.
    #[test]
    fn any_sequence_comes_to_rest(steps in proptest::collection::vec((0_u8..7, 0_u8..4, 0_u64..200), 0..100)) {
        let mut host = Host::new();
        let mut joined = [false; 4];
        for (what, g, n) in steps {
            match what {
                0 if !joined[usize::from(g)] => {
                    joined[usize::from(g)] = true;
                    host.line(&format!("join {g}"));
                }
                1 if joined[usize::from(g)] => {
                    joined[usize::from(g)] = false;
                    host.line(&format!("leave {g}"));
                }
                2 => host.line(&format!("query v{} max {n}", g % 3 + 1)),
                3 => host.line(&format!("query v3 {g} max {n}")),
                4 => host.line(&format!("heard {g}")),
                _ => host.pass(n * 1000 * MS),
            }
            host.said.clear();
        }
        host.pass(10_000 * SECOND);
        prop_assert_eq!(host.groups.deadline(), None);
        prop_assert_eq!(host.groups.list.len(), joined.iter().filter(|j| **j).count());
    }
}
