//! Shares of what is served at once: no address, agency or account holds more than its part of the connections, requests
//! and bytes in flight, and no agency or account more than its part of the store's connections, so that a flood of one
//! leaves the others room. For a connection of the store a caller waits in its own line, and is told to come back where
//! its turn does not come in time; it counts as long as that connection is held, never while a reader waits. Before a
//! caller is known only its key is asked for, in company: however many are unknown, they hold one connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{AccountId, AgencyId};
use changtong_catalog::store::{Asker, Places, asked_now_by};
use changtong_connectors::gate::Budget;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

use crate::settings::Http;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    Agency(AgencyId),
    Account(AccountId),
}

/// Who holds how much.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The most connections of an address, requests of an agency, of an account.
    most: [usize; 3],
    bytes: Budget,
    account_bytes: u64,
    /// The most connections of the store for an agency, for an account.
    of_store: [usize; 2],
    held: Mutex<HashMap<Holder, Held>>,
}

#[derive(Debug)]
struct Held {
    count: usize,
    bytes: Budget,
    /// Of the store's connections.
    places: Places,
}

/// One connection or request that counts until it is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    holder: Holder,
    bytes: Budget,
    places: Places,
}

/// A request of a known caller: it counts for the account and for its agency.
#[derive(Debug)]
pub struct CallerShare {
    account: Share,
    _agency: Share,
    places: [Places; 2],
}

impl CallerShare {
    /// What the account's bodies take their bytes from.
    #[must_use]
    pub fn bytes(&self) -> &Budget {
        &self.account.bytes
    }
}

impl Asker for CallerShare {
    /// The account's before the agency's: what waits for a place of one account is in no other's way.
    fn places(&self) -> &[Places] {
        &self.places
    }
}

impl Shares {
    /// Of that many connections of the store.
    #[must_use]
    pub fn new(settings: &Http, bytes: &Budget, store: u32) -> Self {
        let part = |percent: u32| (settings.connections * percent as usize / 100).max(1);
        let of_store = |percent: u32| (store as usize * percent as usize / 100).max(1);
        let shared = Shared {
            most: [settings.address_share, settings.agency_share, settings.account_share].map(part),
            bytes: bytes.clone(),
            account_bytes: bytes.most() / 100 * u64::from(settings.account_share),
            of_store: [settings.agency_share, settings.account_share].map(of_store),
            held: Mutex::default(),
        };
        Self(Arc::new(shared))
    }

    /// A connection from that address, or behind a proxy a request.
    pub fn of_address(&self, address: IpAddr) -> Result<Share, Refusal> {
        self.take(Holder::Address(network(address)))
    }

    /// A request of that caller.
    pub fn of_caller(&self, caller: &Caller) -> Result<CallerShare, Refusal> {
        let agency = self.take(Holder::Agency(caller.agency))?;
        let account = self.take(Holder::Account(caller.account))?;
        let places = [account.places.clone(), agency.places.clone()];
        Ok(CallerShare { account, _agency: agency, places })
    }

    /// What an address is told that holds its share already.
    #[must_use]
    pub fn address_is_full(&self) -> Refusal {
        too_many(&Holder::Address(Ipv6Addr::UNSPECIFIED.into()), "http.address_share", self.0.most[0])
    }

    fn take(&self, holder: Holder) -> Result<Share, Refusal> {
        let Shared { most, bytes, account_bytes, of_store, held } = &*self.0;
        let (limit, most, of_store) = match holder {
            // It asks the store for nothing but keys, in company.
            Holder::Address(_) => ("http.address_share", most[0], 0),
            Holder::Agency(_) => ("http.agency_share", most[1], of_store[0]),
            Holder::Account(_) => ("http.account_share", most[2], of_store[1]),
        };
        let mut held = held.lock();
        let mine = held.entry(holder).or_insert_with(|| Held {
            count: 0,
            bytes: bytes.part(*account_bytes, "http.account_share"),
            places: Places::new(of_store, limit),
        });
        if mine.count >= most {
            return Err(too_many(&holder, limit, most));
        }
        mine.count += 1;
        Ok(Share { shares: self.clone(), holder, bytes: mine.bytes.clone(), places: mine.places.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.0.held.lock();
        if let Some(mine) = held.get_mut(&self.holder) {
            mine.count -= 1;
            if mine.count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

/// What counts as one address: of IPv6 the network, as a host may take any address in it.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(whole) => IpAddr::V6(Ipv6Addr::from_bits(whole.to_bits() & (u128::MAX << 64))),
        address => address,
    }
}

fn too_many(holder: &Holder, limit: &str, most: usize) -> Refusal {
    let (zh, en) = match holder {
        Holder::Address(_) => ("本地址同时占用的连接", "connections of this address are open"),
        Holder::Agency(_) => ("本机构同时进行的请求", "requests of this agency run"),
        Holder::Account(_) => ("本账号同时进行的请求", "requests of this account run"),
    };
    Refusal::new(
        Code::TooManyAtOnce,
        format!("{zh}已达上限 {most};请等待其结束后再试"),
        format!("{most} {en} at once, which is the most; wait until one has ended"),
    )
    .with("limit", limit)
    .with("value", most)
    .retry_after(Duration::from_secs(1))
}

/// A body that holds its caller's and its address's shares until it has been read or given up. What it still asks of
/// the store it asks in its caller's name.
pub struct Holding {
    pub body: Body,
    pub asker: Arc<dyn Asker>,
    pub _address: Option<Share>,
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, asker, .. } = self.get_mut();
        asked_now_by(asker, || Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::account::Roles;
    use changtong_catalog::ids::KeyId;
    use uuid::Uuid;

    use super::*;
    use crate::settings::Sources;

    fn shares() -> Shares {
        let mut http = Sources::default().load().unwrap().settings.http;
        (http.connections, http.address_share, http.agency_share, http.account_share) = (8, 25, 50, 25);
        Shares::new(&http, &Budget::new(1000), 8)
    }

    fn caller(agency: u128, account: u128) -> Caller {
        Caller {
            agency: AgencyId(Uuid::from_u128(agency)),
            account: AccountId(Uuid::from_u128(account)),
            key: KeyId(String::new()),
            roles: Roles::default(),
        }
    }

    #[test]
    fn nobody_holds_more_than_its_part_and_everybody_else_still_gets_in() {
        let shares = shares();
        let refused = |caller: &Caller| shares.of_caller(caller).unwrap_err();
        let first: Vec<_> = (0..2).map(|_| shares.of_caller(&caller(1, 1)).unwrap()).collect();
        let refusal = refused(&caller(1, 1));
        assert_eq!(refusal.code, Code::TooManyAtOnce);
        assert_eq!(
            (&refusal.extra["limit"], &refusal.extra["value"]),
            (&"http.account_share".into(), &2.into())
        );
        let _second: Vec<_> = (0..2).map(|_| shares.of_caller(&caller(1, 2)).unwrap()).collect();
        assert_eq!(refused(&caller(1, 3)).extra["limit"], "http.agency_share", "many accounts do not help");
        let _other = shares.of_caller(&caller(2, 4)).unwrap();
        drop(first);
        let _third = shares.of_caller(&caller(1, 3)).unwrap();
    }

    #[test]
    fn the_bytes_of_an_account_are_bounded_over_its_requests() {
        let shares = shares();
        let (one, two) = (shares.of_caller(&caller(1, 1)).unwrap(), shares.of_caller(&caller(1, 1)).unwrap());
        let _held = one.bytes().take(200).unwrap();
        assert_eq!(two.bytes().take(51).unwrap_err().code, Code::Overloaded);
        let other = shares.of_caller(&caller(2, 2)).unwrap();
        assert!(other.bytes().take(250).is_ok());
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let shares = shares();
        let of = |text: &str| shares.of_address(text.parse().unwrap());
        let held = (of("2001:db8::1").unwrap(), of("2001:db8::2").unwrap());
        assert_eq!(of("2001:db8::ffff:3").unwrap_err().extra["limit"], "http.address_share");
        let _other =
            (of("2001:db8:0:1::1").unwrap(), of("::ffff:10.0.0.1").unwrap(), of("10.0.0.1").unwrap());
        assert!(of("10.0.0.1").is_err(), "an IPv4 address in IPv6 clothes is the same address");
        drop(held);
        assert!(of("2001:db8::9").is_ok());
        assert_eq!(shares.0.held.lock().len(), 2, "who holds nothing is forgotten");
    }
}
