//! What a proposed schema is judged against: the versions of its generation at the level that all resources have, and
//! every grant that stands.

use super::Session;
use crate::clock::Time;
use crate::compat::Level;
use crate::error::Refusal;
use crate::evolution::{self, Concerned, Proposal, Verdict, concerned};
use crate::grant::Grant;
use crate::ports::SchemaVersion;
use crate::resource::{Item, Resource};

/// A proposal judged, with the grants it was judged against.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub level: Level,
    pub versions: Vec<SchemaVersion>,
    pub verdict: Verdict,
    pub grants: Vec<(Grant, Concerned)>,
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
    /// Judges items that are to take the place of an entry's, which make a schema already.
    pub async fn judge(&mut self, entry: &Resource, items: &[Item], now: Time) -> Result<Judged, Refusal> {
        let standing = self.resource_standing(entry.number).await?;
        let versions = standing.map(|standing| standing.versions.to_vec()).unwrap_or_default();
        let level = Level::OF_RESOURCES;
        let proposal = Proposal { resource: entry.number, level, versions: &versions, items };
        let verdict = proposal.judge()?;
        let mut grants = Vec::new();
        for grant in self.grants_on(entry.number, now).await? {
            let concerned = concerned(&proposal, &verdict, &grant)?;
            grants.push((grant, concerned));
        }
        Ok(Judged { level, versions, verdict, grants })
    }
}
