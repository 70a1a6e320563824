//! What ping counts, and how it says so.
//!
//! Pure: times are arguments.
//!
//! Locking: none. Sources: iputils ping(8).

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::failure::Failure;

/// How many requests are remembered; an answer to an older one has no time.
const WINDOW: usize = 4096;

/// What was sent, received and measured.
#[derive(Default)]
pub(super) struct Statistics {
    pub(super) transmitted: u64,
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) errors: u64,
    min: Option<Duration>,
    max: Duration,
    sum: Duration,
    /// Square nanoseconds.
    squares: u128,
    measured: u32,
    sent: Vec<Option<Request>>,
}

/// A request that was sent.
#[derive(Clone, Copy)]
struct Request {
    sequence: u16,
    at: Duration,
    answered: bool,
}

/// What an answer is.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// The first one, after so long.
    First(Duration),
    /// Another one, after so long.
    Again(Duration),
    /// One to what was not sent, or is forgotten.
    Stray,
}

impl Statistics {
    /// A request was sent at `at`.
    pub(super) fn sent(&mut self, sequence: u16, at: Duration) {
        self.transmitted += 1;
        let request = Some(Request { sequence, at, answered: false });
        let place = usize::from(sequence) % WINDOW;
        match self.sent.get_mut(place) {
            Some(place) => *place = request,
            None => {
                self.sent.resize(place, None);
                self.sent.push(request);
            }
        }
    }

    /// An answer came at `at`.
    pub(super) fn answered(&mut self, sequence: u16, at: Duration) -> Answer {
        let request = self.sent.get_mut(usize::from(sequence) % WINDOW);
        let request = request.and_then(|request| request.as_mut());
        let Some(request) = request.filter(|request| request.sequence == sequence) else {
            return Answer::Stray;
        };
        let took = at.saturating_sub(request.at);
        if std::mem::replace(&mut request.answered, true) {
            self.duplicates += 1;
            return Answer::Again(took);
        }
        self.received += 1;
        self.measured = self.measured.saturating_add(1);
        self.min = Some(self.min.map_or(took, |min| min.min(took)));
        self.max = self.max.max(took);
        self.sum += took;
        self.squares += took.as_nanos().pow(2);
        Answer::First(took)
    }

    /// The longest time that an answer took.
    pub(super) fn longest(&self) -> Option<Duration> {
        self.min.map(|_| self.max)
    }

    /// The last lines; `time`: how long it all took.
    pub(super) fn write(
        &self,
        to: Ipv4Addr,
        time: Duration,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Statistics { transmitted, received, duplicates, errors, .. } = self;
        write!(out, "\n--- {to} ping statistics ---\n{transmitted} packets transmitted, ")?;
        write!(out, "{received} received")?;
        if *duplicates > 0 {
            write!(out, ", +{duplicates} duplicates")?;
        }
        if *errors > 0 {
            write!(out, ", +{errors} errors")?;
        }
        if *transmitted > 0 {
            let lost = transmitted.saturating_sub(*received);
            let loss = lost as f64 * 100.0 / *transmitted as f64;
            write!(out, ", {}% packet loss, time {}ms", six_digits(loss), time.as_millis())?;
        }
        writeln!(out)?;
        if let Some(min) = self.min {
            let average = self.sum / self.measured;
            let mean = average.as_nanos();
            let variance = (self.squares / u128::from(self.measured)).saturating_sub(mean * mean);
            let mdev = Duration::from_nanos(u64::try_from(variance.isqrt()).unwrap_or(u64::MAX));
            let [min, average, max, mdev] = [min, average, self.max, mdev].map(milliseconds);
            writeln!(out, "rtt min/avg/max/mdev = {min}/{average}/{max}/{mdev} ms")?;
        }
        Ok(())
    }
}

/// With three places.
fn milliseconds(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// With as many places as are worth it.
pub(super) fn round_trip(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..0.9995 => format!("{ms:.3}"),
        ..9.995 => format!("{ms:.2}"),
        ..99.95 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// As C's `%g`.
fn six_digits(percent: f64) -> String {
    let places = if percent < 10.0 { 5 } else { 4 };
    let text = format!("{percent:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn text(statistics: &Statistics) -> String {
        let mut out = Vec::new();
        statistics.write([1, 2, 1, 1].into(), ms(2003), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_people_know_them() {
        let mut s = Statistics::default();
        for sequence in 1..=3 {
            s.sent(sequence, ms(1000 * u64::from(sequence)));
        }
        assert_eq!(s.answered(1, ms(1001)), Answer::First(ms(1)));
        assert_eq!(s.answered(1, ms(1002)), Answer::Again(ms(2)));
        assert_eq!(s.answered(2, ms(2003)), Answer::First(ms(3)));
        assert_eq!(s.answered(9, ms(2003)), Answer::Stray);
        assert_eq!(s.answered(0, ms(2003)), Answer::Stray);
        assert_eq!(
            text(&s),
            "\n--- 1.2.1.1 ping statistics ---\n\
             3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 2003ms\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms\n"
        );
    }

    #[test]
    fn of_nothing() {
        assert_eq!(
            text(&Statistics::default()),
            "\n--- 1.2.1.1 ping statistics ---\n0 packets transmitted, 0 received\n"
        );
        let mut s = Statistics::default();
        s.sent(1, ms(0));
        assert!(
            text(&s)
                .ends_with("1 packets transmitted, 0 received, 100% packet loss, time 2003ms\n")
        );
    }

    #[test]
    fn sequences_begin_anew() {
        let mut s = Statistics::default();
        for n in 1..=100_000_u64 {
            s.sent(n as u16, ms(n));
            assert_eq!(s.answered(n as u16, ms(n + 1)), Answer::First(ms(1)), "{n}");
        }
        assert_eq!(s.received, 100_000);
        assert!(s.sent.len() <= WINDOW);
    }

    #[test]
    fn numbers_have_the_places_that_they_are_worth() {
        let of = |micros| round_trip(Duration::from_micros(micros));
        assert_eq!([of(1), of(999), of(1000), of(9_994)], ["0.001", "0.999", "1.00", "9.99"]);
        assert_eq!([of(9_996), of(99_940), of(99_960)], ["10.0", "99.9", "100"]);
        assert_eq!(
            [six_digits(0.0), six_digits(50.0), six_digits(100.0 / 3.0)],
            ["0", "50", "33.3333"]
        );
    }
}
