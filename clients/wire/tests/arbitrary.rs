//! Bytes that came from anywhere: parsed or refused, never a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{
    Arg, Copied, Copyin, Descriptions, HEADER_LEN, Header, Hello, Refused, Return, Syscall, Welcome,
};

fn parse_all(raw: &[u8]) {
    if let Some(header) = raw.first_chunk::<HEADER_LEN>() {
        let _ = Header::parse(header);
    }
    let _ = Hello::parse(raw);
    let _ = Welcome::parse(raw).map(|welcome| welcome.calls.iter().count());
    let _ = Refused::parse(raw);
    let _ = Syscall::parse(raw).map(|(_, segments)| segments.map(|s| s.data.len()).sum::<usize>());
    let _ = Return::parse(raw).map(|(_, segments)| segments.map(|s| s.data.len()).sum::<usize>());
    let _ = Copyin::parse(raw);
    let _ = Copied::parse(raw);
    let _ = Descriptions::parse(raw).map(|all| (all.get(0), all.iter().count()));
}

/// Messages that make sense, to be spoilt.
fn good() -> Vec<Vec<u8>> {
    let mut hello = Vec::new();
    let how = wire::How::Fork([9; 16]);
    let Ok(()) = wire::Hello { version: wire::VERSION, how, name: "näme" }.write(&mut hello);
    let mut call = Syscall { number: 3, args: [1; 6] }.to_bytes(2).to_vec();
    for data in [&b"abc"[..], b""] {
        call.extend(wire::Segment::head(5, data.len()));
        call.extend(data);
    }
    let mut calls = Vec::new();
    let args =
        [Arg::In(1), Arg::Value, Arg::OutRef(4), Arg::Ioctl(1), Arg::InOutFixed(4), Arg::Opaque];
    for number in [3, 9] {
        let Ok(()) = wire::Description { number, args }.write(&mut calls);
    }
    let calls = Descriptions::parse(&calls).unwrap();
    let mut welcome = Vec::new();
    let Ok(()) = Welcome { version: 1, pid: 7, kernel: "k", calls }.write(&mut welcome);
    let header = Header::new(wire::Kind::Return, 1, 8).to_bytes().to_vec();
    vec![hello, call, welcome, header, calls.as_bytes().to_vec()]
}

proptest! {
    #[test]
    fn any_bytes(raw in vec(any::<u8>(), 0..300)) {
        parse_all(&raw);
    }

    #[test]
    fn messages_with_changes(
        which in 0..5_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut raw = good().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(raw.len());
            raw[at] = byte;
        }
        parse_all(&raw);
        parse_all(&raw[..cut.index(raw.len())]);
    }

    #[test]
    fn memory_of_any_arguments_is_bounded(raw in any::<[[u8; 4]; 6]>(), values in any::<[u64; 6]>()) {
        let mut description = vec![0; 4];
        description.extend(raw.map(|[kind, which, s0, s1]| [kind % 10, which % 6, s0, s1]).concat());
        let all = Descriptions::parse(&description).unwrap();
        let args = all.get(0).unwrap().args;
        for memory in wire::memory(&args, &values, |at| at as u32) {
            prop_assert!(memory.addr != 0 && (1..=wire::MAX_TRANSFER).contains(&memory.len));
        }
    }
}
