//! A revision of what is published (domain.md 4.3): it waits beside the entry, which stays as it is, until a reviewer who
//! did not write it puts it in force or drops it.

use serde::{Deserialize, Serialize};

use super::{Resource, ResourceFile};
use crate::account::Caller;
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::AccountId;
use crate::lifecycle::four_eyes as check_four_eyes;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    pub file: ResourceFile,
    pub written_by: AccountId,
    pub written_at: Time,
    /// The version of the entry from which on it waits.
    pub version: i32,
    /// The entry's own file changed since: put in force, it would undo that.
    pub overtaken: bool,
}

/// A revision that may come into force.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    pub file: ResourceFile,
    pub written_by: AccountId,
    /// The version of the entry from which on it waited; none of a file that the reviewer brings.
    pub proposed: Option<i32>,
}

impl Resource {
    /// What waits; refused if nothing does.
    pub fn waiting(&self) -> Result<&Proposal, Refusal> {
        self.proposal.as_ref().ok_or_else(|| {
            Refusal::new(
                Code::InvalidState,
                "没有待审核的修订;编目员可用 changtong resource apply FILE(PUT)提出",
                "no revision waits; an editor proposes one by changtong resource apply FILE (PUT)",
            )
        })
    }
}

/// What the caller, a reviewer, would put in force: a file that it brings, which only one account may do that may do
/// everything, or what waits and another wrote.
pub fn revision(
    caller: &Caller,
    entry: &Resource,
    brought: Option<ResourceFile>,
    four_eyes: bool,
) -> Result<Revision, Refusal> {
    if let Some(file) = brought {
        return if four_eyes {
            Err(needs_two(entry))
        } else {
            Ok(Revision { file, written_by: caller.account, proposed: None })
        };
    }
    let waiting = entry.waiting()?;
    check_four_eyes(caller, &[Some(waiting.written_by)], four_eyes)?;
    if waiting.overtaken {
        return Err(overtaken());
    }
    let (file, written_by) = (waiting.file.clone(), waiting.written_by);
    Ok(Revision { file, written_by, proposed: Some(waiting.version) })
}

fn needs_two(entry: &Resource) -> Refusal {
    let code = entry.code.dashed();
    Refusal::new(
        Code::FourEyes,
        format!(
            "已发布的信息资源须由两个账号修订:编目员提出(changtong resource apply FILE,即 PUT),另一账号的审核员使其生效\
             (changtong resource revise {code},不带文件)"
        ),
        format!(
            "a published resource is revised by two: an editor proposes the file (changtong resource apply FILE, a PUT), and \
             a reviewer by another account puts it in force (changtong resource revise {code}, without a file)"
        ),
    )
}

fn overtaken() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "提出修订之后,条目本身已有变更(经注册表登记了新模式),此修订生效会撤销该变更;请按现行条目重新提出,或予以退回",
        "the entry itself changed since this was proposed (a schema came by the registry), and it would undo that; propose \
         anew from the entry as it is, or reject it",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::Role;
    use crate::resource::ResourceState;
    use crate::resource::lifecycle::{Act, apply, may};
    use crate::testing::{caller, proposal, resource};

    /// What one account does: the act, and for a revision whether it brings a file.
    fn doings() -> impl Strategy<Value = Vec<(u128, Act, bool)>> {
        let doing = (1..=3_u128, prop::sample::select(Act::ALL.to_vec()), any::<bool>());
        prop::collection::vec(doing, 0..60)
    }

    proptest! {
        /// Accounts with all roles, in any order of acts: what comes into force was written by one and put in force by
        /// another.
        #[test]
        fn no_account_puts_in_force_what_it_wrote(doings in doings(), four_eyes in any::<bool>()) {
            let mut entry = resource();
            for (n, (account, act, brings)) in doings.into_iter().enumerate() {
                let who = caller(1, account, &[Role::Editor, Role::Reviewer]);
                if may(&who, &entry, act, four_eyes).is_err() {
                    continue;
                }
                let Ok(state) = apply(entry.state, act) else { continue };
                let mut file = entry.file.clone();
                file.title = format!("第 {n} 次");
                match act {
                    Act::Change if state != ResourceState::Draft => entry.proposal = Some(proposal(file, account)),
                    Act::Reject if entry.waiting().is_ok() => entry.proposal = None,
                    Act::Revise => {
                        let Ok(revision) = revision(&who, &entry, brings.then_some(file), four_eyes) else {
                            continue;
                        };
                        prop_assert!(!four_eyes || revision.written_by != who.account);
                        prop_assert_eq!(revision.proposed.is_none(), brings);
                        entry.proposal = None;
                        entry.file = revision.file;
                    }
                    _ => {}
                }
                entry.state = state;
            }
        }
    }

    #[test]
    fn what_waits_is_put_in_force_by_another_than_its_writer() {
        let mut entry = resource();
        let reviewer = |account| caller(1, account, &[Role::Reviewer]);
        let nothing = revision(&reviewer(12), &entry, None, true).unwrap_err();
        assert_eq!(nothing.code, Code::InvalidState);
        let mut file = entry.file.clone();
        file.title = "新".to_owned();
        entry.proposal = Some(proposal(file.clone(), 11));
        assert_eq!(revision(&reviewer(11), &entry, None, true).unwrap_err().code, Code::FourEyes);
        let found = revision(&reviewer(12), &entry, None, true).unwrap();
        assert_eq!((&found.file, found.proposed), (&file, Some(5)));
        assert_eq!(found.written_by, reviewer(11).account);
        assert_eq!(
            revision(&reviewer(11), &entry, None, false).unwrap(),
            found,
            "the setting lets one do both"
        );
    }

    #[test]
    fn a_file_is_brought_only_where_one_account_may_do_everything() {
        let entry = resource();
        let who = caller(1, 12, &[Role::Editor, Role::Reviewer]);
        let refused = revision(&who, &entry, Some(entry.file.clone()), true).unwrap_err();
        assert_eq!(refused.code, Code::FourEyes);
        assert!(refused.text.en.contains("resource revise 3070220601-000001"), "{}", refused.text.en);
        let alone = revision(&who, &entry, Some(entry.file.clone()), false).unwrap();
        assert_eq!((alone.written_by, alone.proposed), (who.account, None));
    }

    #[test]
    fn what_was_overtaken_waits_for_its_writer() {
        let mut entry = resource();
        entry.proposal = Some(Proposal { overtaken: true, ..proposal(entry.file.clone(), 11) });
        let who = caller(1, 12, &[Role::Reviewer]);
        assert_eq!(revision(&who, &entry, None, true).unwrap_err().code, Code::InvalidState);
    }
}
