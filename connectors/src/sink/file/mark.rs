//! The mark beside a file: which lines of it count.

use std::io::{Read as _, Write as _};

use cap_std::fs::OpenOptions;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use serde::{Deserialize, Serialize};

use crate::root::{Root, unreadable};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub subscription: Option<SubscriptionId>,
    pub resets: i32,
    /// What stands in each line.
    pub columns: Vec<String>,
    /// Bytes of the file that count.
    pub length: u64,
    /// The cursor behind the last of them; `None` before the first batch.
    pub cursor: Option<String>,
}

impl Mark {
    pub fn begin(subscription: SubscriptionId, resets: i32, columns: &[String]) -> Self {
        Self { subscription: Some(subscription), resets, columns: columns.to_vec(), length: 0, cursor: None }
    }

    /// Whether the file can be written on, or must begin anew.
    pub fn continues(&self, subscription: SubscriptionId, resets: i32, columns: &[String]) -> bool {
        self.subscription == Some(subscription) && self.resets == resets && self.columns == columns
    }

    /// An absent mark is an empty one.
    pub fn load(root: &Root, path: &str) -> Result<Self, Refusal> {
        let name = name(path);
        let how = OpenOptions::new().read(true).write(true).create(true).truncate(false).to_owned();
        let mut text = String::new();
        let mut file = root.open_with(&name, &how)?;
        file.read_to_string(&mut text).map_err(|error| unreadable(&name, &error))?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(&text).map_err(|_| {
            Refusal::new(
                Code::FileUnreadable,
                format!("文件 {name} 已损坏;请停止后重置该连接器,并移走此文件"),
                format!("the file {name} is damaged; stop and reset the connector, and move the file away"),
            )
        })
    }

    /// Replaced whole, on disk when this returns.
    pub fn store(&self, root: &Root, path: &str) -> Result<(), Refusal> {
        let (name, fresh) = (name(path), format!("{path}.changtong.new"));
        let text = serde_json::to_vec(self)
            .map_err(|_| Refusal::new(Code::Internal, "无法写出标记", "the mark cannot be written"))?;
        let how = OpenOptions::new().write(true).create(true).truncate(true).to_owned();
        let mut file = root.open_with(&fresh, &how)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        written.map_err(|error| unreadable(&fresh, &error))?;
        root.rename(&fresh, &name)
    }
}

fn name(path: &str) -> String {
    format!("{path}.changtong")
}
