//! Idempotency keys and source steps as calls bring them (protocol.md 5), and which keys are at work right now.

use std::collections::HashSet;
use std::sync::Arc;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{AccountId, ResourceNumber};
use changtong_catalog::ports::{Claim, SourceStep};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::calls::{Format, OnInvalid, Publish, SetAside};
use super::refusals;

/// A claim without its hash: one key of one account on one object.
type Name = (AccountId, String, String, String);

/// Keys whose first request is still running.
#[derive(Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<Name>>>);

/// Gives the key free when the request has its answer.
pub(super) struct Running {
    running: Arc<Mutex<HashSet<Name>>>,
    name: Name,
}

impl Claims {
    /// 409 while another request with the key is running.
    pub fn begin(&self, claim: &Claim) -> Result<Running, Refusal> {
        let name = (claim.account, claim.action.clone(), claim.object.clone(), claim.key.clone());
        if !self.0.lock().insert(name.clone()) {
            return Err(refusals::in_progress());
        }
        Ok(Running { running: self.0.clone(), name })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.running.lock().remove(&self.name);
    }
}

/// The claim of a publish; the hash covers content type, options and decompressed body.
pub(super) fn of_publish(publish: &Publish, resource: ResourceNumber) -> Result<Option<Claim>, Refusal> {
    let Some(key) = &publish.idempotency_key else { return Ok(None) };
    if !visible(key, 200) {
        return Err(refusals::bad_header(
            "Idempotency-Key",
            "应为 1 至 200 个可见 ASCII 字符",
            "1 to 200 visible ASCII characters are wanted",
        ));
    }
    Ok(Some(Claim {
        account: publish.caller.account,
        action: "publish".to_owned(),
        object: resource.to_string(),
        key: key.clone(),
        hash: hash(publish),
    }))
}

/// The one claim of every replay of a record set aside, whoever asks for it.
pub(super) fn of_replay(publish: &Publish, aside: &SetAside) -> Claim {
    Claim {
        account: aside.account,
        action: "replay_quarantined".to_owned(),
        object: aside.resource.to_string(),
        key: aside.id.to_string(),
        hash: hash(publish),
    }
}

/// Whether both positions of a source's step and its name are well formed.
pub(super) fn check_source(step: &SourceStep) -> Result<(), Refusal> {
    let good = visible(&step.from, 512) && visible(&step.to, 512) && visible(&step.connector, 200);
    if good && step.to != "-" {
        return Ok(());
    }
    Err(refusals::bad_header(
        "Changtong-Source",
        "应为“连接器 起点 终点”:各为不含空格的可见 ASCII 字符,位置至多 512 个",
        "connector, from and to are wanted: visible ASCII without space, positions of at most 512 characters",
    ))
}

/// Visible ASCII without space.
fn visible(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn hash(publish: &Publish) -> [u8; 16] {
    let format = match publish.format {
        Format::Ndjson => 1,
        Format::JsonArray => 2,
        Format::Csv => 3,
        Format::Avro => 4,
    };
    let quarantine = u8::from(publish.on_invalid == OnInvalid::Quarantine);
    let mut sha = Sha256::new();
    sha.update([format, quarantine]);
    if let Some(step) = &publish.source {
        for part in [&step.connector, &step.from, &step.to] {
            sha.update(part);
            sha.update([0]);
        }
    }
    sha.update([0]);
    sha.update(&publish.body.bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&sha.finalize()[..16]);
    half
}
