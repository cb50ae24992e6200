//! The line that deletes a row, from the row's key.

use bytes::Bytes;
use changtong_catalog::error::Refusal;

use super::binary;
use super::plan::{Plan, undecodable};

impl Plan {
    /// `{"$op":"delete", …key items…}` from a framed key, as a publish takes it.
    pub fn delete_line(&self, key: &Bytes, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (_, datum) = binary::unframe(key).ok_or_else(undecodable)?;
        out.extend_from_slice(br#"{"$op":"delete","#);
        self.put_items(self.key.iter().copied(), datum, out)?;
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}
