//! What changes the Schema Registry, one file per action.

pub(super) mod put_in_force;
