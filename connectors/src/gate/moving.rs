//! Resources on their way to a new generation: publishing pauses, and the copy begins when nothing is on its way any
//! more. It lives in this process alone: a server that starts anew publishes on in the generation in force.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ResourceNumber;
use parking_lot::Mutex;
use tokio::sync::watch;

/// When a refused publish may come again.
const AGAIN: Duration = Duration::from_secs(5);

pub(super) struct Pauses {
    resources: Mutex<HashMap<ResourceNumber, Pause>>,
    /// Counts publishes that ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct Pause {
    publishing: usize,
    moving: bool,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { resources: Mutex::default(), ended: watch::Sender::new(0) }
    }
}

/// A publish on its way.
pub(super) struct Publishing {
    pauses: Arc<Pauses>,
    resource: ResourceNumber,
}

/// While it lives, the resource publishes nothing and no second move of it begins.
pub struct Moving {
    pauses: Arc<Pauses>,
    resource: ResourceNumber,
}

impl Pauses {
    pub fn publish(self: &Arc<Self>, resource: ResourceNumber) -> Result<Publishing, Refusal> {
        let mut resources = self.resources.lock();
        let pause = resources.entry(resource).or_default();
        if pause.moving {
            return Err(moving());
        }
        pause.publishing += 1;
        Ok(Publishing { pauses: self.clone(), resource })
    }

    /// Pauses publishing and waits until nothing of it is on its way.
    pub async fn begin(self: &Arc<Self>, resource: ResourceNumber) -> Result<Moving, Refusal> {
        let mut ended = self.ended.subscribe();
        let paused = {
            let mut resources = self.resources.lock();
            let pause = resources.entry(resource).or_default();
            if pause.moving {
                return Err(moving());
            }
            pause.moving = true;
            Moving { pauses: self.clone(), resource }
        };
        while self.resources.lock().get(&resource).is_some_and(|pause| pause.publishing > 0) {
            // The sender is this very thing.
            let _ = ended.changed().await;
        }
        Ok(paused)
    }

    fn leave(&self, resource: ResourceNumber, how: impl FnOnce(&mut Pause)) {
        let mut resources = self.resources.lock();
        if let Some(pause) = resources.get_mut(&resource) {
            how(pause);
            if pause.publishing == 0 && !pause.moving {
                resources.remove(&resource);
            }
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.pauses.leave(self.resource, |pause| pause.publishing -= 1);
        self.pauses.ended.send_modify(|count| *count += 1);
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.pauses.leave(self.resource, |pause| pause.moving = false);
    }
}

fn moving() -> Refusal {
    Refusal::new(
        Code::NewGenerationRunning,
        "该信息资源正在复制到新一代主题,暂不接受发布;请稍后用同一幂等键重试",
        "the resource is being copied into a new generation and takes no records meanwhile; come back later with the \
         same idempotency key",
    )
    .retry_after(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_move_waits_for_what_is_on_its_way_and_keeps_others_out() {
        let (pauses, number) = (Arc::new(Pauses::default()), ResourceNumber(1));
        let publishing = pauses.publish(number).unwrap();
        let mut beginning = Box::pin(pauses.begin(number));
        assert!(futures::poll!(&mut beginning).is_pending(), "a publish is on its way");
        assert_eq!(pauses.publish(number).err().unwrap().code, Code::NewGenerationRunning);
        assert!(pauses.publish(ResourceNumber(2)).is_ok(), "others go on");
        drop(publishing);
        let moving = beginning.await.unwrap();
        assert_eq!(pauses.begin(number).await.err().unwrap().code, Code::NewGenerationRunning);
        drop(moving);
        assert!(pauses.publish(number).is_ok());
        assert!(pauses.resources.lock().is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn a_move_given_up_while_it_waits_pauses_nothing() {
        let (pauses, number) = (Arc::new(Pauses::default()), ResourceNumber(1));
        let _publishing = pauses.publish(number).unwrap();
        let mut beginning = Box::pin(pauses.begin(number));
        assert!(futures::poll!(&mut beginning).is_pending());
        drop(beginning);
        assert!(pauses.publish(number).is_ok());
    }
}
