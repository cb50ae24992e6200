//! Records in and out: publish, an owner's own reading, delivery.

mod deliver;
mod own;
mod publish;
mod stream;

pub use deliver::deliver;
pub use own::own;
pub use publish::{Published, format, publish};
