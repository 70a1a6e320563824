//! The states, clause by clause, and any sequence of events against what must always hold.
//!
//! Locking: none.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

extern crate std;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MINE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

/// A client, the time, and random numbers that count.
struct Run {
    client: Client,
    now: Instant,
    seed: u32,
}

impl Run {
    fn new() -> Run {
        Run { client: Client::new(MAC), now: Instant::from_nanos(1_000_000_000_000), seed: 1000 }
    }

    fn begin(&mut self) -> Actions {
        let seed = &mut self.seed;
        self.client.begin(self.now, &mut || {
            *seed += 1;
            *seed
        })
    }

    fn pass(&mut self, time: Duration) -> Actions {
        self.now = self.now + time;
        let seed = &mut self.seed;
        self.client.expire(self.now, &mut || {
            *seed += 1;
            *seed
        })
    }

    /// Until the deadline; how long that was, and what is done then.
    fn wait(&mut self) -> (Duration, Actions) {
        let time = self.client.deadline().unwrap().saturating_since(self.now);
        (time, self.pass(time))
    }

    fn reply(&mut self, kind: Kind, change: impl FnOnce(&mut Message)) -> Actions {
        let mut message = Message {
            kind,
            xid: self.client.xid,
            client: MAC,
            address: MINE,
            server: Some(SERVER),
            mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            router: Some(SERVER),
            name_servers: [None; 3],
            lease: Some(3600),
            renew: None,
            rebind: None,
        };
        change(&mut message);
        self.client.receive(&message, self.now)
    }

    /// Up to a lease.
    fn bound() -> Run {
        let mut run = Run::new();
        run.begin();
        run.reply(Kind::Offer, |_| {});
        run.reply(Kind::Ack, |_| {});
        while !matches!(run.client.state(), State::Bound) {
            run.wait();
        }
        run
    }
}

/// The messages among actions.
fn sent(actions: &[Action]) -> Vec<(Kind, To)> {
    let message = |action: &Action| match action {
        Action::Send(request, to) => Some((request.kind, *to)),
        _ => None,
    };
    actions.iter().filter_map(message).collect()
}

fn only(actions: &[Action]) -> Request {
    match actions {
        [Action::Send(request, _)] => *request,
        other => panic!("one message: {other:?}"),
    }
}

#[test]
fn rfc2131_section_3_1_a_lease_is_got() {
    let mut run = Run::new();
    let discover = run.begin();
    assert_eq!(sent(&discover), [(Kind::Discover, To::Everybody)]);
    assert_eq!(only(&discover).address, Ipv4Addr::UNSPECIFIED);
    let request = only(&run.reply(Kind::Offer, |_| {}));
    assert_eq!(
        (request.kind, request.requested, request.server),
        (Kind::Request, Some(MINE), Some(SERVER))
    );
    assert_eq!(request.xid, only(&discover).xid, "§4.4.1: the same exchange");
    assert_eq!(request.address, Ipv4Addr::UNSPECIFIED, "§4.3.2: not before it is bound");
    let acked = run.reply(Kind::Ack, |_| {});
    assert_eq!(acked[..], [Action::Probe(MINE)]);
    assert_eq!(run.wait().1[..], [Action::Probe(MINE)]);
    let (_, bound) = run.wait();
    let config = Config { address: MINE, prefix: 24, router: Some(SERVER) };
    assert_eq!(bound[0], Action::Configure(config));
    assert_eq!(run.client.state(), State::Bound);
    // Nothing until T1, which counts from the request.
    let (time, renewing) = run.wait();
    assert_eq!(time + PROBE_EVERY * u32::from(PROBES), Duration::from_secs(1800));
    assert_eq!(sent(&renewing), [(Kind::Request, To::Server(SERVER))]);
}

#[test]
fn rfc2131_section_4_1_patience_doubles() {
    let mut run = Run::new();
    run.begin();
    let xid = run.client.xid;
    for expected in [4, 8, 16, 32, 64, 64, 64] {
        let (time, again) = run.wait();
        let near = time.as_millis().abs_diff(expected * 1000);
        assert!(near <= 1000, "{time:?} is not about {expected} s");
        assert_eq!(sent(&again), [(Kind::Discover, To::Everybody)]);
        assert_eq!(only(&again).xid, xid);
    }
    let secs = only(&run.wait().1).secs;
    assert!((250..400).contains(&secs), "{secs} seconds since it began");
}

#[test]
fn an_offer_without_an_answer_is_given_up() {
    let mut run = Run::new();
    run.begin();
    run.reply(Kind::Offer, |_| {});
    for _ in 1..REQUESTS {
        assert_eq!(sent(&run.wait().1), [(Kind::Request, To::Everybody)]);
    }
    let before = run.client.xid;
    assert_eq!(sent(&run.wait().1), [(Kind::Discover, To::Everybody)]);
    assert_ne!(run.client.xid, before, "another exchange");
}

#[test]
fn what_is_for_others_changes_nothing() {
    let mut run = Run::new();
    run.begin();
    assert!(run.reply(Kind::Offer, |m| m.xid ^= 1).is_empty());
    assert!(run.reply(Kind::Offer, |m| m.client = MacAddr::local(9)).is_empty());
    assert!(run.reply(Kind::Offer, |m| m.server = None).is_empty());
    for nonsense in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
        assert!(run.reply(Kind::Offer, |m| m.address = nonsense.into()).is_empty());
    }
    assert!(run.reply(Kind::Ack, |_| {}).is_empty(), "nobody asked");
    assert!(run.reply(Kind::Nak, |_| {}).is_empty());
    assert_eq!(run.client.state(), State::Selecting);
    run.reply(Kind::Offer, |_| {});
    assert!(run.reply(Kind::Offer, |m| m.server = Some(OTHER)).is_empty(), "the first one counts");
    assert!(run.reply(Kind::Ack, |m| m.server = Some(OTHER)).is_empty(), "another server's");
    assert!(run.reply(Kind::Ack, |m| m.lease = None).is_empty(), "for how long?");
    let holes = Ipv4Addr::new(255, 0, 255, 0);
    assert!(run.reply(Kind::Ack, |m| m.mask = Some(holes)).is_empty());
    assert!(matches!(run.client.state(), State::Requesting { .. }));
}

#[test]
fn a_refusal_begins_all_again_after_a_while() {
    let mut run = Run::new();
    run.begin();
    run.reply(Kind::Offer, |_| {});
    assert_eq!(run.reply(Kind::Nak, |_| {})[..], [Action::Tell(News::Refused)]);
    let (time, again) = run.wait();
    assert_eq!((time, sent(&again)), (PAUSE, [(Kind::Discover, To::Everybody)].into()));
}

#[test]
fn rfc2131_section_3_1_5_an_address_in_use_is_declined() {
    let mut run = Run::new();
    run.begin();
    run.reply(Kind::Offer, |_| {});
    let thief = MacAddr::local(9);
    assert!(run.client.heard(MINE, thief, run.now).is_empty(), "not ours yet");
    run.reply(Kind::Ack, |_| {});
    assert!(run.client.heard(OTHER, thief, run.now).is_empty());
    assert!(run.client.heard(MINE, MAC, run.now).is_empty(), "that is us");
    let actions = run.client.heard(MINE, thief, run.now);
    let [Action::Send(decline, To::Everybody), Action::Tell(News::InUse(MINE, mac))] = actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((decline.kind, decline.secs, mac), (Kind::Decline, 0, thief));
    assert_eq!((decline.requested, decline.server), (Some(MINE), Some(SERVER)));
    let (time, again) = run.wait();
    assert_eq!(
        (time, sent(&again)),
        (Duration::from_secs(10), [(Kind::Discover, To::Everybody)].into())
    );
}

#[test]
fn rfc2131_section_4_4_5_a_lease_is_prolonged() {
    let mut run = Run::bound();
    for _ in 0..100 {
        let (_, actions) = run.wait();
        let request = only(&actions);
        assert_eq!((request.address, request.requested, request.server), (MINE, None, None));
        assert_eq!(run.client.state(), State::Renewing);
        run.now = run.now + Duration::from_secs(3);
        assert!(run.reply(Kind::Ack, |_| {}).is_empty(), "nothing changes on the interface");
        let lease = *run.client.lease().unwrap();
        // From the request on, not from the answer.
        assert_eq!(lease.end, run.now + Duration::from_secs(3597));
    }
}

#[test]
fn rfc2131_section_4_4_5_silence_ends_a_lease() {
    let mut run = Run::bound();
    let end = run.client.lease().unwrap().end;
    let mut asked = Vec::new();
    loop {
        let (_, actions) = run.wait();
        asked.extend(sent(&actions).iter().map(|(_, to)| *to));
        if actions.contains(&Action::Unconfigure) {
            let news = [Action::Unconfigure, Action::Tell(News::Ended)];
            assert_eq!(actions[..2], news);
            assert_eq!(sent(&actions), [(Kind::Discover, To::Everybody)]);
            break;
        }
    }
    assert_eq!(run.now, end, "not before, and not after");
    let direct = asked.iter().take_while(|to| **to == To::Server(SERVER)).count();
    let broadcast = asked.len() - direct;
    assert!((3..=8).contains(&direct), "half of what is left each time: {direct}");
    assert!((3..=6).contains(&broadcast), "{broadcast}");
    assert!(asked[direct..].iter().all(|to| *to == To::Everybody));
}

#[test]
fn another_server_may_prolong_a_lease() {
    let mut run = Run::bound();
    while !matches!(run.client.state(), State::Rebinding) {
        run.wait();
    }
    assert!(run.reply(Kind::Ack, |m| m.server = Some(OTHER)).is_empty());
    assert_eq!(run.client.lease().unwrap().server, OTHER);
    assert_eq!(sent(&run.wait().1), [(Kind::Request, To::Server(OTHER))]);
    // With another address, that is another configuration.
    let config = Config { address: OTHER, prefix: 24, router: Some(SERVER) };
    let actions = run.reply(Kind::Ack, |m| m.address = OTHER);
    assert_eq!(actions[0], Action::Configure(config));
    run.wait();
    let actions = run.reply(Kind::Nak, |_| {});
    assert_eq!(actions[..], [Action::Unconfigure, Action::Tell(News::Refused)]);
    assert!(run.client.lease().is_none());
}

#[test]
fn rfc2131_section_3_3_a_lease_for_ever_is_never_renewed() {
    let mut run = Run::new();
    run.begin();
    run.reply(Kind::Offer, |_| {});
    run.reply(Kind::Ack, |m| m.lease = Some(u32::MAX));
    run.wait();
    run.wait();
    assert_eq!((run.client.state(), run.client.deadline()), (State::Bound, None));
    assert_eq!(run.client.lease().unwrap().seconds, None);
}

#[test]
fn times_that_make_no_sense_are_replaced() {
    let of = |lease, renew, rebind| {
        let mut run = Run::new();
        run.begin();
        run.reply(Kind::Offer, |_| {});
        run.reply(Kind::Ack, |m| (m.lease, m.renew, m.rebind) = (Some(lease), renew, rebind));
        let State::Checking { lease, .. } = run.client.state() else { panic!() };
        [lease.renew, lease.rebind, lease.end].map(|at| at.saturating_since(run.now).as_secs())
    };
    assert_eq!(of(800, None, None), [400, 700, 800]);
    assert_eq!(of(800, Some(100), Some(200)), [100, 200, 800]);
    assert_eq!(of(800, Some(300), Some(200)), [200, 200, 800], "T1 after T2");
    assert_eq!(of(800, Some(900), Some(900)), [400, 700, 800], "after the end");
    assert_eq!(of(0, Some(0), Some(0)), [1, 0, 10], "a moment");
}

#[test]
fn a_lease_is_given_back() {
    let mut run = Run::bound();
    let actions = run.client.release(&mut || 7);
    let [Action::Send(release, To::Server(SERVER)), Action::Unconfigure] = actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (release.kind, release.address, release.server),
        (Kind::Release, MINE, Some(SERVER))
    );
    assert_eq!((run.client.state(), run.client.deadline()), (State::Stopped, None));
    assert!(run.client.release(&mut || 7).is_empty(), "once");
    assert_eq!(sent(&run.begin()), [(Kind::Discover, To::Everybody)], "and again");
}

#[derive(Clone, Debug)]
enum Event {
    Begin,
    Release,
    Refused,
    Wait,
    Pass(u32),
    Reply(u8, u8, u32, u8),
    Heard(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Begin),
        1 => Just(Event::Release),
        1 => Just(Event::Refused),
        12 => Just(Event::Wait),
        4 => any::<u32>().prop_map(Event::Pass),
        20 => (1..9u8, any::<u8>(), any::<u32>(), any::<u8>())
            .prop_map(|(kind, address, lease, odd)| Event::Reply(kind, address, lease, odd)),
        1 => any::<bool>().prop_map(Event::Heard),
    ]
}

proptest! {
    #[test]
    fn whatever_happens(events in proptest::collection::vec(event(), 0..200)) {
        let mut run = Run::new();
        let mut configured = None;
        for event in events {
            let actions = match event {
                Event::Begin => run.begin(),
                Event::Release => run.client.release(&mut || 5),
                Event::Refused => {
                    run.client.refused(run.now);
                    configured = None;
                    Actions::new()
                }
                Event::Wait if run.client.deadline().is_some() => run.wait().1,
                Event::Wait => Actions::new(),
                Event::Pass(ms) => run.pass(Duration::from_millis(ms.into())),
                Event::Reply(kind, address, lease, odd) => {
                    use Kind::{Ack, Nak, Offer};
                    let kind = [Offer, Ack, Ack, Nak, Offer, Ack, Offer, Ack][usize::from(kind) - 1];
                    run.reply(kind, |m| {
                        m.address = Ipv4Addr::new(10, 0, 0, address);
                        m.lease = (odd & 1 == 0).then_some(lease);
                        m.server = (odd & 2 == 0).then_some(SERVER);
                        m.renew = (odd & 4 == 0).then_some(lease / 3);
                        m.xid ^= u32::from(odd & 16 != 0);
                    })
                }
                Event::Heard(mine) => {
                    let mac = if mine { MAC } else { MacAddr::local(3) };
                    run.client.heard(MINE, mac, run.now)
                }
            };
            for action in &actions {
                match action {
                    Action::Configure(config) => configured = Some(*config),
                    Action::Unconfigure => {
                        prop_assert!(configured.is_some(), "there is something to take away");
                        configured = None;
                    }
                    Action::Send(request, To::Server(_)) => {
                        prop_assert!(!request.address.is_unspecified());
                    }
                    _ => {}
                }
            }
            // What the interface has is what was lent, for as long as that is.
            prop_assert_eq!(configured, run.client.lease().map(|lease| lease.config));
            // It never waits for nothing: but when it is stopped, or has a lease for ever.
            if run.client.deadline().is_none() {
                let for_ever = run.client.lease().is_some_and(|lease| lease.seconds.is_none());
                prop_assert!(run.client.state() == State::Stopped || for_ever);
            }
            prop_assert!(actions.len() <= 4);
        }
    }
}
