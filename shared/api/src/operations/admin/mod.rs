//! What admins alone may ask for, under `/api/v1/admin/`.

mod audit;
mod blocks;
mod clusters;
mod dashboard;
mod explain;
mod freeze;
mod limits;
mod stop;
mod tokens;
mod usage;
mod users;

pub use audit::audit;
pub use blocks::{blocks, lift_block};
pub use clusters::clusters;
pub use dashboard::dashboard;
pub use explain::explain;
pub use freeze::{freeze, unfreeze};
pub use limits::{change as change_limits, list as list_limits};
pub use stop::{stop, stop_all};
pub use tokens::{list_tokens, make_token, revoke_token};
pub use usage::usage;
pub use users::accounts;

use crate::App;
use crate::door::Session;
use crate::error::ApiError;
use faregate_gateway::admin::Act;

/// What the signed-in admin does, and why.
async fn act(app: &App, session: &Session, why: Option<&str>) -> Result<Act, ApiError> {
    Ok(Act::new(&session.confirmed(app).await?.name, why)?)
}
