//! `faregate admin`: what admins do, against a data directory (also while a gateway runs on it) or a DynamoDB table.
//!
//! Like the API it only writes down what is wanted ([`faregate_gateway::admin`]): the gateway notices, and sees to it.

mod args;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
mod entry;
mod error;
mod execute;
mod hands;
mod keys;
mod password;
mod place;
mod settings;
mod show;
mod show_entry;
mod table;
mod values;

pub use args::{Action, AdminArgs, LimitsAction, MANUAL, Output};
pub use entry::{BlocksAction, Entry, TokensAction, UsersAction};
pub use error::AdminError;
pub use execute::{Outcome, execute};
pub use hands::Hands;
pub use keys::KeysAction;
pub use place::{Place, Silence};
pub use settings::SettingsAction;
pub use values::Field;

use faregate_processes::name_service;
use std::io::{self, Write};

/// Runs one command, and prints its outcome.
pub fn run(arguments: AdminArgs) -> Result<(), AdminError> {
    let AdminArgs { place, output, action } = arguments;
    let action = match action {
        // about a file, and no gateway's records
        Action::Settings(action) => return print(&settings::run(action)?),
        action => action,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AdminError::Runtime)?;
    let outcome = runtime.block_on(async {
        let hands = place.open().await?;
        let outcome = execute(&hands, &who(), action).await;
        stop_unrecorded(&hands);
        outcome
    })?;
    print(&outcome.print(output)?)?;
    outcome.failure().map_or(Ok(()), |refusal| Err(refusal.into()))
}

fn print(text: &str) -> Result<(), AdminError> {
    match io::stdout().write_all(text.as_bytes()) {
        // a reader that has seen enough is no failure
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(AdminError::Output(error)),
        _ => Ok(()),
    }
}

/// Stops that found no room in the store end with this process: so the tasks are stopped now.
fn stop_unrecorded(hands: &Hands) {
    let (Some(store), Some(data_dir)) = (&hands.local, &hands.data_dir) else { return };
    for name in store.unrecorded_stops() {
        let asked = faregate_processes::interrupt(data_dir, &name)
            .map_or_else(|error| error.to_string(), |asked| asked.to_string());
        let _ = writeln!(
            io::stderr(),
            "faregate: there is no space left on the disk of `{}`: cluster {name} is stopped without a record (processes told: {asked}); \
             run the command again when there is room",
            data_dir.display()
        );
    }
}

/// Who acts, for the audit record.
fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = name_service::user_by_uid(uid).ok().flatten().map(|user| user.name);
    format!("command line: {}", name.unwrap_or_else(|| uid.to_string()))
}
