//! Users and tokens, printed.

use super::entry::Entry;
use super::show::moment;
use super::table::{Align, table};
use Align::Left;
use faregate_auth::access::{BlockRow, MadeToken, TokenRow, UserRow};
use faregate_core::printable;
use serde_json::json;

impl Entry {
    /// For people.
    pub(super) fn table(&self) -> String {
        match self {
            Entry::Users(rows) => users(rows),
            Entry::User(row) => users(std::slice::from_ref(row)),
            Entry::Removed { user, tokens, stopped, kept } => {
                let counted = |what: &str, count: usize| match count {
                    0 => String::new(),
                    count => format!("; {what}: {count}"),
                };
                let tokens = counted("machine tokens revoked", *tokens);
                let kept = counted("clusters that run on, closed to new connections", *kept);
                format!("Removed {}{tokens}{}{kept}.\n", printable(user), counted("clusters stopping", stopped.len()))
            }
            Entry::Blocks(rows) => blocks(rows),
            Entry::Lifted(count) => format!("Blocks lifted: {count}.\n"),
            Entry::Tokens(rows) => tokens(rows),
            Entry::Made(MadeToken { token, row }) => {
                format!("{token}\n\nThat is the token: it is shown this once.\n\n{}", tokens(std::slice::from_ref(row)))
            }
            Entry::Revoked(row, stopped) if stopped.is_empty() => tokens(std::slice::from_ref(row)),
            Entry::Revoked(row, stopped) => {
                let names: String = stopped.iter().map(|name| format!("{name}\n")).collect();
                format!("{}\nSTOPPING\n{names}", tokens(std::slice::from_ref(row)))
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        match self {
            Entry::Users(rows) => serde_json::to_string_pretty(&json!({"users": rows})),
            Entry::User(row) => serde_json::to_string_pretty(row),
            Entry::Removed { user, tokens, stopped, kept } => serde_json::to_string_pretty(
                &json!({"removed": user, "tokens": tokens, "stopped": stopped, "kept": kept}),
            ),
            Entry::Tokens(rows) => serde_json::to_string_pretty(&json!({"tokens": rows})),
            Entry::Made(made) => serde_json::to_string_pretty(made),
            Entry::Revoked(row, stopped) if stopped.is_empty() => serde_json::to_string_pretty(row),
            Entry::Revoked(row, stopped) => serde_json::to_value(row).and_then(|mut value| {
                value["stopped"] = json!(stopped);
                serde_json::to_string_pretty(&value)
            }),
            Entry::Blocks(rows) => serde_json::to_string_pretty(&json!({"blocks": rows})),
            Entry::Lifted(count) => serde_json::to_string_pretty(&json!({"lifted": count})),
        }
    }
}

fn users(rows: &[UserRow]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| [row.name.clone(), moment(row.changed_at)]).collect();
    table([("USER", Left), ("PASSWORD SET (UTC)", Left)], &rows, "Nobody has a password of their own.")
}

fn blocks(rows: &[BlockRow]) -> String {
    let any = |name: &Option<String>| name.clone().unwrap_or_else(|| "any".to_owned());
    let row = |block: &BlockRow| {
        let last = moment(block.last_at);
        [any(&block.user), any(&block.peer), block.failures.to_string(), last, moment(block.until)]
    };
    let columns =
        [("USER", Left), ("PEER", Left), ("FAILED", Align::Right), ("LAST (UTC)", Left), ("BLOCKED UNTIL (UTC)", Left)];
    table(columns, &rows.iter().map(row).collect::<Vec<_>>(), "Nobody is blocked.")
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
