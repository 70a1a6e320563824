//! Kinds of interface that can be created by name: `shmif0`.
//!
//! Locking: none of its own. Sources: NetBSD if_clone(9).

use base::{KArc, KBox, Lwp};
use linkme::distributed_slice;

use super::{IfDriver, IfError, IfFlags, IfKind, IfName, Ifnet};
use crate::MacAddr;

/// What a driver wants of its new interface.
pub struct Recipe {
    /// What is below.
    pub kind: IfKind,
    /// Flags beside UP.
    pub flags: IfFlags,
    /// The MTU.
    pub mtu: u32,
    /// The link address; zero where there is none.
    pub lladdr: MacAddr,
    /// The driver.
    pub driver: KBox<dyn IfDriver>,
}

/// A kind of interface.
pub struct IfCloner {
    /// The name without the number.
    pub name: &'static str,
    /// The component that it belongs to.
    pub component: &'static str,
    /// Makes the driver for number `unit`.
    pub create: fn(l: &mut Lwp<'_>, unit: u32) -> Result<Recipe, IfError>,
    /// The interface is attached; the driver may now keep it.
    pub attached: fn(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) -> Result<(), IfError>,
}

/// The kinds of interface of all components in this binary.
#[distributed_slice]
pub static IF_CLONERS: [IfCloner];

/// Registers an [`IfCloner`]: `net::cloner! { static NAME = IfCloner { … }; }`.
#[macro_export]
macro_rules! cloner {
    ($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;) => {
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::ifnet::cloner::IF_CLONERS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::ifnet::cloner::IfCloner = $value;
    };
}

/// Splits `shmif0` into `shmif` and 0. Leading zeros make it another name, so they are refused.
pub(super) fn split(name: &str) -> Option<(&str, u32)> {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (kind, unit) = name.split_at_checked(name.len() - digits)?;
    let canonical = !kind.is_empty() && (unit == "0" || !unit.starts_with('0'));
    Some((kind, unit.parse().ok()?)).filter(|_| canonical)
}

/// Creates the interface called `name`.
pub fn create(l: &mut Lwp<'_>, name: &str) -> Result<KArc<Ifnet>, IfError> {
    let ifname = IfName::new(name).ok_or(IfError::Invalid)?;
    let (kind, unit) = split(name).ok_or(IfError::Invalid)?;
    let net = l.get(&crate::component::NET);
    if net.ifnets.by_name(l, name).is_some() {
        return Err(IfError::Exists);
    }
    let cloner = IF_CLONERS
        .iter()
        .find(|c| c.name == kind && l.has_component(c.component))
        .ok_or(IfError::NoKind)?;
    let recipe = (cloner.create)(l, unit)?;
    let ifp = super::attach(l, ifname, recipe.kind, recipe.flags, recipe.mtu, recipe.driver)?;
    ifp.set_lladdr(recipe.lladdr);
    if let Err(e) = (cloner.attached)(l, &ifp) {
        net.ifnets.remove(l, &ifp);
        return Err(e);
    }
    Ok(ifp)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_kind_and_number() {
        assert_eq!(split("shmif0"), Some(("shmif", 0)));
        assert_eq!(split("lo12"), Some(("lo", 12)));
        assert_eq!(split("virt007"), None, "007 would be another name for 7");
        assert_eq!(split("shmif"), None);
        assert_eq!(split("7"), None);
        assert_eq!(split("a99999999999"), None);
    }
}
