//! A resource moves to a new generation: copied by the gate, cut over by the action, again where something came between.

use std::sync::Arc;

use changtong_catalog::actions::{Act, CutOver, Done, may_move, new_generation};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Directory as _;
use changtong_catalog::resource::Resource;
use changtong_catalog::store::carried;
use changtong_connectors::fault;
use changtong_connectors::gate::Moving;

use crate::app::App;
use crate::http::command::{Call, Command};

/// Copies made for one call: each but the last met a grant or a commit that came meanwhile.
const TRIES: u32 = 5;

/// What is asked of a move.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// As many as before if left out.
    pub partitions: Option<i32>,
    /// How many records may be left out at most, as they stand where others were published.
    pub leave_out: i64,
}

/// What came of a move.
#[derive(Debug)]
pub struct Moved {
    pub entry: Resource,
    /// Records copied; none of a call that was answered before.
    pub records: Option<i64>,
    /// Records left out, as they stand where others were published.
    pub left_out: Option<i64>,
}

/// Goes on if the caller leaves: a copy half made would only have to be made again.
pub async fn move_on<T: Send + Sync + 'static>(
    app: Arc<App>,
    code: ResourceCode,
    command: Command<T>,
    wanted: Wanted,
) -> Result<Moved, Refusal> {
    let moving = tokio::spawn(carried(async move {
        let call = command.call(&app, "new_generation", &code);
        moved(&app, &call, &code, command.expected, wanted).await
    }));
    moving.await.map_err(|_| broke_off())?
}

async fn moved(
    app: &App,
    call: &Call<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    wanted: Wanted,
) -> Result<Moved, Refusal> {
    if let Some(Done { object: entry, .. }) = may_move(&app.store, &call.act(), code, expected).await? {
        return Ok(Moved { entry, records: None, left_out: None });
    }
    let standing = app.store.resource(code).await?.ok_or_else(gone)?;
    let paused = app.gate.begin_move(standing.resource.number).await?;
    for _ in 0..TRIES {
        if let Some(moved) = once(app, call, (code, expected), &paused, wanted).await? {
            return Ok(moved);
        }
    }
    Err(Refusal::new(
        Code::Overloaded,
        "复制期间授权或记录一再变化,未能切换;请稍后再试",
        "grants or records kept changing while the resource was copied, so it was not cut over; try again later",
    )
    .retry_after(std::time::Duration::from_secs(30)))
}

/// One copy and its cut-over; `None` if something came between.
async fn once(
    app: &App,
    call: &Call<'_>,
    (code, expected): (&ResourceCode, Option<i32>),
    paused: &Moving,
    wanted: Wanted,
) -> Result<Option<Moved>, Refusal> {
    let standing = app.store.resource(code).await?.ok_or_else(gone)?;
    let copied = app.gate.copy(paused, &standing, wanted.partitions).await?;
    if copied.strange > wanted.leave_out {
        return Err(left_out(copied.strange));
    }
    fault::point(fault::CUTTING_OVER);
    // The events of what was copied are no older than its records: a later copy goes by that.
    let act = Act { now: app.clock.now(), ..call.act() };
    match new_generation(&app.store, &act, code, expected, &copied).await? {
        CutOver::Changed => Ok(None),
        CutOver::Done(done) => {
            fault::point(fault::CUT_OVER);
            app.gate.moved(&copied).await?;
            let (records, left_out) = (Some(copied.records), Some(copied.strange));
            Ok(Some(Moved { entry: done.object, records, left_out }))
        }
    }
}

/// They may also be the resource's own, where the brokers' clock is ahead of the store's: nobody but a person can tell.
fn left_out(strange: i64) -> Refusal {
    Refusal::new(
        Code::LeftOut,
        format!(
            "日志中有 {strange} 条记录晚于相应发布的提交时间,将被略去:主题曾被重建或被他人写入,或者 Kafka 服务器的时钟快于数据库;\
             请先核对时钟;确要略去的,以 leave_out={strange} 再次执行"
        ),
        format!(
            "{strange} records lie in the log that are later than what was published at their places, and would be left \
             out: the topic was made anew or written to by others, or the brokers' clock is ahead of the database's; \
             compare the clocks first; if they are to be left out, do it again with leave_out={strange}"
        ),
    )
    .with("left_out", strange)
}

fn gone() -> Refusal {
    Refusal::not_found("信息资源", "resource")
}

fn broke_off() -> Refusal {
    Refusal::new(Code::Internal, "换代中断,可再次执行", "the move broke off; the command may be run again")
}
