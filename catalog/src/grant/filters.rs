//! Both filters of a grant, judged together on the stored record (protocol.md 8).

use crate::cell::Cell;
use crate::error::Refusal;
use crate::filter::{self, Filter, Truth};
use crate::grant::Grant;
use crate::resource::{Item, Resource};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filters {
    provider: Option<Filter>,
    consumer: Option<Filter>,
}

impl Filters {
    /// The grant's filters over the items of its resource.
    pub fn of(grant: &Grant, items: &[Item]) -> Result<Self, Refusal> {
        Self::read(grant.provider_filter.as_deref(), grant.consumer_filter.as_deref(), items)
    }

    pub fn read(provider: Option<&str>, consumer: Option<&str>, items: &[Item]) -> Result<Self, Refusal> {
        let read = |text: Option<&str>| {
            text.map(|text| filter::parse(text).and_then(|expr| expr.check(items))).transpose()
        };
        Ok(Self { provider: read(provider)?, consumer: read(consumer)? })
    }

    /// Without a filter every record passes.
    pub fn judge<'a>(&self, cell: &(impl Fn(usize) -> Cell<'a> + ?Sized)) -> Truth {
        let both = [&self.provider, &self.consumer];
        both.into_iter().flatten().fold(Truth::True, |sum, filter| sum.and(filter.judge(cell)))
    }

    #[must_use]
    pub fn none(&self) -> bool {
        self.provider.is_none() && self.consumer.is_none()
    }

    /// Whether a filter names an item outside the key: then rows that do not pass show themselves by their delete
    /// lines, where these are delivered.
    #[must_use]
    pub fn look_beyond_key(&self, resource: &Resource) -> bool {
        let key = resource.key_items();
        let both = [&self.provider, &self.consumer];
        both.into_iter().flatten().flat_map(Filter::items).any(|item| !key.contains(item))
    }
}

#[cfg(test)]
mod tests;
