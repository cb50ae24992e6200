//! Whether records may move: one value that holds what was looked at, the verdict and its code. The same value feeds
//! the problem body, the audit event and the metric's label (DESIGN.md 4).

use serde_json::{Value, json};

use super::{Grant, GrantState};
use crate::account::{Caller, Role};
use crate::clock::{Time, rfc3339};
use crate::error::{Code, Refusal};
use crate::ids::{AgencyId, PurposeCode};
use crate::resource::{Resource, ResourceState, ShareType};
use crate::{lifecycle, visible};

/// The version of these rules, quoted by every event that rests on them; raised when they change.
pub const POLICY: i32 = 2;

/// What a decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Factor {
    /// Whether the caller may know of the thing at all.
    Sight,
    /// Whose it is: the provider publishes, the consumer reads.
    Agency,
    Role,
    Grant,
    Purpose,
    /// Whether the agency that provides it is let in.
    Provider,
    Resource,
    Log,
}

impl Factor {
    pub const ALL: [Self; 8] = [
        Self::Sight,
        Self::Agency,
        Self::Role,
        Self::Grant,
        Self::Purpose,
        Self::Provider,
        Self::Resource,
        Self::Log,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sight => "sight",
            Self::Agency => "agency",
            Self::Role => "role",
            Self::Grant => "grant",
            Self::Purpose => "purpose",
            Self::Provider => "provider",
            Self::Resource => "resource",
            Self::Log => "log",
        }
    }
}

/// One thing looked at, and whether it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    pub factor: Factor,
    pub holds: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// In the order they were looked at; only the last may not hold.
    pub reasons: Vec<Reason>,
    pub policy: i32,
    /// Why not; `None`: allowed.
    pub refusal: Option<Refusal>,
    /// Of a delivery that is allowed: for which of the grant's purposes.
    pub purpose: Option<PurposeCode>,
}

impl Decision {
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.refusal.is_none()
    }

    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.refusal.as_ref().map(|refusal| refusal.code)
    }

    /// The metric's label: `allowed` or the code.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.code().map_or("allowed", Code::as_str)
    }

    /// The refusal for the problem body, with what was looked at. Of a thing that the caller may not know, that would
    /// tell of it.
    pub fn check(self) -> Result<Self, Refusal> {
        match self.refusal {
            None => Ok(self),
            Some(refusal) if refusal.code == Code::NotFound => Err(refusal),
            Some(refusal) => {
                let reasons: Vec<Value> = self.reasons.iter().map(|reason| reason.to_value()).collect();
                Err(refusal.with("reasons", reasons).with("policy", self.policy))
            }
        }
    }
}

impl Reason {
    fn to_value(self) -> Value {
        json!({"factor": self.factor.as_str(), "holds": self.holds})
    }
}

/// Looks at one factor after the other, and at none behind the first that does not hold.
struct Judge {
    decision: Decision,
}

impl Judge {
    fn new() -> Self {
        Self { decision: Decision { reasons: Vec::new(), policy: POLICY, refusal: None, purpose: None } }
    }

    fn look(mut self, factor: Factor, outcome: impl FnOnce() -> Result<(), Refusal>) -> Self {
        if self.decision.refusal.is_none() {
            self.decision.refusal = outcome().err();
            self.decision.reasons.push(Reason { factor, holds: self.decision.refusal.is_none() });
        }
        self
    }
}

/// May the caller publish records of the resource?
#[must_use]
pub fn publish(caller: &Caller, resource: &Resource) -> Decision {
    Judge::new()
        .look(Factor::Sight, || visible::entry(caller, resource))
        .look(Factor::Agency, || of_agency(caller, resource.provider))
        .look(Factor::Role, || caller.require(Role::Integrator))
        .look(Factor::Provider, || provider_stands(resource))
        .look(Factor::Resource, || open(resource).and_then(|()| has_items(resource)))
        .look(Factor::Log, || log_stands(resource))
        .decision
}

/// May the caller read the records of its own resource? A suspended or retired one it may still read.
#[must_use]
pub fn steward(caller: &Caller, resource: &Resource) -> Decision {
    Judge::new()
        .look(Factor::Sight, || visible::entry(caller, resource))
        .look(Factor::Agency, || of_agency(caller, resource.provider))
        .look(Factor::Role, || caller.require(Role::Integrator))
        .look(Factor::Resource, || match resource.published_at {
            Some(_) => Ok(()),
            None => Err(not_published()),
        })
        .look(Factor::Log, || log_stands(resource))
        .decision
}

/// May the caller see a sample of its agency's own records, as a consumer would see them, to decide on a request?
#[must_use]
pub fn preview(caller: &Caller, resource: &Resource) -> Decision {
    Judge::new()
        .look(Factor::Sight, || visible::entry(caller, resource))
        .look(Factor::Agency, || of_agency(caller, resource.provider))
        .look(Factor::Role, || caller.require(Role::Reviewer))
        .look(Factor::Resource, || open(resource))
        .look(Factor::Log, || log_stands(resource))
        .decision
}

/// May the caller read under the grant, now and for this purpose? `purpose` may be left out where there is only one.
#[must_use]
pub fn deliver(
    caller: &Caller,
    grant: &Grant,
    resource: &Resource,
    purpose: Option<&str>,
    now: Time,
) -> Decision {
    let chosen = choose_purpose(grant, purpose);
    let mut decision = subscriber(caller, grant, resource.provider)
        .look(Factor::Grant, || stands(grant, now))
        .look(Factor::Purpose, || chosen.clone().map(|_| ()))
        .look(Factor::Provider, || provider_stands(resource))
        .look(Factor::Resource, || open(resource))
        .look(Factor::Log, || log_stands(resource))
        .decision;
    if decision.allowed() {
        decision.purpose = chosen.ok();
    }
    decision
}

/// May the caller move positions of the grant (acknowledge, seek, subscribe), whatever has become of it?
#[must_use]
pub fn subscribe(caller: &Caller, grant: &Grant, provider: AgencyId) -> Decision {
    subscriber(caller, grant, provider).decision
}

fn subscriber(caller: &Caller, grant: &Grant, provider: AgencyId) -> Judge {
    Judge::new()
        .look(Factor::Sight, || visible::grant(caller, grant, provider))
        .look(Factor::Agency, || of_agency(caller, grant.consumer))
        .look(Factor::Role, || caller.require(Role::Integrator))
}

fn of_agency(caller: &Caller, agency: AgencyId) -> Result<(), Refusal> {
    if caller.agency == agency { Ok(()) } else { Err(lifecycle::of_another_agency()) }
}

fn stands(grant: &Grant, now: Time) -> Result<(), Refusal> {
    let refusal = match grant.state_at(now) {
        GrantState::Active => return Ok(()),
        GrantState::Suspended => Refusal::new(
            Code::GrantSuspended,
            "授权已暂停,恢复之前不再供数;请联系提供方",
            "the grant is suspended, nothing is delivered until it is resumed; ask the provider",
        ),
        GrantState::Expired => {
            let refusal = Refusal::new(
                Code::GrantExpired,
                "授权已到期;如仍需要,请重新申请",
                "the grant has expired; ask again if you still need the data",
            );
            match grant.valid_until {
                Some(until) => refusal.with("valid_until", rfc3339(until)),
                None => refusal,
            }
        }
        GrantState::Revoked => Refusal::new(
            Code::GrantRevoked,
            "授权已撤销,不再供数;事由见 cause,如仍需要,请重新申请",
            "the grant was revoked, nothing is delivered any more; see `cause`, and ask again if you still need the data",
        ),
    };
    Err(match grant.cause {
        Some(cause) => refusal.with("cause", cause.as_str()),
        None => refusal,
    })
}

fn choose_purpose(grant: &Grant, named: Option<&str>) -> Result<PurposeCode, Refusal> {
    let codes = || grant.purposes.iter().map(|purpose| purpose.code.as_str()).collect::<Vec<_>>();
    match (named, grant.purposes.as_slice()) {
        (None, [only]) => only.code.parse(),
        (None, _) => Err(Refusal::new(
            Code::PurposeRequired,
            format!("授权有多个用途,请用 Changtong-Purpose 写明本次用途:{}", codes().join("、")),
            format!(
                "the grant has several purposes: name the one of this call in Changtong-Purpose: {}",
                codes().join(", ")
            ),
        )
        .with("purposes", codes())),
        (Some(code), purposes) if purposes.iter().any(|purpose| purpose.code == code) => code.parse(),
        (Some(_), _) => Err(Refusal::new(
            Code::PurposeNotGranted,
            format!("写明的用途不在授权的用途之中;授权的用途:{}", codes().join("、")),
            format!("the purpose named is not one of the grant's: {}", codes().join(", ")),
        )
        .with("purposes", codes())),
    }
}

/// Whether the agency that provides the resource is let in; while it is not, its resources stand still.
pub fn provider_stands(resource: &Resource) -> Result<(), Refusal> {
    if !resource.provider_suspended {
        return Ok(());
    }
    Err(Refusal::new(
        Code::ProviderSuspended,
        "提供信息资源的机构已停用,恢复之前不收数、不供数,也不受理新的申请",
        "the agency that provides the resource is suspended: nothing is taken, delivered or granted anew until it is \
         resumed",
    ))
}

/// Whether a resource gives and takes records.
pub fn open(resource: &Resource) -> Result<(), Refusal> {
    match resource.state {
        ResourceState::Published => Ok(()),
        ResourceState::Suspended => Err(Refusal::new(
            Code::ResourceSuspended,
            "信息资源已暂停,恢复之前不收数也不供数",
            "the resource is suspended: nothing is taken or delivered until it is resumed",
        )),
        ResourceState::Retired => Err(Refusal::new(
            Code::ResourceRetired,
            "信息资源已退出目录,不再收数和供数",
            "the resource is retired: nothing is taken or delivered any more",
        )),
        ResourceState::Draft | ResourceState::Submitted | ResourceState::Approved => Err(not_published()),
    }
}

fn not_published() -> Refusal {
    Refusal::new(
        Code::ResourceNotPublished,
        "信息资源尚未发布,请先完成提交、审核和发布",
        "the resource is not published yet: it must be submitted, approved and published first",
    )
}

fn has_items(resource: &Resource) -> Result<(), Refusal> {
    if resource.file.share_type == ShareType::Withheld && resource.file.items.is_empty() {
        return Err(Refusal::new(
            Code::ResourceWithheld,
            "该信息资源不予共享且没有信息项,不能发布数据",
            "the resource is withheld and has no items, so it takes no records",
        ));
    }
    Ok(())
}

fn log_stands(resource: &Resource) -> Result<(), Refusal> {
    if resource.log_rolled_back {
        return Err(Refusal::new(
            Code::LogRolledBack,
            "日志丢失了已确认的记录,该信息资源停用;请提供方审核员执行 changtong resource new-generation 找回仍在的记录",
            "the log lost acknowledged records and the resource stands still; its reviewer brings back what is still there by \
             `changtong resource new-generation`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
