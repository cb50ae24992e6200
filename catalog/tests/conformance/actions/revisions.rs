//! A revision of what is published takes two: it waits beside the entry, and another account than its writer's puts it
//! in force.

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{self, Done, Registering};
use changtong_catalog::conformance;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Cause;
use changtong_catalog::ids::{AccountId, ResourceNumber, TopicName};
use changtong_catalog::ports::Claim;
use changtong_catalog::registry::{Candidate, Part, Subject};
use changtong_catalog::request::Agreement;
use changtong_catalog::resource::{Resource, ResourceFile, ResourceState, ShareType};
use changtong_catalog::store::{Rejection, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Office, Stage, at};

async fn entry(store: &Store, number: ResourceNumber) -> Resource {
    store.read().await.unwrap().resource(number).await.unwrap().unwrap()
}

fn titled(entry: &Resource, title: &str) -> ResourceFile {
    ResourceFile { title: title.to_owned(), ..entry.file.clone() }
}

async fn propose(
    stage: &Stage<'_>,
    who: &Caller,
    entry: &Resource,
    file: ResourceFile,
) -> Result<Resource, Refusal> {
    let act = stage.act(who, 40);
    let done = actions::update_resource(stage.store, &act, &entry.code, Some(entry.version), file).await;
    done.map(|done| done.object)
}

async fn revise(stage: &Stage<'_>, who: &Caller, entry: &Resource) -> Result<Resource, Refusal> {
    let act = stage.act(who, 41);
    let done = actions::revise_resource(stage.store, &act, &entry.code, Some(entry.version), None).await;
    done.map(|done| done.object)
}

/// Two accounts that both may write and decide.
fn both(office: &Office) -> [Caller; 2] {
    let head = Caller { roles: office.editor.roles, ..office.head.clone() };
    [office.editor.clone(), head]
}

async fn what_is_proposed_changes_nothing_until_another_account_puts_it_in_force(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let file = titled(&before, "新名称");
    let waiting = propose(&stage, &office.editor, &before, file.clone()).await.unwrap();
    let proposal = waiting.proposal.clone().unwrap();
    assert_eq!((&proposal.file, proposal.written_by), (&file, office.editor.account));
    assert_eq!((proposal.written_at, proposal.version), (at(40), before.version + 1));
    let same = Resource { version: waiting.version, proposal: waiting.proposal.clone(), ..before.clone() };
    assert_eq!(waiting, same, "the entry stays as it is");
    assert_eq!(entry(store, before.number).await, waiting);

    let own = revise(&stage, &office.editor, &waiting).await.unwrap_err();
    assert_eq!(own.code, Code::FourEyes, "the writer decides nothing");
    let act = stage.act(&office.head, 41);
    let (code, version) = (&before.code, Some(waiting.version));
    let brought =
        actions::revise_resource(store, &act, code, version, Some(titled(&before, "三"))).await.unwrap_err();
    assert_eq!(brought.code, Code::FourEyes, "nor does who brings a file itself");
    let unread = actions::revise_resource(store, &act, code, Some(before.version), None).await.unwrap_err();
    assert_eq!(unread.code, Code::PreconditionFailed, "who puts it in force has read it");
    assert_eq!(entry(store, before.number).await, waiting);

    let revised = revise(&stage, &office.head, &waiting).await.unwrap();
    assert_eq!((&revised.file, &revised.proposal), (&file, &None));
    assert_eq!((revised.state, revised.version), (ResourceState::Published, waiting.version + 1));
    let accounts = (office.editor.account, Some(office.editor.account), Some(office.head.account));
    assert_eq!((revised.written_by, revised.submitted_by, revised.approved_by), accounts);
    assert_eq!(revise(&stage, &office.head, &revised).await.unwrap_err().code, Code::InvalidState);
    let mut events = stage.events_from(40).await;
    events.sort();
    assert_eq!(events, ["resource.proposal_approved", "resource.proposed", "resource.revised"]);
}

async fn a_rejected_proposal_is_gone_and_its_writer_reads_why(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let code = &before.code;
    let head = stage.act(&office.head, 42);
    let nothing = actions::reject_resource(store, &head, code, None, None).await.unwrap_err();
    assert_eq!(nothing.code, Code::InvalidState);
    propose(&stage, &office.editor, &before, titled(&before, "新名称")).await.unwrap();
    let rejected =
        actions::reject_resource(store, &head, code, None, Some("名称不规范")).await.unwrap().object;
    assert_eq!((&rejected.file, &rejected.proposal), (&before.file, &None));
    assert_eq!(rejected.state, ResourceState::Published);
    let told = Rejection { by: office.head.account, at: at(42), reason: Some("名称不规范".to_owned()) };
    let rejection = async || store.read().await.unwrap().rejection(before.number).await.unwrap();
    assert_eq!(rejection().await, Some(told));
    assert_eq!(revise(&stage, &office.head, &rejected).await.unwrap_err().code, Code::InvalidState);
    propose(&stage, &office.editor, &rejected, titled(&before, "更好的名称")).await.unwrap();
    assert_eq!(rejection().await, None, "it is answered");
    assert_eq!(stage.events_from(42).await, ["resource.proposal_rejected"]);
}

async fn a_new_proposal_takes_the_place_of_one_that_was_read(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let [editor, other] = both(&office);
    let before = stage.published(&office, ShareType::Conditional).await;
    let first = propose(&stage, &editor, &before, titled(&before, "一")).await.unwrap();
    let lost = propose(&stage, &other, &before, titled(&before, "二")).await.unwrap_err();
    assert_eq!(lost.code, Code::PreconditionFailed);
    let second = propose(&stage, &other, &first, titled(&before, "二")).await.unwrap();
    let waiting = second.proposal.as_ref().unwrap();
    assert_eq!((waiting.file.title.as_str(), waiting.written_by), ("二", other.account));
    assert_eq!(revise(&stage, &other, &second).await.unwrap_err().code, Code::FourEyes);
    let again = propose(&stage, &editor, &second, titled(&before, "二")).await.unwrap();
    assert_eq!(again, second, "said again it changes neither version nor writer");
    let back = propose(&stage, &editor, &second, before.file.clone()).await.unwrap();
    assert_eq!((back.proposal, back.version), (None, second.version + 1), "taken back");
    assert_eq!(stage.events_from(40).await, ["resource.proposed"; 3]);
}

async fn what_a_proposal_breaks_is_told_at_once_and_judged_again(store: &Store) {
    let stage = Stage::set(store).await;
    let (office, consumer) = (stage.provider().await, stage.consumer().await);
    let before = stage.published(&office, ShareType::Conditional).await;
    let asked = stage.submitted(&consumer, &before).await;
    let mut unmasked = before.file.clone();
    unmasked.items[2].mask = None;
    let refused = propose(&stage, &office.editor, &before, unmasked).await.unwrap_err();
    assert_eq!((refused.code, &refused.extra["path"]), (Code::SchemaIncompatible, &"pilot".into()));
    assert_eq!(entry(store, before.number).await, before);

    // Nobody uses the item yet.
    let mut without = before.file.clone();
    without.items.remove(1);
    let waiting = propose(&stage, &office.editor, &before, without.clone()).await.unwrap();
    let agreement = Agreement { filter: Some("dep_delay > 15".to_owned()), ..Agreement::default() };
    let head = stage.act(&office.head, 41);
    let agreed = actions::agree_request(store, &head, asked.id, None, &agreement).await.unwrap().object;
    let refused = revise(&stage, &office.head, &waiting).await.unwrap_err();
    assert_eq!((refused.code, &refused.extra["path"]), (Code::SchemaIncompatible, &"provider_filter".into()));
    assert_eq!(refused.extra["differences"][0]["grant"], agreed.grant.unwrap().to_string());
    assert_eq!(entry(store, before.number).await, waiting, "it waits on");
    actions::revoke_grant(store, &head, agreed.grant.unwrap(), None, Cause::PurposeDone, None).await.unwrap();
    assert_eq!(revise(&stage, &office.head, &waiting).await.unwrap().file, without);
}

async fn a_proposal_lasts_while_its_entry_is_suspended_and_ends_with_it(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let code = &before.code;
    let waiting = propose(&stage, &office.editor, &before, titled(&before, "新名称")).await.unwrap();
    let head = stage.act(&office.head, 42);
    let suspended =
        actions::suspend_resource(store, &head, code, None, Cause::DataFault).await.unwrap().object;
    assert_eq!(suspended.proposal, waiting.proposal);
    let revised = revise(&stage, &office.head, &suspended).await.unwrap();
    assert_eq!((revised.state, revised.file.title.as_str()), (ResourceState::Suspended, "新名称"));
    let waiting = propose(&stage, &office.editor, &revised, titled(&before, "又一名称")).await.unwrap();
    assert!(waiting.proposal.is_some());
    let retired =
        actions::retire_resource(store, &head, code, None, Cause::LawChanged, None).await.unwrap().object;
    assert_eq!((retired.state, &retired.proposal), (ResourceState::Retired, &None));
    let late = propose(&stage, &office.editor, &retired, before.file.clone()).await.unwrap_err();
    assert_eq!(late.code, Code::InvalidState);
}

async fn a_schema_that_came_by_the_registry_is_not_undone(store: &Store) {
    const TEXT: &str = r#"{"type":"record","name":"F","fields":[{"name":"carrier","type":"string"},
        {"name":"dep_delay","type":["null","long"]},{"name":"pilot","type":["null","string"]},
        {"name":"gate","type":["null","string"],"default":null,"grade":2,"title":"登机口"}]}"#;
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let open = ResourceFile { auto_register: true, ..before.file.clone() };
    let open = stage.revised(&office, &before, open, 30).await.unwrap();
    let stale = titled(&open, "新名称");
    propose(&stage, &office.editor, &open, stale).await.unwrap();
    let act = stage.act(&office.head, 41);
    let topic = TopicName::records("", before.number, before.generation);
    let subject = Subject::read(&Part::Value.subject(&topic));
    let candidate = Candidate { schema: TEXT.to_owned(), ..Candidate::default() };
    actions::register_schema(store, &act, &subject, &candidate, Registering::default()).await.unwrap();
    let adopted = entry(store, before.number).await;
    assert_eq!((adopted.file.items.len(), adopted.file.title.as_str()), (4, before.file.title.as_str()));
    assert!(adopted.proposal.as_ref().unwrap().overtaken);
    let refused = revise(&stage, &office.head, &adopted).await.unwrap_err();
    assert_eq!((refused.code, entry(store, before.number).await), (Code::InvalidState, adopted.clone()));
    let anew = titled(&adopted, "新名称");
    let waiting = propose(&stage, &office.editor, &adopted, anew.clone()).await.unwrap();
    assert_eq!(revise(&stage, &office.head, &waiting).await.unwrap().file, anew);
}

async fn one_account_may_do_both_where_no_four_eyes_are_asked(store: &Store) {
    let mut stage = Stage::set(store).await;
    stage.rules.four_eyes = false;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let waiting = propose(&stage, &office.editor, &before, titled(&before, "一")).await.unwrap();
    let revised = revise(&stage, &office.editor, &waiting).await.unwrap();
    let waiting = propose(&stage, &office.editor, &revised, titled(&before, "二")).await.unwrap();
    let act = stage.act(&office.head, 42);
    let version = Some(waiting.version);
    let file = Some(titled(&before, "三"));
    let revised = actions::revise_resource(store, &act, &before.code, version, file).await.unwrap().object;
    assert_eq!((revised.file.title.as_str(), &revised.proposal), ("三", &None));
    assert_eq!(revised.written_by, office.head.account);
    assert_eq!(stage.events_from(42).await, ["resource.revised"], "one account did both");
}

async fn asked_again_under_its_key_nothing_happens_twice(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let before = stage.published(&office, ShareType::Conditional).await;
    let claim = |account: AccountId, action: &str| Claim {
        account,
        action: action.to_owned(),
        object: before.code.to_string(),
        key: "k1".to_owned(),
        hash: [1; 16],
    };
    let (code, file) = (&before.code, titled(&before, "新名称"));
    let update = claim(office.editor.account, "update_resource");
    let act = stage.claimed(&office.editor, 40, &update);
    let propose = async || {
        actions::update_resource(store, &act, code, Some(before.version), file.clone()).await.unwrap()
    };
    let first = propose().await;
    let Done { object, replayed } = propose().await;
    assert_eq!((&object, replayed), (&first.object, true));
    let key = claim(office.head.account, "revise_resource");
    let act = stage.claimed(&office.head, 41, &key);
    let version = Some(first.object.version);
    let revise = async || actions::revise_resource(store, &act, code, version, None).await.unwrap();
    let revised = revise().await.object;
    let Done { object, replayed } = revise().await;
    assert_eq!((object, replayed), (revised, true));
    assert_eq!(stage.events_from(41).await.len(), 2);
}

#[derive(Debug, Clone, Copy)]
enum Doing {
    Propose,
    Revise,
    Bring,
    Reject,
    Suspend,
    Resume,
}

/// Whoever it is and whatever they do before: what is in force was written by one and put in force by another.
async fn in_any_order_of_acts_it_takes_two(store: &Store) {
    use Doing::*;
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let accounts = both(&office);
    let first = stage.published(&office, ShareType::Conditional).await;
    let doing = prop::sample::select(vec![Propose, Propose, Revise, Revise, Bring, Reject, Suspend, Resume]);
    let doings = prop::collection::vec((0..2_usize, doing), 80);
    let doings = doings.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let (mut revisions, mut refused) = (0, 0);
    for (n, (who, doing)) in doings.into_iter().enumerate() {
        let before = entry(store, first.number).await;
        let (who, code, version) = (&accounts[who], &first.code, Some(before.version));
        let act = stage.act(who, 40);
        let file = titled(&first, &format!("第 {n} 次"));
        let done = match doing {
            Propose => actions::update_resource(store, &act, code, version, file).await,
            Revise => actions::revise_resource(store, &act, code, version, None).await,
            Bring => actions::revise_resource(store, &act, code, version, Some(file)).await,
            Reject => actions::reject_resource(store, &act, code, version, None).await,
            Suspend => actions::suspend_resource(store, &act, code, version, Cause::DataFault).await,
            Resume => actions::resume_resource(store, &act, code, version).await,
        };
        refused += usize::from(done.is_err_and(|refusal| refusal.code == Code::FourEyes));
        let after = entry(store, first.number).await;
        if after.file != before.file {
            let written = before.proposal.unwrap();
            assert_eq!((&after.file, after.written_by), (&written.file, written.written_by));
            assert_ne!(written.written_by, who.account, "{doing:?}");
            revisions += 1;
        }
    }
    assert!(revisions > 3 && refused > 3, "{revisions} revisions, {refused} refused");
}

conformance!(
    what_is_proposed_changes_nothing_until_another_account_puts_it_in_force,
    a_rejected_proposal_is_gone_and_its_writer_reads_why,
    a_new_proposal_takes_the_place_of_one_that_was_read,
    what_a_proposal_breaks_is_told_at_once_and_judged_again,
    a_proposal_lasts_while_its_entry_is_suspended_and_ends_with_it,
    a_schema_that_came_by_the_registry_is_not_undone,
    one_account_may_do_both_where_no_four_eyes_are_asked,
    asked_again_under_its_key_nothing_happens_twice,
    in_any_order_of_acts_it_takes_two,
);
