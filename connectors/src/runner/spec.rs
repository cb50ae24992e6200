//! A connector's file (interface.md 7): read, checked, and made into what it names.

use std::sync::Arc;

use changtong_catalog::connector::Process;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{GrantId, ResourceCode};
use changtong_catalog::wording::of_json;
use serde::Deserialize;
use serde_json::Value;

use crate::gate::{From, OnInvalid};
use crate::root::Root;
use crate::sink::Sink;
use crate::sink::file::{FileSink, FileSinkSpec};
use crate::sink::sql::{SqlSink, SqlSinkSpec};
use crate::source::Source;
use crate::source::file::{FileSource, FileSourceSpec};

/// What of the surroundings of its process a connector may use.
pub trait Surroundings: Send + Sync + 'static {
    /// A secret by its reference: `file:NAME`, in the server from the folder of connectors' secrets.
    fn secret(&self, reference: &str) -> Result<String, Refusal>;
    /// Whether a connector may open a database there: otherwise an agency's file could make the server knock anywhere.
    fn may_reach(&self, host: &str, port: u16) -> Result<(), Refusal>;
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorSpec {
    pub name: String,
    pub process: Process,
    /// Of one in its own process: file of the authorities that sign the certificate of the bus.
    pub ca: Option<String>,
    pub end: End,
}

#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Source(SourceSpec),
    Sink(SinkSpec),
}

#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpec {
    pub resource: ResourceCode,
    pub on_invalid: OnInvalid,
    pub kind: SourceKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    File(FileSourceSpec),
}

#[derive(Debug, Clone, PartialEq)]
pub struct SinkSpec {
    pub grant: GrantId,
    /// The subscription's name; the connector's if not said.
    pub subscription: Option<String>,
    /// One of the grant's purposes; may be left out where it has only one.
    pub purpose: Option<String>,
    /// Where a copy begins.
    pub from: From,
    /// Whether its subscription, when it is made, takes delete lines.
    pub deletes: bool,
    pub kind: SinkKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SinkKind {
    File(FileSinkSpec),
    Sql(SqlSinkSpec),
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    process: Process,
    ca: Option<String>,
    resource: Option<ResourceCode>,
    grant: Option<String>,
    on_invalid: Option<Invalid>,
    subscription: Option<String>,
    purpose: Option<String>,
    from: Option<String>,
    deletes: Option<bool>,
    source: Option<Sources>,
    sink: Option<Sinks>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Invalid {
    Reject,
    Quarantine,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sources {
    File(FileSourceSpec),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sinks {
    File(FileSinkSpec),
    Sql(SqlSinkSpec),
}

impl ConnectorSpec {
    /// From the file as a value; what is wrong is named.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        if !value.is_object() {
            return Err(wrong("应为对象", "an object is wanted"));
        }
        let written: Written = Deserialize::deserialize(value).map_err(|error: serde_json::Error| {
            let text = of_json(&error);
            wrong(&text.zh, &text.en)
        })?;
        let Written {
            name,
            process,
            ca,
            resource,
            grant,
            on_invalid,
            subscription,
            purpose,
            from,
            deletes,
            source,
            sink,
        } = written;
        let of_sink = subscription.is_some() || purpose.is_some() || from.is_some() || deletes.is_some();
        let end = match (source, sink) {
            (Some(source), None) if grant.is_none() && !of_sink => {
                let resource = resource.ok_or_else(|| wrong("缺少 resource", "`resource` is missing"))?;
                let on_invalid = match on_invalid {
                    Some(Invalid::Quarantine) => OnInvalid::Quarantine,
                    Some(Invalid::Reject) | None => OnInvalid::Reject,
                };
                let Sources::File(file) = source;
                End::Source(SourceSpec { resource, on_invalid, kind: SourceKind::File(file) })
            }
            (None, Some(sink)) if resource.is_none() && on_invalid.is_none() => {
                let grant = grant.ok_or_else(|| wrong("缺少 grant", "`grant` is missing"))?;
                let kind = match sink {
                    Sinks::File(file) => SinkKind::File(file),
                    Sinks::Sql(sql) => SinkKind::Sql(sql),
                };
                End::Sink(SinkSpec {
                    grant: grant.parse()?,
                    subscription,
                    purpose,
                    from: place(from.as_deref())?,
                    deletes: deletes.unwrap_or(true),
                    kind,
                })
            }
            _ => {
                return Err(wrong(
                    "应有 resource 与 [source.…],或 grant 与 [sink.…],二者取一",
                    "it has `resource` and [source.…], or `grant` and [sink.…]: one of the two",
                ));
            }
        };
        if ca.is_some() && process != Process::Own {
            return Err(wrong(
                "ca 只用于 process = \"own\" 的连接器:它与总线的连接由此验证",
                "`ca` is for a connector with process = \"own\": its connection to the bus is checked by it",
            ));
        }
        let spec = Self { name, process, ca, end };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), Refusal> {
        match &self.end {
            End::Source(SourceSpec { kind: SourceKind::File(file), .. }) => file.check(),
            End::Sink(SinkSpec { kind: SinkKind::File(file), .. }) => file.check(),
            End::Sink(SinkSpec { kind: SinkKind::Sql(sql), .. }) => sql.check(),
        }
    }
}

impl SourceSpec {
    pub(super) fn build(&self, root: Root) -> Result<Box<dyn Source>, Refusal> {
        match &self.kind {
            SourceKind::File(file) => Ok(Box::new(FileSource::new(file.clone(), self.on_invalid, root)?)),
        }
    }
}

impl SinkSpec {
    pub(super) fn build(
        &self,
        root: Root,
        surroundings: &Arc<dyn Surroundings>,
    ) -> Result<Box<dyn Sink>, Refusal> {
        match &self.kind {
            SinkKind::File(file) => Ok(Box::new(FileSink::new(file.clone(), root)?)),
            SinkKind::Sql(sql) => Ok(Box::new(SqlSink::new(sql.clone(), root, surroundings.clone()))),
        }
    }
}

/// `start`, `end` or a time.
fn place(from: Option<&str>) -> Result<From, Refusal> {
    match from {
        None | Some("start") => Ok(From::Start),
        Some("end") => Ok(From::End),
        Some(text) => {
            chrono::DateTime::parse_from_rfc3339(text).map(|time| From::Time(time.to_utc())).map_err(|_| {
                wrong("from 应为 start、end 或 RFC 3339 时间", "`from` is start, end or an RFC 3339 time")
            })
        }
    }
}

fn wrong(zh: &str, en: &str) -> Refusal {
    Refusal::new(Code::Invalid, format!("连接器文件:{zh}"), format!("the connector's file: {en}"))
}
