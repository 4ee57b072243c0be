//! One operation a file; what each is for stands in its row of `routes.rs`.

mod adapt;
pub mod admin;
mod create;
mod dashboard;
mod explain;
mod extend;
mod get;
mod health;
mod heartbeat;
mod limits;
mod list;
mod options;
mod redirect;
mod scale;
mod stop;
mod tokens;
mod usage;
mod version;

pub use adapt::adapt;
pub use create::create;
pub use dashboard::dashboard;
pub use explain::explain;
pub use extend::extend;
pub use get::get;
pub use health::health;
pub use heartbeat::heartbeat;
pub use limits::limits;
pub use list::{list, status};
pub use options::options;
pub use redirect::redirect;
pub use scale::scale;
pub use stop::stop;
pub use tokens::{list_tokens, make_token, revoke_token};
pub use usage::usage;
pub use version::version;
