//! The ways to sign in: one file or folder each.

mod basic;
pub mod jupyterhub;
pub mod jwt;
pub mod kerberos;
mod own;
mod passwords;
mod peer;
mod tokens;

pub use basic::SharedPassword;
pub use jupyterhub::JupyterHub;
pub use jwt::Jwt;
pub use kerberos::{Kerberos, KerberosError, Once};
pub use own::OwnProcesses;
pub use passwords::Passwords;
pub use peer::{Account, PeerAccounts, SystemAccounts};
pub use tokens::Tokens;
