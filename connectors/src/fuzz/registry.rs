//! What a client of the Schema Registry sends, and what is made of it: schemas, settings and rules, two schemas compared,
//! and the items that a schema means.

use changtong_catalog::avro::{Rules, parse};
use changtong_catalog::compat::{self, Level, Policy};
use changtong_catalog::registry::{Candidate, Config, RuleSet, canonical, same};
use changtong_catalog::schema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::sample;

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// A body, whichever it may be: a schema with what is beside it, settings, rules.
pub fn registry_body(bytes: &[u8]) {
    if let Some(candidate) = body::<Candidate>(bytes)
        && candidate.check().is_ok()
    {
        for normalize in [false, true] {
            let _ = canonical(&candidate.schema, &[], Rules::FREE, normalize);
        }
        let _ = body::<Config>(bytes).map(|config| config.filled(&candidate.beside(), None));
    }
    let set = body::<Map<String, Value>>(bytes).map(|request| Config::default().updated(&request));
    if let Some(Ok(config)) = set {
        let _ = (config.level(), config.policy(), config.as_request(), config.over(&Config::default()));
    }
    let _ = body::<RuleSet>(bytes).map(|rules| rules.check());
}

/// Two schemas, with a line break between them.
pub fn comparison(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((one, other)) = text.split_once('\n') else { return };
    let (Ok(one), Ok(other)) = (parse(one, Rules::FREE), parse(other, Rules::FREE)) else { return };
    let _ = compat::breaks(&one, &[&other], Level::FullTransitive, Policy::House).count();
    let _ = same(&one, &other);
}

/// A schema of the sample's items that a client registered.
pub fn adopt(bytes: &[u8]) {
    let (Ok(text), Some(sample)) = (std::str::from_utf8(bytes), sample()) else { return };
    let _ = schema::adopt(text, &sample.file.items);
}
