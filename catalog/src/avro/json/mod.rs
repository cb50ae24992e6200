//! JSON as a schema's text needs it: members in their order, whole numbers of any size, and written as Java writes it.
//! (`serde_json` sorts members, so the text of a property would not survive.) Reading is bounded in depth; a member
//! named twice keeps its first place and its last value, as in Java.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::{quote, write};

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Json {
    Null,
    Bool(bool),
    /// A whole number: its digits, without needless zeros.
    Whole(String),
    /// A number with a point or an exponent.
    Real(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Members),
}

/// Members of an object, in their order; no name twice.
#[derive(Debug, Clone, Default)]
pub struct Members(Vec<(String, Json)>);

impl Members {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The member if it is text; anything else counts as absent, as in Java.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::text)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Equal members are equal in whatever order, as in Java.
impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |members: &'_ Self| {
            let mut places: Vec<usize> = (0..members.len()).collect();
            places.sort_by(|a, b| members.0[*a].0.cmp(&members.0[*b].0));
            places
        };
        self.len() == other.len()
            && sorted(self).into_iter().zip(sorted(other)).all(|(own, theirs)| self.0[own] == other.0[theirs])
    }
}

/// As in Java: a number with a point is itself only, NaN too, and never a whole one.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(own), Self::Bool(other)) => own == other,
            (Self::Whole(own), Self::Whole(other)) | (Self::Text(own), Self::Text(other)) => own == other,
            (Self::Real(own), Self::Real(other)) => own.to_bits() == other.to_bits(),
            (Self::Array(own), Self::Array(other)) => own == other,
            (Self::Object(own), Self::Object(other)) => own == other,
            _ => false,
        }
    }
}

/// Of the names, each once.
impl FromIterator<(String, Json)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl Json {
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A whole number that fits.
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        if let Self::Whole(digits) = self { digits.parse().ok() } else { None }
    }

    /// Whether a whole number in it does not fit 64 bits.
    pub(crate) fn has_huge(&self) -> bool {
        match self {
            Self::Whole(_) => self.whole().is_none(),
            Self::Array(values) => values.iter().any(Self::has_huge),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_huge()),
            _ => false,
        }
    }
}

/// Minified.
impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        write(&mut text, self);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests;
