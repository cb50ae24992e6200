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
pub fn registry_body(bytes: &[u8]) -> bool {
    let candidate = body::<Candidate>(bytes).filter(|candidate| candidate.check().is_ok());
    let filled = candidate.as_ref().zip(body::<Config>(bytes)).map(|(candidate, config)| {
        let made = [false, true].map(|normalize| canonical(&candidate.schema, &[], Rules::FREE, normalize));
        let _ = config.filled(&candidate.beside(), None);
        made.iter().all(Result::is_ok)
    });
    let settings = body::<Map<String, Value>>(bytes).map(|request| Config::default().updated(&request));
    if let Some(Ok(config)) = &settings {
        let _ =
            (config.level(), config.policy(), config.as_request(), config.clone().over(&Config::default()));
    }
    let rules = body::<RuleSet>(bytes).map(|rules| rules.check());
    filled == Some(true) && matches!((settings, rules), (Some(Ok(_)), Some(Ok(()))))
}

/// Two schemas, with a line break between them.
pub fn comparison(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once('\n'));
    let Some((one, other)) = text else { return false };
    let (Ok(one), Ok(other)) = (parse(one, Rules::FREE), parse(other, Rules::FREE)) else { return false };
    let _ = compat::breaks(&one, &[&other], Level::FullTransitive, Policy::House).count();
    let _ = same(&one, &other);
    true
}

/// A schema of the sample's items that a client registered.
pub fn adopt(bytes: &[u8]) -> bool {
    let (Ok(text), Some(sample)) = (std::str::from_utf8(bytes), sample()) else { return false };
    schema::adopt(text, &sample.file.items).is_ok()
}
