//! What the Schema Registry keeps: schemas by id and context, subjects with their versions and settings.

mod guids;
mod in_force;
