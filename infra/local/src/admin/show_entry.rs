//! Users and tokens, printed.

use super::entry::Entry;
use super::show::moment;
use super::table::{Align, plain, table};
use Align::Left;
use faregate::access::{MadeToken, TokenRow, UserRow};
use serde_json::json;

impl Entry {
    /// For people.
    pub(super) fn table(&self) -> String {
        match self {
            Entry::Users(rows) => users(rows),
            Entry::User(row) => users(std::slice::from_ref(row)),
            Entry::Removed { user, tokens: 0 } => format!("Removed {}.\n", plain(user)),
            Entry::Removed { user, tokens } => format!("Removed {}; machine tokens revoked: {tokens}.\n", plain(user)),
            Entry::Tokens(rows) => tokens(rows),
            Entry::Made(MadeToken { token, row }) => {
                format!("{token}\n\nThat is the token: it is shown this once.\n\n{}", tokens(std::slice::from_ref(row)))
            }
            Entry::Revoked(row) => tokens(std::slice::from_ref(row)),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        match self {
            Entry::Users(rows) => serde_json::to_string_pretty(&json!({"users": rows})),
            Entry::User(row) => serde_json::to_string_pretty(row),
            Entry::Removed { user, tokens } => {
                serde_json::to_string_pretty(&json!({"removed": user, "tokens": tokens}))
            }
            Entry::Tokens(rows) => serde_json::to_string_pretty(&json!({"tokens": rows})),
            Entry::Made(made) => serde_json::to_string_pretty(made),
            Entry::Revoked(row) => serde_json::to_string_pretty(row),
        }
    }
}

fn users(rows: &[UserRow]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| [row.name.clone(), moment(row.changed_at)]).collect();
    table([("USER", Left), ("PASSWORD SET (UTC)", Left)], &rows, "Nobody has a password of their own.")
}

fn tokens(rows: &[TokenRow]) -> String {
    let row = |token: &TokenRow| {
        let ends = match token.revoked_at {
            Some(at) => format!("revoked {}", moment(at)),
            None => moment(token.expires_at),
        };
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        [
            token.id.clone(),
            token.user.clone(),
            token.name.clone(),
            scopes.join(","),
            if token.valid { "yes" } else { "no" }.to_owned(),
            ends,
            token.last_used_at.map_or("never".to_owned(), moment),
            token.created_by.clone(),
        ]
    };
    let columns = [
        ("ID", Left),
        ("USER", Left),
        ("NAME", Left),
        ("SCOPES", Left),
        ("GOOD", Left),
        ("ENDS (UTC)", Left),
        ("LAST USED (UTC)", Left),
        ("MADE BY", Left),
    ];
    table(columns, &rows.iter().map(row).collect::<Vec<_>>(), "There are no machine tokens.")
}
