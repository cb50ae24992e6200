//! What a proposed schema is judged against: the versions of its generation at the level that all resources have, and
//! every grant that stands.

use sqlx::{FromRow, query_as};

use super::Session;
use super::dispatch::on;
use crate::clock::Time;
use crate::compat::{Level, Work};
use crate::error::Refusal;
use crate::evolution::{self, Concerned, Proposal, Verdict, concerned};
use crate::grant::Grant;
use crate::ids::{GrantNumber, ResourceNumber};
use crate::ports::SchemaVersion;
use crate::resource::{Item, Resource};

/// What a judgement rests on beside what is proposed. Versions only rise and numbers are given in order, so whatever
/// changed makes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Footing {
    /// Of the entry.
    pub version: i32,
    /// How many grants stand, the sum of their versions, the latest of them.
    pub grants: i64,
    pub grant_versions: i64,
    pub newest: GrantNumber,
}

/// A proposal judged, with the grants it was judged against.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub footing: Footing,
    pub level: Level,
    pub versions: Vec<SchemaVersion>,
    pub verdict: Verdict,
    pub grants: Vec<(Grant, Concerned)>,
}

/// What a judgement rests on, read: the entry is of the footing's version.
#[derive(Debug)]
pub struct Ground {
    pub entry: Resource,
    footing: Footing,
    versions: Vec<SchemaVersion>,
    grants: Vec<Grant>,
}

impl Ground {
    /// Costs the more, the more versions and grants there are: nothing for whoever holds a connection.
    pub fn judge(self, items: &[Item], work: &mut Work) -> Result<Judged, Refusal> {
        let Self { entry, footing, versions, grants } = self;
        let level = Level::OF_RESOURCES;
        let proposal = Proposal { resource: entry.number, level, versions: &versions, items };
        let verdict = proposal.judge(work)?;
        let mut judged = Vec::with_capacity(grants.len());
        for grant in grants {
            let concerned = concerned(&proposal, &verdict, &grant, work)?;
            judged.push((grant, concerned));
        }
        Ok(Judged { footing, level, versions, verdict, grants: judged })
    }

    #[must_use]
    pub fn footing(&self) -> Footing {
        self.footing
    }
}

impl Judged {
    #[must_use]
    pub fn breaks(&self) -> bool {
        let of_a_grant = |(_, concerned): &(Grant, Concerned)| !concerned.own.is_empty();
        !self.verdict.breaks.is_empty() || self.grants.iter().any(of_a_grant)
    }

    /// Refuses what breaks something.
    pub fn check(&self) -> Result<(), Refusal> {
        let concerned: Vec<Concerned> = self.grants.iter().map(|(_, concerned)| concerned.clone()).collect();
        evolution::check(self.level, &self.verdict, &concerned)
    }
}

impl Session {
    /// What a judgement would rest on now.
    pub async fn footing(&mut self, resource: ResourceNumber) -> Result<Option<Footing>, Refusal> {
        const SELECT: &str = "SELECT r.version, COUNT(g.id) AS grants, \
            COALESCE(SUM(g.version), 0) AS grant_versions, COALESCE(MAX(g.number), 0) AS newest \
            FROM resource r LEFT JOIN share_grant g ON g.resource = r.number AND g.state IN ('active', 'suspended') \
            WHERE r.number = $1 GROUP BY r.version";
        on!(self, |conn| query_as(SELECT).bind(resource).fetch_optional(conn))
    }

    /// What items that are to take the place of an entry's would be judged against; nothing where there is no entry.
    pub async fn ground(&mut self, resource: ResourceNumber, now: Time) -> Result<Option<Ground>, Refusal> {
        let Some(ground) = self.ground_of_all(resource).await? else { return Ok(None) };
        self.with_grants(ground, now).await.map(Some)
    }

    /// The same but for grants, of which not everybody may know.
    pub async fn ground_of_all(&mut self, resource: ResourceNumber) -> Result<Option<Ground>, Refusal> {
        // First, so that what changes while the rest is read shows; the entry last, so that all of it is of one version.
        while let Some(footing) = self.footing(resource).await? {
            let standing = self.resource_standing(resource).await?;
            let Some(entry) = self.resource(resource).await? else { return Ok(None) };
            if entry.version == footing.version {
                let versions = standing.map(|standing| standing.versions.to_vec()).unwrap_or_default();
                return Ok(Some(Ground { entry, footing, versions, grants: Vec::new() }));
            }
        }
        Ok(None)
    }

    /// The grants that stand, for whoever may know of them.
    pub async fn with_grants(&mut self, ground: Ground, now: Time) -> Result<Ground, Refusal> {
        let grants = self.grants_on(ground.entry.number, now).await?;
        Ok(Ground { grants, ..ground })
    }
}
