//! Tests of the whole from outside, in one binary: examples, house rules, the server and the demo's flow.
//! (`cfg(test)` on each module lets clippy see its helpers as test code too.)

#[cfg(test)]
mod access_matrix;
#[cfg(test)]
mod architecture_doc;
#[cfg(test)]
mod border;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod connector_run;
#[cfg(test)]
mod connectors;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod disclosure;
#[cfg(test)]
mod errors_doc;
#[cfg(test)]
mod evolution;
#[cfg(test)]
mod examples;
#[cfg(test)]
#[cfg(feature = "faults")]
mod faults;
#[cfg(test)]
mod generation;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod lifetime;
#[cfg(test)]
mod main_path;
#[cfg(test)]
mod metrics_doc;
#[cfg(test)]
mod own_records;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod revisions;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tour;
