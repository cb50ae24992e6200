//! The cursor beside the rows: moved by compare-and-set in their transaction, and owned by whoever started last.

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::SubscriptionId;

use super::cell::Cell;
use super::refusals::taken_over;
use super::target::Target;

const MAKE: &str = "CREATE TABLE IF NOT EXISTS changtong_cursor (subscription TEXT NOT NULL, target TEXT NOT NULL, \
    cursor TEXT NOT NULL, resets BIGINT NOT NULL, epoch BIGINT NOT NULL, PRIMARY KEY (subscription, target))";
const FIND: &str =
    "SELECT cursor, resets, epoch FROM changtong_cursor WHERE subscription = $1 AND target = $2";
const BEGIN: &str = "INSERT INTO changtong_cursor (subscription, target, cursor, resets, epoch) \
    VALUES ($1, $2, '', $3, 1)";
const TAKE: &str = "UPDATE changtong_cursor SET epoch = epoch + 1 \
    WHERE subscription = $1 AND target = $2 AND epoch = $3";
const MOVE: &str = "UPDATE changtong_cursor SET cursor = $5, resets = $6 \
    WHERE subscription = $1 AND target = $2 AND epoch = $3 AND cursor = $4";

pub(super) struct Cursor {
    subscription: String,
    target: String,
    resets: i64,
    epoch: i64,
    /// As it is stored; empty before the first batch.
    stored: String,
}

impl Cursor {
    /// Takes the place of whoever wrote before; answers the cursor, unless a copy is to be begun.
    pub async fn take(
        target: &mut Target,
        subscription: SubscriptionId,
        table: &str,
        resets: i32,
    ) -> Result<(Self, Option<String>), Refusal> {
        target.execute(MAKE.to_owned(), Vec::new()).await?;
        let mut cursor = Self {
            subscription: subscription.to_string(),
            target: table.to_owned(),
            resets: i64::from(resets),
            epoch: 1,
            stored: String::new(),
        };
        let Some((stored, before, epoch)) = target.cursor(FIND, cursor.name()).await? else {
            let begin = [cursor.name(), vec![Cell::Int(Some(cursor.resets))]].concat();
            target.execute(BEGIN.to_owned(), begin).await?;
            return Ok((cursor, None));
        };
        let take = [cursor.name(), vec![Cell::Int(Some(epoch))]].concat();
        if target.execute(TAKE.to_owned(), take).await? != 1 {
            return Err(taken_over());
        }
        cursor.epoch = epoch + 1;
        cursor.stored = stored.clone();
        let held = (before == cursor.resets && !stored.is_empty()).then_some(stored);
        Ok((cursor, held))
    }

    /// Within the transaction of the rows.
    pub async fn advance(&self, target: &mut Target, next: &str) -> Result<(), Refusal> {
        let values = vec![
            Cell::Int(Some(self.epoch)),
            Cell::text(&self.stored),
            Cell::text(next),
            Cell::Int(Some(self.resets)),
        ];
        if target.execute(MOVE.to_owned(), [self.name(), values].concat()).await? == 1 {
            return Ok(());
        }
        Err(taken_over())
    }

    /// The transaction is committed.
    pub fn moved(&mut self, next: &str) {
        next.clone_into(&mut self.stored);
    }

    fn name(&self) -> Vec<Cell> {
        vec![Cell::text(&self.subscription), Cell::text(&self.target)]
    }
}
