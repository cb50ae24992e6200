//! Everything that changes the catalog, one file per action: load, pure rule, save, audit event, in one transaction.
//! HTTP, command line and console call the same action.

mod act;
mod add_account;
mod add_agency;
mod approve_resource;
mod bootstrap;
mod draft_resource;
mod issue_key;
mod participant;
mod publish_resource;
mod reject_resource;
mod resource;
mod resume_account;
mod resume_agency;
mod resume_resource;
mod retire_resource;
mod revise_resource;
mod revoke_key;
mod submit_resource;
mod suspend_account;
mod suspend_agency;
mod suspend_resource;
mod update_resource;

pub use act::{Act, Done, Rules};
pub use add_account::add_account;
pub use add_agency::{Member, NewAgency, add_agency};
pub use approve_resource::approve_resource;
pub use bootstrap::bootstrap;
pub use draft_resource::draft_resource;
pub use issue_key::issue_key;
pub use publish_resource::publish_resource;
pub use reject_resource::reject_resource;
pub use resume_account::resume_account;
pub use resume_agency::resume_agency;
pub use resume_resource::resume_resource;
pub use retire_resource::retire_resource;
pub use revise_resource::revise_resource;
pub use revoke_key::revoke_key;
pub use submit_resource::submit_resource;
pub use suspend_account::suspend_account;
pub use suspend_agency::suspend_agency;
pub use suspend_resource::suspend_resource;
pub use update_resource::update_resource;
