//! What it costs to decide on a request: the catalog's decision and the rates of every level, by the functions that the
//! gate calls for a publish and for a read, with few and with very many grants, entries, accounts and agencies whose
//! rates are in memory. Each request is another one's, so nothing of it is still in the processor's caches from the one
//! before.

mod at_work;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::clock::{Clock, Time};
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::{Grant, decide};
use changtong_catalog::ids::{
    AccountId, AgencyId, Generation, GrantId, GrantNumber, KeyId, RequestId, ResourceNumber, SchemaId,
};
use changtong_catalog::request::GrantLimits;
use changtong_catalog::resource::{Resource, ResourceFile, ResourceState};
use changtong_catalog::sample;
use changtong_connectors::limit::{Cost, Limiter, Rates, Subject};
use criterion::{Bencher, Criterion};
use uuid::Uuid;

use at_work::AtWork;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// So many that a bench never comes to the end of it.
const MUCH: u32 = 1_000_000_000;
const RATES: Rates =
    Rates { requests_per_second: Some(MUCH), records_per_second: Some(MUCH), bytes_per_second: Some(MUCH) };
/// From one request to the next: a prime, so that all have their turn.
const STEP: usize = 7919;

/// As the server's clock: a monotonic one beside a time that it began with.
struct Ticking {
    began: Instant,
    at: Time,
}

impl Clock for Ticking {
    fn now(&self) -> Time {
        self.at + self.began.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}

/// One entry with its owner, a grant on it and who reads under that.
struct Party {
    owner: Caller,
    resource: Resource,
    reader: Caller,
    grant: Grant,
}

struct Bus {
    clock: Arc<Ticking>,
    limiter: Limiter,
    parties: Vec<Party>,
    next: usize,
}

impl Bus {
    /// With so many of everything, the rates of all of them in use.
    fn of(parties: usize) -> Outcome<Self> {
        let at: Time = "2026-11-28T00:00:00Z".parse()?;
        let file: ResourceFile = toml::from_str(
            "class = \"307022\"\ntitle = \"企业登记信息\"\nprovider = \"p\"\nkind = \"table\"\n\
             share_type = \"unconditional\"\nupdate_cycle = \"daily\"\nkey = [\"id\"]\n\
             [[items]]\nname = \"id\"\ntitle = \"编号\"\ntype = \"I\"\n",
        )?;
        let clock = Arc::new(Ticking { began: Instant::now(), at });
        let parties = (0..parties).map(|number| party(number, at, &file)).collect::<Outcome<Vec<_>>>()?;
        let mut bus = Self { limiter: Limiter::new(clock.clone()), clock, parties, next: 0 };
        for _ in 0..bus.parties.len() {
            bus.publish()?;
        }
        for _ in 0..bus.parties.len() {
            bus.deliver()?;
        }
        Ok(bus)
    }

    fn party(&mut self) -> usize {
        self.next = (self.next + STEP) % self.parties.len();
        self.next
    }

    /// What the gate asks before it looks at the records of a publish, and once it has counted them.
    fn publish(&mut self) -> Result<(), Refusal> {
        let at = self.party();
        let Party { owner, resource, .. } = &self.parties[at];
        black_box(decide::publish(owner, resource).check()?);
        let [bus, agency, account] = of_caller(owner);
        let levels = [bus, agency, account, (Subject::Resource(resource.number), RATES)];
        self.limiter.take(&levels, Cost { requests: 1, records: 0, bytes: 100 })?;
        self.limiter.take(&levels, Cost { records: 10, ..Cost::default() })
    }

    /// What the gate asks before it reads for a consumer.
    fn deliver(&mut self) -> Result<(), Refusal> {
        let at = self.party();
        let Party { reader, grant, resource, .. } = &self.parties[at];
        black_box(decide::deliver(reader, grant, resource, None, self.clock.now()).check()?);
        let mut levels = of_caller(reader).to_vec();
        levels.push((Subject::Resource(grant.resource), RATES));
        levels.push((Subject::Grant(grant.id), Rates::of_grant(&grant.limits)));
        self.limiter.take(&levels, Cost { requests: 1, ..Cost::default() })?;
        self.limiter.check_only(&levels, Cost { requests: 0, records: 1, bytes: 1 })
    }
}

fn of_caller(caller: &Caller) -> [(Subject, Rates); 3] {
    [
        (Subject::Bus, RATES),
        (Subject::Agency(caller.agency), RATES),
        (Subject::Account(caller.account), RATES),
    ]
}

fn party(number: usize, at: Time, file: &ResourceFile) -> Outcome<Party> {
    let id = |kind: u128| Uuid::from_u128(kind << 64 | number as u128);
    let caller = |kind: u128| Caller {
        agency: AgencyId(id(kind)),
        account: AccountId(id(kind + 1)),
        key: KeyId("k3yAbCd9".to_owned()),
        roles: [Role::Integrator].into_iter().collect(),
    };
    let (owner, reader) = (caller(1), caller(3));
    let numbered = i64::try_from(number)? + 1;
    let resource = Resource {
        number: ResourceNumber(numbered),
        code: "307022/000001".parse().map_err(|_| "a resource's code")?,
        provider: owner.agency,
        state: ResourceState::Published,
        version: 1,
        generation: Generation(1),
        file: file.clone(),
        written_by: owner.account,
        submitted_by: None,
        approved_by: None,
        schema: Some(SchemaId(7)),
        key_schema: Some(SchemaId(8)),
        published_at: Some(at),
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    };
    let grant = Grant {
        id: GrantId(id(5)),
        number: GrantNumber(numbered),
        resource: resource.number,
        consumer: reader.agency,
        request: RequestId(id(6)),
        items: vec!["id".to_owned()],
        limits: GrantLimits {
            requests_per_second: RATES.requests_per_second,
            records_per_second: RATES.records_per_second,
            bytes_per_second: RATES.bytes_per_second,
            ..GrantLimits::default()
        },
        created_at: at,
        valid_until: Some(at + Duration::from_secs(86_400)),
        ..sample::grant()
    };
    Ok(Party { owner, resource, reader, grant })
}

fn main() -> Outcome {
    let mut criterion = Criterion::default().with_measurement(AtWork).configure_from_args();
    for parties in [10, 100_000] {
        let mut bus = Bus::of(parties)?;
        let mut refused = 0_u64;
        let mut group = criterion.benchmark_group(format!("decision and rates, {parties} grants"));
        group.bench_function("publish", |bencher: &mut Bencher<'_, AtWork>| {
            bencher.iter(|| refused += u64::from(bus.publish().is_err()));
        });
        group.bench_function("deliver", |bencher: &mut Bencher<'_, AtWork>| {
            bencher.iter(|| refused += u64::from(bus.deliver().is_err()));
        });
        group.finish();
        if refused > 0 {
            return Err(
                format!("{refused} requests were refused, so their time is not that of a decision").into()
            );
        }
    }
    criterion.final_summary();
    Ok(())
}
