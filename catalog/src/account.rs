//! Accounts, their roles and the caller a credential stands for (DESIGN.md 9).

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, AgencyId, KeyId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Editor,
    Reviewer,
    Integrator,
    Authority,
    Operator,
    Auditor,
}

impl Role {
    pub const ALL: [Self; 6] =
        [Self::Editor, Self::Reviewer, Self::Integrator, Self::Authority, Self::Operator, Self::Auditor];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::Reviewer => "reviewer",
            Self::Integrator => "integrator",
            Self::Authority => "authority",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of roles; kept in the store as its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(u8);

impl Roles {
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b11_1111)
    }

    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// What both hold: a key is never wider than its account.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    /// Operator and auditor combine with no other role.
    pub fn check(self) -> Result<Self, Refusal> {
        let alone = self.has(Role::Operator) || self.has(Role::Auditor);
        if self.0 == 0 || (alone && self.0.count_ones() > 1) {
            return Err(Refusal::new(
                Code::Invalid,
                "账号至少有一个角色;operator 与 auditor 不与其他角色同在",
                "an account has at least one role; operator and auditor combine with no other",
            ));
        }
        Ok(self)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

impl From<Vec<Role>> for Roles {
    fn from(roles: Vec<Role>) -> Self {
        roles.into_iter().collect()
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub agency: AgencyId,
    /// Unique within its agency.
    pub name: String,
    pub roles: Roles,
    pub suspended: bool,
    /// Raised by every change; the `ETag`.
    pub version: i32,
    pub created_at: Time,
}

/// An API key as people see it: nothing here lets anyone in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: KeyId,
    pub account: AccountId,
    /// Roles it is cut to.
    pub scopes: Roles,
    /// Absent of the first key, which the server made.
    pub issued_by: Option<AccountId>,
    pub created_at: Time,
    pub expires_at: Time,
    pub revoked_at: Option<Time>,
    pub last_used_at: Option<Time>,
}

/// Who is calling: the credential and what it may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub agency: AgencyId,
    pub account: AccountId,
    pub key: KeyId,
    /// Roles of the account, cut to the scopes of the key.
    pub roles: Roles,
}

impl Caller {
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.has(role)
    }

    pub fn require(&self, role: Role) -> Result<(), Refusal> {
        if self.is(role) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Forbidden,
            format!("需要 {} 角色", role.as_str()),
            format!("this needs the role {}", role.as_str()),
        )
        .with("role", role.as_str()))
    }
}
