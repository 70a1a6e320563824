//! Sequence numbers: a circle of 32 bits.
//!
//! * [`Seq`] compares as RFC 9293 §3.4 says; distances are below 2³¹ wherever two are compared.
//!
//! Locking: none. Sources: RFC 9293 §3.4.

use core::ops::{Add, AddAssign, Sub};

/// A sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// Whether this one is before `other`.
    #[inline]
    pub const fn lt(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// Before or the same.
    #[inline]
    pub const fn le(self, other: Seq) -> bool {
        !other.lt(self)
    }

    /// After.
    #[inline]
    pub const fn gt(self, other: Seq) -> bool {
        other.lt(self)
    }

    /// After or the same.
    #[inline]
    pub const fn ge(self, other: Seq) -> bool {
        !self.lt(other)
    }

    /// The later of two.
    #[inline]
    pub const fn max(self, other: Seq) -> Seq {
        if self.lt(other) { other } else { self }
    }

    /// The earlier of two.
    #[inline]
    pub const fn min(self, other: Seq) -> Seq {
        if self.lt(other) { self } else { other }
    }

    /// How far this one is after `start`; 0 if it is before.
    #[inline]
    pub const fn after(self, start: Seq) -> u32 {
        if self.lt(start) { 0 } else { self.0.wrapping_sub(start.0) }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn add(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for Seq {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        *self = *self + n;
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn sub(self, n: u32) -> Seq {
        Seq(self.0.wrapping_sub(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9293_3_4_order_on_a_circle() {
        let top = Seq(u32::MAX - 1);
        assert!(top.lt(top + 5) && (top + 5).gt(top) && top.le(top) && top.ge(top));
        assert_eq!((top + 5).after(top), 5);
        assert_eq!(top.after(top + 5), 0);
        assert_eq!(top.max(top + 5), Seq(3));
        assert_eq!(top.min(top + 5), top);
        assert_eq!(top + 5 - 5, top);
    }
}
