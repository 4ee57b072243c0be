//! Stories through the real router, a module for each side of it: one program, as each of them would take long to link.
#![allow(clippy::unwrap_used)]

mod admin;
mod budgets;
mod client_networks;
mod contention;
mod contract;
mod enforcement;
mod enforcement_counts;
mod faults;
mod forged;
mod front_door;
mod frozen;
mod fuzz;
mod guesses;
mod lifetimes;
mod limits;
mod old_sessions;
mod others;
mod passwords;
mod rates;
mod scaling;
mod shut_out;
mod sign_in;
mod sign_in_page;
mod tickets;
mod token_scopes;
mod tokens;
mod unclaimed;
