//! Members of a bus in memory that come and go: everybody hears everybody who is there, once.

use net::MacAddr;
use tests::random::Random;
use tests::wire::{ethernet, split_ethernet};
use tests::{Lab, Station};

const TYPE: u16 = 0x88b5; // for experiments (IEEE 802)

/// Each sends to all, and then to each other one; what anybody hears is exactly that.
fn exchange(lab: &Lab, stations: &[Station], number: &mut u64) {
    let mut sent = Vec::new();
    for from in stations {
        let others = stations.iter().map(|other| other.mac).filter(|mac| *mac != from.mac);
        for to in [MacAddr::BROADCAST].into_iter().chain(others) {
            *number += 1;
            from.send(&ethernet(to, from.mac, TYPE, &number.to_be_bytes()));
            sent.push((from.mac, *number));
        }
    }
    lab.settle();
    for station in stations {
        let text = |frame: &Vec<u8>| {
            let (_, _, kind, data) = split_ethernet(frame)?;
            (kind == TYPE).then(|| u64::from_be_bytes(*data.first_chunk().unwrap()))
        };
        let mut heard: Vec<u64> = station.frames().iter().filter_map(text).collect();
        heard.sort_unstable();
        // They take frames for others, too.
        let others = sent.iter().filter(|(from, _)| *from != station.mac);
        assert_eq!(heard, others.map(|(_, number)| *number).collect::<Vec<_>>());
    }
}

#[test]
fn everybody_hears_everybody_whoever_comes_and_goes() {
    Lab::run(5, |lab| {
        let mut random = Random::new(3);
        let (mut stations, mut number) = (Vec::new(), 0);
        // Above and below the number up to which members are remembered.
        for goal in [8, 2, 6, 4, 5, 1, 7, 3] {
            while stations.len() != goal {
                if stations.len() < goal {
                    stations.push(Station::new(lab, "bus", [10, 0, 0, 1]));
                } else {
                    drop(stations.remove(random.below(stations.len())));
                }
                exchange(lab, &stations, &mut number);
            }
        }
    });
}

#[test]
fn more_frames_than_an_interrupt_takes_are_all_taken() {
    Lab::run(6, |lab| {
        let stations = [1, 2].map(|n| Station::new(lab, "bus", [10, 0, 0, n]));
        let [from, to] = &stations;
        for round in 0..5_u64 {
            // Several times the budget of an interrupt, and no more than the queue holds.
            for n in 0..400_u64 {
                from.send(&ethernet(to.mac, from.mac, TYPE, &(round << 32 | n).to_be_bytes()));
            }
            lab.settle();
            let data = |frame: &Vec<u8>| Some(split_ethernet(frame)?.3.to_vec());
            let heard: Vec<_> = to.frames().iter().filter_map(data).collect();
            let all = (0..400_u64).map(|n| (round << 32 | n).to_be_bytes().to_vec());
            assert_eq!(heard, all.collect::<Vec<_>>(), "in their order");
        }
    });
}
