//! Avro's binary encoding (specification 1.12, section "Binary encoding") of the types that items have, and the
//! Confluent frame before it. Readers are bounded by the slice they are given.

use changtong_catalog::cell::Cell;
use changtong_catalog::ids::SchemaId;
use changtong_catalog::literal;
use changtong_catalog::resource::AvroType;

/// What stands before a datum.
pub(super) fn frame(id: SchemaId) -> [u8; 5] {
    let [a, b, c, d] = id.0.to_be_bytes();
    [0, a, b, c, d]
}

pub(super) fn unframe(bytes: &[u8]) -> Option<(SchemaId, &[u8])> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Some((SchemaId(i32::from_be_bytes([*a, *b, *c, *d])), datum)),
        _ => None,
    }
}

#[inline]
pub(super) fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[inline(always)]
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Bytes that are made where they go: their length is put before them when it is known.
pub(super) fn put_made(out: &mut Vec<u8>, make: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    make(out);
    let end = out.len();
    put_long((end - start) as i64, out);
    let length = out.len() - end;
    out[start..].rotate_right(length);
}

/// Two's complement, big-endian, in the fewest bytes (protocol.md 2: key bytes must be one for one value).
pub(super) fn put_decimal(unscaled: i128, out: &mut Vec<u8>) {
    put_bytes(&unscaled.to_be_bytes()[literal::first_byte(unscaled)..], out);
}

/// A value that is there, as another type has it (`written.rs` says which types that may be).
pub(super) fn put_as(avro: AvroType, cell: &Cell<'_>, out: &mut Vec<u8>) {
    match *cell {
        Cell::Null | Cell::Unknown => {}
        Cell::Bool(value) => out.push(u8::from(value)),
        Cell::Int(value) | Cell::Timestamp(value) => put_long(value, out),
        Cell::Date(days) => put_long(i64::from(days), out),
        Cell::Float(value) if avro == AvroType::Float => {
            out.extend_from_slice(&(value as f32).to_le_bytes());
        }
        Cell::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
        Cell::Decimal(unscaled, _) => put_decimal(unscaled, out),
        Cell::Text(text) => put_bytes(text.as_bytes(), out),
        Cell::Bytes(bytes) => put_bytes(bytes, out),
    }
}

/// How far a value reaches.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    /// As its length says, which stands before it.
    Counted,
    Number,
    Bytes(usize),
}

impl Reach {
    pub fn of(avro: AvroType) -> Self {
        match avro {
            AvroType::String | AvroType::Bytes | AvroType::Decimal { .. } => Self::Counted,
            AvroType::Int | AvroType::Long | AvroType::Date | AvroType::TimestampMillis => Self::Number,
            AvroType::Float => Self::Bytes(4),
            AvroType::Double => Self::Bytes(8),
            AvroType::Boolean => Self::Bytes(1),
        }
    }
}

/// A place in a datum; every step is checked against its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    #[inline]
    pub fn long(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for (place, byte) in self.bytes.get(self.at..)?.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.at += place + 1;
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        None
    }

    #[inline]
    fn skip_long(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().take(10).position(|byte| byte & 0x80 == 0)?;
        self.at += length + 1;
        Some(())
    }

    #[inline]
    pub fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.long()?).ok()?;
        self.take(count)
    }

    #[inline]
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.counted()?).ok()
    }

    #[inline]
    pub fn truth(&mut self) -> Option<bool> {
        self.array::<1>().map(|[byte]| byte != 0)
    }

    /// The branch of a union of null and another type: whether there is a value.
    #[inline]
    pub fn branch(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [2] => Some(true),
            _ => None,
        }
    }

    #[inline]
    pub fn skip(&mut self, reach: Reach) -> Option<()> {
        match reach {
            Reach::Counted => self.counted().map(drop),
            Reach::Number => self.skip_long(),
            Reach::Bytes(count) => self.take(count).map(drop),
        }
    }

    /// Inlined, as values that pass through memory wait for it.
    #[inline(always)]
    pub fn cell(&mut self, avro: AvroType) -> Option<Cell<'a>> {
        Some(match avro {
            AvroType::String => Cell::Text(self.text()?),
            AvroType::Bytes => Cell::Bytes(self.counted()?),
            AvroType::Decimal { scale, .. } => Cell::Decimal(literal::unscaled(self.counted()?)?, scale),
            AvroType::Int | AvroType::Long => Cell::Int(self.long()?),
            AvroType::Date => Cell::Date(i32::try_from(self.long()?).ok()?),
            AvroType::TimestampMillis => Cell::Timestamp(self.long()?),
            AvroType::Float => Cell::Float(f64::from(f32::from_le_bytes(self.array()?))),
            AvroType::Double => Cell::Float(f64::from_le_bytes(self.array()?)),
            AvroType::Boolean => Cell::Bool(self.truth()?),
        })
    }
}
