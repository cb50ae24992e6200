//! Ids of windows: UUIDv7 whose last four bytes seal the rest together with the subscription. So what an
//! acknowledgement quotes can be told from another subscription's window long after the window's row is gone, and
//! without asking the store.

use uuid::Uuid;

use crate::ids::{SubscriptionId, WindowId};
use crate::mac::{MacKey, same};

/// Bytes of the seal: enough that no window is quoted by mistake; who guesses only spoils its own evidence.
const SEAL: usize = 4;

/// The id of a window of the subscription, made from a fresh UUIDv7.
#[must_use]
pub fn seal(fresh: Uuid, subscription: SubscriptionId, key: &MacKey) -> WindowId {
    let mut bytes = fresh.into_bytes();
    let seal = seal_of(&bytes, subscription, key);
    bytes[16 - SEAL..].copy_from_slice(&seal);
    WindowId(Uuid::from_bytes(bytes))
}

/// Whether the id was made for a window of the subscription, under any of the keys.
#[must_use]
pub fn is_of<'k>(
    window: WindowId,
    subscription: SubscriptionId,
    keys: impl IntoIterator<Item = &'k MacKey>,
) -> bool {
    let bytes = window.0.into_bytes();
    keys.into_iter().any(|key| same(&seal_of(&bytes, subscription, key), &bytes[16 - SEAL..]))
}

fn seal_of(bytes: &[u8; 16], subscription: SubscriptionId, key: &MacKey) -> [u8; SEAL] {
    let mut sealed = b"changtong window 1".to_vec();
    sealed.extend(subscription.0.as_bytes());
    sealed.extend(&bytes[..16 - SEAL]);
    let [a, b, c, d, ..] = key.sum(&sealed);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_is_of_its_subscription_and_of_no_other(fresh: u128, mine: u128, other: u128, flip in 0..128_u32) {
            let (mine, other) = (SubscriptionId(Uuid::from_u128(mine)), SubscriptionId(Uuid::from_u128(other)));
            let (key, new) = (MacKey::new(b"one"), MacKey::new(b"two"));
            let window = seal(Uuid::from_u128(fresh), mine, &key);
            prop_assert_eq!(window.0.as_u128() >> 32, fresh >> 32, "it sorts by its time");
            prop_assert!(is_of(window, mine, [&new, &key]));
            prop_assert!(!is_of(window, mine, [&new]));
            prop_assert!(mine == other || !is_of(window, other, [&key]));
            prop_assert!(!is_of(WindowId(Uuid::from_u128(window.0.as_u128() ^ (1 << flip))), mine, [&key]));
        }
    }
}
