//! Who a client is to the kernel.
//!
//! * Over a unix socket: the server's own user and root are its root, others its nobody.
//! * Over TCP: who has the key is its root; without a key, everybody is nobody.
//!
//! Locking: none. Sources: unix(7) (SO_PEERCRED); the house rules on trust in ARCHITECTURE.md.

use sysproxy::Trust;
use transport::Peer;

/// What `peer` may do. `user`: who runs the server. `keyed`: whether this listener asks for a key;
/// a client without it never gets to say anything.
pub(crate) fn of(peer: &Peer, user: u32, keyed: bool) -> Trust {
    match peer {
        Peer::Local { uid, .. } if *uid == user || *uid == 0 => Trust::Owner,
        Peer::Tcp(_) if keyed => Trust::Owner,
        Peer::Local { .. } | Peer::Tcp(_) => Trust::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_user_and_root_are_root() {
        let local = |uid| Peer::Local { pid: Some(1), uid, gid: 0 };
        assert_eq!(of(&local(1000), 1000, false), Trust::Owner);
        assert_eq!(of(&local(0), 1000, false), Trust::Owner);
        assert_eq!(of(&local(1001), 1000, false), Trust::Nobody);
        // What the namespace does not know is not root.
        assert_eq!(of(&local(65534), 0, false), Trust::Nobody);
    }

    #[test]
    fn over_tcp_the_key_decides() {
        let tcp = Peer::Tcp(([127, 0, 0, 1], 1).into());
        assert_eq!(of(&tcp, 0, true), Trust::Owner);
        assert_eq!(of(&tcp, 0, false), Trust::Nobody);
    }
}
