//! The AWS edges against the offline stack: an emulator of AWS's services (ministack), a fake ECS whose tasks are local processes, and
//! the real template deployed to both.
//!
//! [`stack::Stack::deploy`] gives all of it; [`ministack::Ministack`] alone is enough for what needs DynamoDB, SQS or S3 only.
#![allow(clippy::unwrap_used, missing_docs)] // names are sentences

pub mod front_door;
pub mod functions;
pub mod inside;
pub mod ministack;
pub mod moto;
pub mod proxy;
pub mod python;
pub mod settings;
pub mod stack;
pub mod table;
pub mod template;
pub mod view;
pub mod wire;
pub mod wires;
pub mod world;
