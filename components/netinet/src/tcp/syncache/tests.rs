//! Handshakes, from their first SYN on.

use super::*;
use core::net::SocketAddrV4;

const SECRET: Secret = Secret([1, 2]);
const OFFER: Offer = Offer { mss: 1460, window: 65535, ecn: true, defer: 0 };

fn place(port: u16) -> Place {
    let pair = Pair {
        local: SocketAddrV4::new([10, 0, 0, 1].into(), 80),
        peer: SocketAddrV4::new([10, 0, 0, 2].into(), port),
    };
    Place { pair, device: 0 }
}

fn syn(seq: u32) -> Segment {
    let options = Options {
        mss: Some(1400),
        scale: Some(3),
        sack_permitted: true,
        timestamps: Some((77, 0)),
        ..Options::default()
    };
    let seq = Seq(seq);
    Segment { seq, control: Control::SYN, window: 1000, options, ..Segment::default() }
}

fn ack(to: &Segment) -> Segment {
    let (seq, ack) = (to.ack, to.seq + 1);
    Segment { seq, ack, control: Control::ACK, window: 9, ..Segment::default() }
}

fn cache(limit: usize) -> SynCache {
    SynCache::new(&Account::standalone(), limit)
}

#[test]
fn rfc9293_3_10_7_2_a_syn_is_answered_and_its_acknowledgment_makes_a_connection() {
    let mut c = cache(9);
    let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
    assert_eq!((answer.ack, answer.control), (Seq(101), Control::SYN | Control::ACK));
    assert_eq!((answer.options.mss, answer.options.scale), (Some(1460), Some(OUR_SCALE)));
    assert_eq!(answer.options.timestamps.unwrap().1, 77, "RFC 7323 §3.2");
    assert_eq!(c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0), answer, "sent again");
    assert_eq!(c.len(), 1);
    let Outcome::Done(done) = c.finish(&SECRET, &place(5), &ack(&answer), false, 0) else {
        panic!()
    };
    assert_eq!(done.iss, answer.seq);
    assert_eq!(done.agreed, Agreed::of(&syn(100)));
    assert!(c.is_empty());
}

#[test]
fn rfc9293_3_10_7_4_what_does_not_fit_is_reset_or_answered_again() {
    let mut c = cache(9);
    let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
    let bad = Segment { ack: answer.seq + 7, ..ack(&answer) };
    let Outcome::Reply(reset) = c.finish(&SECRET, &place(5), &bad, false, 0) else { panic!() };
    assert_eq!((reset.seq, reset.control), (bad.ack, Control::RST));
    let old = Segment { seq: Seq(50), ..ack(&answer) };
    assert_eq!(c.finish(&SECRET, &place(5), &old, false, 0), Outcome::Reply(answer));
    let mut rst = Segment { control: Control::RST, seq: Seq(105), ..Segment::default() };
    assert_eq!(c.finish(&SECRET, &place(5), &rst, false, 0), Outcome::Nothing);
    assert_eq!(c.len(), 1, "RFC 5961 §3.2: the number is not exactly right");
    rst.seq = Seq(101);
    c.finish(&SECRET, &place(5), &rst, false, 0);
    assert!(c.is_empty());
    let Outcome::Reply(reset) = c.finish(&SECRET, &place(5), &ack(&answer), false, 0) else {
        panic!()
    };
    assert_eq!(reset.control, Control::RST, "§3.10.7.2: an acknowledgment in LISTEN");
}

#[test]
fn halves_that_came_by_two_interfaces_are_two() {
    let mut c = cache(9);
    let [one, two] = [1, 2].map(|device| Place { device, ..place(5) });
    let answer = c.syn(&SECRET, &one, &syn(100), OFFER, None, 0);
    c.syn(&SECRET, &two, &syn(200), OFFER, None, 0);
    assert_eq!(c.len(), 2);
    assert!(matches!(c.finish(&SECRET, &place(5), &ack(&answer), false, 0), Outcome::Reply(_)));
    assert!(matches!(c.finish(&SECRET, &one, &ack(&answer), false, 0), Outcome::Done(_)));
    assert_eq!(c.expire(&SECRET, SECOND).map(|(place, _)| place), Some(two));
}

#[test]
fn rfc9293_3_8_1_answers_are_sent_again_and_given_up() {
    let mut c = cache(9);
    let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
    let mut times = Vec::new();
    while let Some(due) = c.deadline() {
        while let Some((to, seg)) = c.expire(&SECRET, due) {
            assert_eq!((to, seg.seq), (place(5), answer.seq));
            times.push(due / SECOND);
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 31]);
    assert!(c.is_empty());
}

fn deferring(defer: u8) -> Offer {
    Offer { defer, ..OFFER }
}

#[test]
fn who_defers_takes_the_first_data_for_the_end_of_the_handshake() {
    let mut c = cache(9);
    let answer = c.syn(&SECRET, &place(5), &syn(100), deferring(3), None, 0);
    for _ in 0..2 {
        assert_eq!(c.finish(&SECRET, &place(5), &ack(&answer), false, 0), Outcome::Nothing);
    }
    assert_eq!(c.len(), 1);
    let data = Segment { len: 5, ..ack(&answer) };
    assert!(matches!(c.finish(&SECRET, &place(5), &data, false, 0), Outcome::Done(_)));
    // So is the end of a stream without any; and a reset ends the wait.
    let answer = c.syn(&SECRET, &place(6), &syn(100), deferring(3), None, 0);
    let fin = Segment { control: Control::ACK | Control::FIN, ..ack(&answer) };
    assert!(matches!(c.finish(&SECRET, &place(6), &fin, false, 0), Outcome::Done(_)));
    let answer = c.syn(&SECRET, &place(7), &syn(100), deferring(3), None, 0);
    c.finish(&SECRET, &place(7), &ack(&answer), false, 0);
    let rst = Segment { control: Control::RST, seq: Seq(101), ..Segment::default() };
    c.finish(&SECRET, &place(7), &rst, false, 0);
    assert!(c.is_empty());
}

#[test]
fn what_is_deferred_is_asked_once_more_in_the_end() {
    for (defer, acknowledged, sent) in [
        (1, true, &[1, 3, 7, 15, 31][..]),
        (3, true, &[7, 15, 31]),
        // Longer than who does not acknowledge at all is waited for.
        (7, true, &[127]),
        (7, false, &[1, 3, 7, 15, 31]),
    ] {
        let mut c = cache(9);
        let answer = c.syn(&SECRET, &place(5), &syn(100), deferring(defer), None, 0);
        let is_deferred = |c: &mut SynCache, now| {
            c.finish(&SECRET, &place(5), &ack(&answer), false, now) == Outcome::Nothing
        };
        let mut times = Vec::new();
        while let Some(due) = c.deadline() {
            assert!(!acknowledged || !times.is_empty() || is_deferred(&mut c, due - 1));
            if c.expire(&SECRET, due).is_some() {
                times.push(due / SECOND);
            }
        }
        assert_eq!(times, sent, "{defer}");
        if !acknowledged {
            continue;
        }
        // The acknowledgment of the first of them counts.
        c.syn(&SECRET, &place(5), &syn(100), deferring(defer), None, 0);
        assert!(is_deferred(&mut c, 0));
        while c.expire(&SECRET, c.deadline().unwrap()).is_none() {}
        assert!(!is_deferred(&mut c, sent[0] * SECOND));
        assert!(c.is_empty());
    }
}

#[test]
fn no_more_than_half_of_the_places_wait_for_data() {
    let mut c = cache(4);
    for port in [5, 6, 7] {
        let answer = c.syn(&SECRET, &place(port), &syn(100), deferring(9), None, 0);
        let done = c.finish(&SECRET, &place(port), &ack(&answer), false, 0);
        assert_eq!(matches!(done, Outcome::Done(_)), port == 7);
    }
    // One that waits already goes on, and one that has no place does not wait.
    let answer = c.syn(&SECRET, &place(5), &syn(100), deferring(9), None, 0);
    assert_eq!(c.finish(&SECRET, &place(5), &ack(&answer), false, 0), Outcome::Nothing);
    for port in [8, 9] {
        c.syn(&SECRET, &place(port), &syn(100), deferring(9), None, 0);
    }
    let cookie = c.syn(&SECRET, &place(10), &syn(100), deferring(9), None, 0);
    assert_eq!((c.len(), c.cookies()), (4, 1));
    assert!(matches!(c.finish(&SECRET, &place(10), &ack(&cookie), false, 0), Outcome::Done(_)));
}

#[test]
fn rfc4987_3_6_beyond_the_limit_a_cookie() {
    let mut c = cache(1);
    c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
    let now = 1000 * SECOND;
    let answer = c.syn(&SECRET, &place(6), &syn(100), OFFER, None, now);
    assert_eq!((c.len(), c.cookies()), (1, 1));
    assert_eq!(answer.options, Options { mss: Some(1460), ..Options::default() });
    let reply = ack(&answer);
    for later in [0, 60 * SECOND] {
        let done = c.finish(&SECRET, &place(6), &reply, false, now + later);
        let Outcome::Done(done) = done else { panic!("{done:?}") };
        assert_eq!((done.iss, done.agreed.irs), (answer.seq, Seq(100)));
        assert_eq!((done.agreed.mss, done.agreed.sack), (1360, false));
    }
    let refused = |c: &mut SynCache, place: &Place, seg: &Segment, now| {
        !matches!(c.finish(&SECRET, place, seg, false, now), Outcome::Done(_))
    };
    assert!(refused(&mut c, &place(7), &reply, now), "another pair");
    let other = Segment { seq: reply.seq + 1, ..reply };
    assert!(refused(&mut c, &place(6), &other, now), "another first number");
    assert!(refused(&mut c, &place(6), &reply, now + 200 * SECOND), "too late");
}

#[test]
fn while_there_is_no_room_a_handshake_does_not_end() {
    // Half a connection, one that waited for data, and a cookie.
    for (limit, offer) in [(1, OFFER), (2, deferring(9)), (0, OFFER)] {
        let mut c = cache(limit);
        let answer = c.syn(&SECRET, &place(5), &syn(100), offer, None, 0);
        let data = Segment { len: 5, ..ack(&answer) };
        let mut finish = |seg: &Segment, full| c.finish(&SECRET, &place(5), seg, full, 0);
        for _ in 0..2 {
            assert_eq!(finish(&data, true), Outcome::Full);
        }
        // What would not end it anyway is answered as ever.
        let bad = Segment { ack: answer.seq, ..data };
        assert_eq!(finish(&bad, true), finish(&bad, false));
        assert!(matches!(finish(&data, false), Outcome::Done(_)));
    }
}
