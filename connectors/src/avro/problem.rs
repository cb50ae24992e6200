//! What is wrong with a record, by field: reasons in both languages, never the content itself.

use changtong_catalog::error::Text;

/// Why a field, or a record as a whole, does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    NotJson,
    NotAnObject,
    NotUtf8,
    Missing,
    Unknown,
    Duplicate,
    Null,
    /// Another type than the schema's.
    Type(&'static str),
    Range(&'static str),
    /// NaN or an infinity.
    NotFinite,
    /// More characters or digits than allowed.
    Length(u32),
    NotInValues,
    /// More digits in all, or behind the point, than the item has.
    Decimal {
        precision: u32,
        scale: u32,
    },
    Date,
    Timestamp,
    Base64,
    Nul,
    Operation,
    DeleteOfStream,
    /// More bytes than a record may have.
    TooLarge(usize),
    /// A CSV row with another number of fields than the header.
    Columns {
        found: usize,
        wanted: usize,
    },
}

impl Reason {
    /// The word in `invalid[].reason_code` and in quarantine rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::NotUtf8 => "not_utf8",
            Self::Missing => "missing",
            Self::Unknown => "unknown_item",
            Self::Duplicate => "duplicate",
            Self::Null => "null",
            Self::Type(_) => "type",
            Self::Range(_) => "range",
            Self::NotFinite => "not_finite",
            Self::Length(_) => "length",
            Self::NotInValues => "not_in_values",
            Self::Decimal { .. } => "decimal",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Base64 => "base64",
            Self::Nul => "nul",
            Self::Operation => "operation",
            Self::DeleteOfStream => "delete_of_stream",
            Self::TooLarge(_) => "too_large",
            Self::Columns { .. } => "columns",
        }
    }

    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::NotJson => Text::new("不是合法的 JSON", "not valid JSON"),
            Self::NotAnObject => Text::new("应为 JSON 对象", "a JSON object is wanted"),
            Self::NotUtf8 => Text::new("不是 UTF-8 文本", "not UTF-8 text"),
            Self::Missing => Text::new("缺少必填信息项", "the item is required and missing"),
            Self::Unknown => Text::new("资源没有这个信息项", "the resource has no such item"),
            Self::Duplicate => Text::new("信息项出现了两次", "the item is there twice"),
            Self::Null => Text::new("该信息项不能为空", "the item is not nullable"),
            Self::Type(wanted) => {
                Text::new(format!("类型应为 {wanted}"), format!("the type must be {wanted}"))
            }
            Self::Range(wanted) => {
                Text::new(format!("超出 {wanted} 的范围"), format!("out of the range of {wanted}"))
            }
            Self::NotFinite => Text::new("不是有限的数(NaN 或无穷)", "NaN or an infinity, no number"),
            Self::Length(most) => Text::new(format!("长度超过 {most}"), format!("longer than {most}")),
            Self::NotInValues => Text::new("不在允许的取值之内", "not one of the values allowed"),
            Self::Decimal { precision, scale } => Text::new(
                format!("超出 {precision} 位数字、{scale} 位小数"),
                format!("more than {precision} digits or {scale} decimals"),
            ),
            Self::Date => Text::new("日期应为 YYYY-MM-DD", "a date is written YYYY-MM-DD"),
            Self::Timestamp => Text::new(
                "时间应为 RFC 3339,秒以下至多三位",
                "a timestamp is written in RFC 3339, at most three decimals of a second",
            ),
            Self::Base64 => Text::new("字节应为 base64", "bytes are written in base64"),
            Self::Nul => Text::new("文本含 U+0000", "the text holds U+0000"),
            Self::Operation => Text::new("$op 应为 upsert 或 delete", "$op is upsert or delete"),
            Self::DeleteOfStream => Text::new("流资源没有删除", "a stream has no deletes"),
            Self::TooLarge(most) => {
                Text::new(format!("记录超过 {most} 字节"), format!("the record has over {most} bytes"))
            }
            Self::Columns { found, wanted } => Text::new(
                format!("有 {found} 列,表头有 {wanted} 列"),
                format!("{found} fields, the header has {wanted}"),
            ),
        }
    }
}

/// One thing wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the item; empty for the record as a whole.
    pub path: String,
    pub reason: Reason,
}
