//! Logical types: what Avro 1.12 knows, and when it takes one. An invalid or unknown one means nothing, as in Java.

use super::model::{Kind, Primitive, Type};

/// What a number, bytes or a text stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    Decimal { precision: u32, scale: u32 },
    BigDecimal,
    Uuid,
    Date,
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    LocalTimestampMillis,
    LocalTimestampMicros,
    LocalTimestampNanos,
    Duration,
}

/// Properties of Java's generated classes; beside one of them a logical type does not count.
const OF_CLASSES: [&str; 4] = ["avro.java.string", "java-class", "java-key-class", "java-element-class"];

impl Logical {
    pub(super) fn of(kind: &Type) -> Option<Self> {
        let properties = &kind.properties;
        let word = properties.text("logicalType")?;
        if OF_CLASSES.iter().any(|name| properties.text(name).is_some()) {
            return None;
        }
        match (word, &kind.kind) {
            ("decimal", _) => Self::decimal(kind),
            ("big-decimal", Kind::Primitive(Primitive::Bytes)) => Some(Self::BigDecimal),
            ("uuid", Kind::Primitive(Primitive::String) | Kind::Fixed(_, 16)) => Some(Self::Uuid),
            ("duration", Kind::Fixed(_, 12)) => Some(Self::Duration),
            ("date", Kind::Primitive(Primitive::Int)) => Some(Self::Date),
            ("time-millis", Kind::Primitive(Primitive::Int)) => Some(Self::TimeMillis),
            (word, Kind::Primitive(Primitive::Long)) => Self::of_long(word),
            _ => None,
        }
    }

    fn of_long(word: &str) -> Option<Self> {
        Some(match word {
            "time-micros" => Self::TimeMicros,
            "timestamp-millis" => Self::TimestampMillis,
            "timestamp-micros" => Self::TimestampMicros,
            "timestamp-nanos" => Self::TimestampNanos,
            "local-timestamp-millis" => Self::LocalTimestampMillis,
            "local-timestamp-micros" => Self::LocalTimestampMicros,
            "local-timestamp-nanos" => Self::LocalTimestampNanos,
            _ => return None,
        })
    }

    fn decimal(kind: &Type) -> Option<Self> {
        let number =
            |name| kind.properties.get(name).map(|value| value.whole().and_then(|n| i32::try_from(n).ok()));
        let precision = u32::try_from(number("precision")??).ok()?;
        let scale = match number("scale") {
            None => 0,
            Some(scale) => u32::try_from(scale?).ok()?,
        };
        let most = match kind.kind {
            Kind::Primitive(Primitive::Bytes) => u32::MAX,
            Kind::Fixed(_, size) => digits_of(size),
            _ => return None,
        };
        ((1..=most).contains(&precision) && scale <= precision).then_some(Self::Decimal { precision, scale })
    }

    /// For what is counted in milliseconds, microseconds or nanoseconds: what is, apart from the unit.
    #[must_use]
    pub fn clock(self) -> Option<&'static str> {
        match self {
            Self::TimeMillis | Self::TimeMicros => Some("time"),
            Self::TimestampMillis | Self::TimestampMicros | Self::TimestampNanos => Some("timestamp"),
            Self::LocalTimestampMillis | Self::LocalTimestampMicros | Self::LocalTimestampNanos => {
                Some("local-timestamp")
            }
            Self::Decimal { .. } | Self::BigDecimal | Self::Uuid | Self::Date | Self::Duration => None,
        }
    }

    /// Avro's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Decimal { .. } => "decimal",
            Self::BigDecimal => "big-decimal",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::TimeMillis => "time-millis",
            Self::TimeMicros => "time-micros",
            Self::TimestampMillis => "timestamp-millis",
            Self::TimestampMicros => "timestamp-micros",
            Self::TimestampNanos => "timestamp-nanos",
            Self::LocalTimestampMillis => "local-timestamp-millis",
            Self::LocalTimestampMicros => "local-timestamp-micros",
            Self::LocalTimestampNanos => "local-timestamp-nanos",
            Self::Duration => "duration",
        }
    }
}

/// Decimal digits that always fit so many bytes with a sign: ⌊(8 × size − 1) × log₁₀ 2⌋.
fn digits_of(size: u32) -> u32 {
    let bits = f64::from(size) * 8.0 - 1.0;
    // Never negative but for size 0, and far below 2³² for any size.
    (bits * std::f64::consts::LOG10_2).floor().max(0.0) as u32
}
