//! The interface: a driver whose link is that of its members.
//!
//! * [`add`], [`remove`]: members, as in `ifconfig bridge0 addm shmif0`.
//!
//! Locking: that of `members`. Called with `Rank::Config` held, but for sending.
//! Sources: NetBSD net/if_bridge.c.

use core::time::Duration;

use base::vm::kmem;
use base::{Cx, Errno, KArc, KBox, Lwp};
use net::MacAddr;
use net::control::layout::{self, Name};
use net::ethernet::wire::{EtherHeader, MTU};
use net::ifnet::cloner::Recipe;
use net::ifnet::upper::{self, Place, Upper};
use net::ifnet::{self, IfDriver, IfError, IfFlags, IfKind, Ifnet, config};
use net::mbuf::Packet;

use crate::component::BRIDGE;
use crate::members::Members;
use crate::port::Port;
use crate::request::{self as r, MemberReq, ValueReq};
use crate::table::LIMIT_MAX;

struct Bridge {
    members: KArc<Members>,
}

/// Makes the driver for a new interface.
pub(crate) fn create(l: &mut Lwp<'_>, _: u32) -> Result<Recipe, IfError> {
    let members = kmem::arc(l, Members::new(l))?;
    let driver: KBox<dyn IfDriver> = kmem::boxed(l, Bridge { members })?;
    let mut seed = [0; 8];
    base::random::fill(l, &mut seed);
    Ok(Recipe {
        kind: IfKind::Ethernet,
        flags: IfFlags::BROADCAST | IfFlags::MULTICAST | IfFlags::RUNNING,
        mtu: MTU as u32,
        lladdr: MacAddr::local(u64::from_ne_bytes(seed)),
        driver,
    })
}

/// A bridge without members leads nowhere. Frames go through unfinished: each member says what its
/// driver takes.
pub(crate) fn attached(_: &mut Lwp<'_>, ifp: &KArc<Ifnet>) -> Result<(), IfError> {
    ifp.set_unfinished_max(u32::MAX);
    Ok(())
}

/// Makes the interface `member` a member of `bridge`.
///
/// `Busy`: it is one of a bridge already. `Invalid`: its frames are not Ethernet's, it has another
/// MTU than the members there, or it is a bridge, or a virtual network on one.
pub fn add(l: &mut Lwp<'_>, bridge: &str, member: &str) -> Result<(), Errno> {
    let mut data = MemberReq { bridge: Name::new(bridge), member: Name::new(member) };
    config::request(l, bridge, r::SIOCBRDGADD, zerocopy::IntoBytes::as_mut_bytes(&mut data))
}

/// Takes it out again. `AddrNotAvailable`: it is no member.
pub fn remove(l: &mut Lwp<'_>, bridge: &str, member: &str) -> Result<(), Errno> {
    let mut data = MemberReq { bridge: Name::new(bridge), member: Name::new(member) };
    config::request(l, bridge, r::SIOCBRDGDEL, zerocopy::IntoBytes::as_mut_bytes(&mut data))
}

impl Bridge {
    fn add(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, name: &str) -> Result<(), IfError> {
        let member = config::find(l, name)?;
        if member.kind() != IfKind::Ethernet || is_bridge(&member) {
            return Err(IfError::Invalid);
        }
        // A frame would come back to where it came from, for ever.
        if member.driver().parent(l).is_some_and(|parent| is_bridge(&parent)) {
            return Err(IfError::Invalid);
        }
        let is_first = self.members.state(l).members.is_empty();
        if !is_first && member.mtu() != ifp.mtu() {
            return Err(IfError::Invalid);
        }
        self.members.state(l).members.reserve(1)?;
        let port = Port { bridge: ifp.clone(), members: self.members.clone() };
        let port: KArc<dyn Upper> = kmem::arc(l, port)?;
        self.enlist(l, ifp)?;
        upper::stand(l, &member, Place::Bridge, port)?;
        if is_first {
            ifp.set_mtu(member.mtu());
        }
        self.members.state(l).members.push(member.clone())?;
        ifnet::promiscuous(l, &member, true);
        Ok(())
    }

    /// Shows the bridge to the tables.
    fn enlist(&self, cx: &Cx<'_>, ifp: &Ifnet) -> Result<(), IfError> {
        let mut bridges = cx.get(&BRIDGE).bridges.lock(cx);
        match bridges.binary_search_by_key(&ifp.index(), |bridge| bridge.0) {
            Ok(_) => Ok(()),
            Err(at) => Ok(bridges.insert(at, (ifp.index(), self.members.clone()))?),
        }
    }

    fn remove(&self, l: &mut Lwp<'_>, name: &str) -> Result<(), Errno> {
        let state = self.members.state(l);
        let member = state.members.iter().find(|member| member.name() == name).cloned();
        drop(state);
        take_off(l, &self.members, &member.ok_or(Errno::AddrNotAvailable)?);
        Ok(())
    }
}

fn is_bridge(ifp: &Ifnet) -> bool {
    ifp.name()
        .strip_prefix("bridge")
        .is_some_and(|unit| unit.starts_with(|c: char| c.is_ascii_digit()))
}

/// Takes a member out.
pub(crate) fn take_off(cx: &Cx<'_>, members: &Members, member: &KArc<Ifnet>) {
    let mut state = members.state(cx);
    let at = state.members.iter().position(|other| other.index() == member.index());
    let gone = at.map(|at| state.members.remove(at));
    state.table.forget_member(member.index());
    drop(state);
    if gone.is_some() {
        upper::leave(cx, member, Place::Bridge);
        ifnet::promiscuous(cx, member, false);
    }
}

impl IfDriver for Bridge {
    /// What the kernel sends by the bridge itself.
    fn transmit(&self, cx: &Cx<'_>, _: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError> {
        let header = EtherHeader::parse(frame.head()).map_err(|_| IfError::Invalid)?;
        let dst = header.0.dst;
        self.members.forward(cx, dst, 0, frame);
        Ok(())
    }

    fn request(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        number: u32,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        let value = |data: &[u8]| layout::read::<ValueReq>(data).map(|request| request.value);
        match number {
            r::SIOCBRDGADD => {
                let request: MemberReq = layout::read(data)?;
                self.add(l, ifp, request.member.text()?).map_err(|e| match e {
                    IfError::NoInterface => Errno::NotSuchDevice,
                    e => e.into(),
                })
            }
            r::SIOCBRDGDEL => self.remove(l, layout::read::<MemberReq>(data)?.member.text()?),
            r::SIOCBRDGFLUSH => {
                self.members.state(l).table.flush();
                Ok(())
            }
            r::SIOCBRDGSCACHE => match value(data)? as usize {
                limit @ 1..=LIMIT_MAX => {
                    self.members.state(l).table.set_limit(limit);
                    Ok(())
                }
                _ => Err(Errno::Invalid),
            },
            r::SIOCBRDGSTO => match value(data)? {
                0 => Err(Errno::Invalid),
                seconds => {
                    let timeout = Duration::from_secs(seconds.into());
                    self.members.state(l).table.set_timeout(timeout);
                    Ok(())
                }
            },
            _ => Err(Errno::NotTerminal),
        }
    }

    /// The members have the bridge's.
    fn check_mtu(&self, cx: &Cx<'_>, mtu: u32) -> Result<(), IfError> {
        let state = self.members.state(cx);
        let same = state.members.iter().all(|member| member.mtu() == mtu);
        if same { Ok(()) } else { Err(IfError::Busy) }
    }

    fn detach(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        loop {
            let last = self.members.state(l).members.last().cloned();
            let Some(last) = last else { break };
            take_off(l, &self.members, &last);
        }
        let mut bridges = l.get(&BRIDGE).bridges.lock(l);
        let at = bridges.binary_search_by_key(&ifp.index(), |bridge| bridge.0).ok();
        let gone = at.map(|at| bridges.remove(at));
        drop(bridges);
        drop(gone);
    }
}
