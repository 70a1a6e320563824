//! Options of level IPPROTO_TCP, with Linux's numbers and layouts.
//!
//! Locking: `Rank::Connection`. Sources: Linux tcp(7), linux/tcp.h (struct tcp_info).

use base::Cx;
use net::socket::SockError;
use net::socket::options::{int, put_int};

use super::congestion::Algorithm;
use super::control::{DEFAULT_MSS, Info};
use super::pcb::TcpPcb;
use super::rto::{MS, SECOND};
use super::schedule;
use super::settings::Settings;

/// The level.
pub(crate) const IPPROTO_TCP: i32 = 6;

const TCP_NODELAY: i32 = 1;
const TCP_MAXSEG: i32 = 2;
const TCP_CORK: i32 = 3;
const TCP_KEEPIDLE: i32 = 4;
const TCP_KEEPINTVL: i32 = 5;
const TCP_KEEPCNT: i32 = 6;
const TCP_DEFER_ACCEPT: i32 = 9;
const TCP_INFO: i32 = 11;
const TCP_QUICKACK: i32 = 12;
const TCP_CONGESTION: i32 = 13;
const TCP_USER_TIMEOUT: i32 = 18;

/// The longest name of an algorithm, as Linux has it.
const NAME_MAX: usize = 16;
/// What of struct tcp_info there is: up to and with tcpi_total_retrans.
const INFO_LEN: usize = 104;

impl TcpPcb {
    /// Changes what the user has set, of the connection too if there is one.
    pub(crate) fn change(&self, cx: &Cx<'_>, f: impl FnOnce(&mut Settings)) {
        let mut inner = self.inner.lock(cx);
        f(&mut inner.settings);
        let settings = inner.settings;
        drop(inner);
        self.run(cx, |tcb, now| (tcb.set(settings, now), None));
    }

    pub(super) fn set_tcp_option(
        &self,
        cx: &Cx<'_>,
        name: i32,
        value: &[u8],
    ) -> Result<(), SockError> {
        if name == TCP_CONGESTION {
            return self.set_congestion(cx, value);
        }
        let n = int(value)?;
        let within = |range: core::ops::RangeInclusive<i32>| {
            if range.contains(&n) { Ok(n.unsigned_abs()) } else { Err(SockError::Invalid) }
        };
        let seconds = |n: u32| u64::from(n) * SECOND;
        match name {
            TCP_NODELAY => self.change(cx, |s| s.nodelay = n != 0),
            TCP_CORK => self.change(cx, |s| s.cork = n != 0),
            TCP_QUICKACK => self.change(cx, |s| s.quickack = n != 0),
            TCP_MAXSEG => {
                let most = within(64..=65_495)? as u16;
                self.change(cx, |s| s.max_segment = Some(most));
            }
            TCP_KEEPIDLE => {
                let n = within(1..=32_767)?;
                self.change(cx, |s| s.keep_idle = seconds(n));
            }
            TCP_KEEPINTVL => {
                let n = within(1..=32_767)?;
                self.change(cx, |s| s.keep_interval = seconds(n));
            }
            TCP_KEEPCNT => {
                let n = within(1..=127)? as u8;
                self.change(cx, |s| s.keep_count = n);
            }
            // For handshakes that begin from now on.
            TCP_DEFER_ACCEPT => self.inner.lock(cx).defer = schedule::tries(n),
            TCP_USER_TIMEOUT => {
                let n = within(0..=i32::MAX)?;
                self.change(cx, |s| s.user_timeout = (n != 0).then_some(u64::from(n) * MS));
            }
            _ => return Err(SockError::NoOption),
        }
        Ok(())
    }

    fn set_congestion(&self, cx: &Cx<'_>, value: &[u8]) -> Result<(), SockError> {
        let end = value.iter().position(|b| *b == 0).unwrap_or(value.len()).min(NAME_MAX);
        let name = value.get(..end).and_then(|n| core::str::from_utf8(n).ok());
        let known = name.and_then(|n| Algorithm::named(n, 1)).ok_or(SockError::NotFound)?.name();
        self.inner.lock(cx).congestion = known;
        self.run(cx, |tcb, _| (tcb.set_congestion(known), None));
        Ok(())
    }

    pub(super) fn tcp_option(
        &self,
        cx: &Cx<'_>,
        name: i32,
        out: &mut [u8],
    ) -> Result<usize, SockError> {
        let inner = self.inner.lock(cx);
        let (settings, info) = (inner.settings, inner.tcb.as_ref().map(|tcb| tcb.info()));
        let (congestion, defer) = (inner.congestion, inner.defer);
        drop(inner);
        let whole = |time: u64, unit: u64| i32::try_from(time / unit).unwrap_or(i32::MAX);
        let n = match name {
            TCP_NODELAY => settings.nodelay.into(),
            TCP_CORK => settings.cork.into(),
            TCP_QUICKACK => settings.quickack.into(),
            TCP_MAXSEG => {
                let most = settings.max_segment.unwrap_or(DEFAULT_MSS);
                info.map_or(most, |i| i.mss).into()
            }
            TCP_KEEPIDLE => whole(settings.keep_idle, SECOND),
            TCP_KEEPINTVL => whole(settings.keep_interval, SECOND),
            TCP_KEEPCNT => settings.keep_count.into(),
            TCP_DEFER_ACCEPT => schedule::seconds(defer),
            TCP_USER_TIMEOUT => whole(settings.user_timeout.unwrap_or(0), MS),
            TCP_CONGESTION => {
                let mut padded = [0; NAME_MAX];
                put(&mut padded, congestion.as_bytes());
                return Ok(put(out, &padded));
            }
            TCP_INFO => return Ok(put(out, &layout(info.as_ref(), self.listens()))),
            _ => return Err(SockError::NoOption),
        };
        Ok(put_int(out, n))
    }
}

fn put(out: &mut [u8], value: &[u8]) -> usize {
    out.iter_mut().zip(value).map(|(to, from)| *to = *from).count()
}

/// The beginning of struct tcp_info.
fn layout(info: Option<&Info>, listens: bool) -> [u8; INFO_LEN] {
    const LISTEN: u8 = 10;
    const CLOSE: u8 = 7;
    let mut out = [0; INFO_LEN];
    let Some(i) = info else {
        out[0] = if listens { LISTEN } else { CLOSE };
        return out;
    };
    let (theirs, ours) = i.scales.unwrap_or((0, 0));
    let options = u8::from(i.timestamps) | u8::from(i.sack) << 1;
    let options = options | u8::from(i.scales.is_some()) << 2;
    let head = [i.state.number(), 0, i.backoffs, 0, i.backoffs, options, theirs | ours << 4, 0];
    put(&mut out, &head);
    let micros = |ns: u64| u32::try_from(ns / 1000).unwrap_or(u32::MAX);
    let segments = |bytes: u32| bytes / i.segment.max(1);
    let words = [
        micros(i.timeout),
        0,
        i.mss.into(),
        i.received_mss,
        i.unacknowledged,
        0,
        segments(i.lost),
        0,
        0,
        0,
        0,
        0,
        0,
        u32::from(i.mss) + 40,
        0,
        micros(i.rtt),
        micros(i.variance),
        segments(i.threshold),
        segments(i.window),
        i.mss.into(),
        0,
        0,
        0,
        i.resent,
    ];
    let bytes = words.iter().flat_map(|w| w.to_ne_bytes());
    out.iter_mut().skip(8).zip(bytes).for_each(|(to, from)| *to = from);
    out
}
