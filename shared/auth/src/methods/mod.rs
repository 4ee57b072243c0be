//! The ways to sign in: one file or folder each, and one line below.
//!
//! A file `sixth.rs` has `Config`, the struct of its table `[auth.sixth]`, with [`MethodConfig`], and a [`Method`](crate::Method), which
//! that makes. All the rest follows: what of the table is read, what is said of names that are not known, the checks at the start, the
//! manual. `build.rs` lists the files of this folder, so that one without its line does not compile, nor a line without its file.

pub mod basic;
pub mod jupyterhub;
pub mod jwt;
pub mod kerberos;
pub mod peer;
pub mod tokens;

use crate::registry::{MethodConfig, registry};

include!(concat!(env!("OUT_DIR"), "/methods.rs"));
