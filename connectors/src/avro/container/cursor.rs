//! Foreign bytes, read forward only: a length or a count is compared with what is there before anything is done by it.

use changtong_catalog::error::Text;

/// Why bytes cannot be taken apart any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// They end inside a value; whoever holds more may go on.
    Short,
    /// A number of more than 64 bits, or of more than ten bytes.
    Varint,
    /// A negative length or size.
    Length,
    /// More elements that take no bytes than are counted one by one.
    Count,
    /// A branch that the union does not have.
    Branch,
    /// Elements that do not end where their block's size says.
    BlockSize,
}

impl Broken {
    pub fn text(self) -> Text {
        let (zh, en) = match self {
            Self::Short => ("值超出数据块的末尾", "a value ends behind its block"),
            Self::Varint => ("整数的编码超过 64 位", "a number has more than 64 bits"),
            Self::Length => ("长度为负", "a length is negative"),
            Self::Count => ("数组元素过多", "an array has too many elements"),
            Self::Branch => ("联合类型没有该分支", "a union has no such branch"),
            Self::BlockSize => ("数组的分块与其大小不符", "a block of elements does not end where it says"),
        };
        Text::new(zh, en)
    }
}

/// Elements of no bytes (nulls) that the arrays of one datum may have: others are bounded by their bytes.
const MOST_EMPTY: u64 = 1 << 16;

#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    empty_left: u64,
}

/// A block of an array's elements or a map's entries.
pub(super) struct Elements {
    pub count: u64,
    /// Where it must end, if it says so.
    end: Option<usize>,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, empty_left: MOST_EMPTY }
    }

    pub fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Broken> {
        let count = usize::try_from(count).map_err(|_| Broken::Short)?;
        let end = self.at.checked_add(count).ok_or(Broken::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Broken::Short)?;
        self.at = end;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// A zigzag varint; a longer form than needed is a valid one, a number of more than 64 bits is not.
    pub fn long(&mut self) -> Result<i64, Broken> {
        let mut value = 0_u64;
        for place in 0..10 {
            let byte = *self.bytes.get(self.at).ok_or(Broken::Short)?;
            self.at += 1;
            if place == 9 && byte > 1 {
                return Err(Broken::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Broken::Varint)
    }

    pub fn length(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.long()?).map_err(|_| Broken::Length)
    }

    /// Bytes or text behind their length.
    pub fn counted(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.length()?;
        self.take(length)
    }

    pub fn branch(&mut self, branches: usize) -> Result<usize, Broken> {
        let branch = usize::try_from(self.long()?).map_err(|_| Broken::Branch)?;
        if branch < branches { Ok(branch) } else { Err(Broken::Branch) }
    }

    /// The next block of an array or map, `None` behind the last. A negative count stands before the block's size.
    pub fn elements(&mut self) -> Result<Option<Elements>, Broken> {
        let count = self.long()?;
        if count == 0 {
            return Ok(None);
        }
        if count > 0 {
            return Ok(Some(Elements { count: count.unsigned_abs(), end: None }));
        }
        let size = self.length()?;
        if size > self.left() {
            return Err(Broken::Short);
        }
        Ok(Some(Elements { count: count.unsigned_abs(), end: Some(self.at + size as usize) }))
    }

    /// Elements that each take at least one byte.
    pub fn each_has_bytes(&self, elements: &Elements) -> Result<(), Broken> {
        if elements.count > self.left() { Err(Broken::Short) } else { Ok(()) }
    }

    /// Elements that take none.
    pub fn pass_empty(&mut self, elements: &Elements) -> Result<(), Broken> {
        self.empty_left = self.empty_left.checked_sub(elements.count).ok_or(Broken::Count)?;
        Ok(())
    }

    pub fn ends(&self, elements: &Elements) -> Result<(), Broken> {
        if elements.end.is_none_or(|end| end == self.at) { Ok(()) } else { Err(Broken::BlockSize) }
    }
}
