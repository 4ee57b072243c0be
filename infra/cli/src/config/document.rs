//! The configuration's manual: every key with its default, as a file that can be edited.

use super::keys::{File, Key, sections};
use faregate_auth::{manual, method_names};

/// Width of the comments' text.
const WIDTH: usize = 100;

/// A TOML text of all defaults, each with its explanation; what has no default stands commented out.
pub fn document() -> String {
    let mut out = wrap(
        "Faregate's configuration. Every key is optional; these are the defaults. Give the file to `faregate serve --config FILE`. \
         Sizes are texts such as \"2 G\" (= 2 GiB), durations are seconds.",
    );
    let defaults = toml::Table::try_from(File::default()).unwrap_or_default();
    for section in sections() {
        out.push_str(&format!("\n# ---- {} {}\n", section.title, "-".repeat(60 - section.title.len().min(60))));
        for key in &section.keys {
            out.push_str(&entry(key, defaults.get(key.name)));
        }
    }
    let methods = method_names().iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    out.push_str(&TABLES.replace("METHODS", &methods));
    for table in manual() {
        out.push('#');
        out.push_str(table);
    }
    out
}

/// A key: its explanation, and its default or an example.
fn entry(key: &Key, default: Option<&toml::Value>) -> String {
    let line = match default {
        Some(value) => format!("{} = {value}", key.name),
        None => format!("# {} = {}", key.name, key.example),
    };
    format!("\n{}{line}\n", wrap(key.about))
}

/// Comment lines.
fn wrap(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

/// The tables, but for those of ways to sign in: nothing in them is set by default.
const TABLES: &str = r##"
# ---- Limits ------------------------------------------------------

# What applies to a user is looked up field by field: the user's own table, else the most generous of
# their groups', else the default's. A field that is nowhere set is no limit. What changes
# here applies from the next start on, to running clusters too.
#
#   clusters          clusters at once                    total_clusters    the same for a whole group,
#   workers           workers of all one's clusters       total_workers       over all its members
#   cores             their cores                         total_cores
#   memory            their memory                        total_memory
#   cluster_workers   workers of one cluster              max_lifetime      seconds a cluster may live
#   cluster_cores     their cores                         idle_timeout      seconds it may be idle; 0 = for ever
#   cluster_memory    their memory                        frozen            a sentence: nothing starts or runs
#   budget            US dollars a calendar month (UTC)   allowed           what options may be, by field
#
# [limits.default]
# clusters = 3
# workers = 20
# memory = "64 G"
#
# [limits."group:research"]
# workers = 50
# total_workers = 200
#
# [limits."user:alice"]
# cluster_workers = 40
# allowed = { profile = ["small"] }

# ---- Prices ------------------------------------------------------

# What a core and a GiB of memory cost for an hour, in US dollars: for budgets, and for `GET /api/v1/usage`. By default
# nothing.
#
# [prices]
# vcpu_hour = 0.04
# gib_hour = 0.0045

# ---- Options -----------------------------------------------------

# What users may choose for a cluster (`gateway.cluster_options()`), each a table of its own. `target` is
# the key above that a choice sets, or `environment.NAME`; by default the key of the field's own name.
# Types: string, bool, int and float (with `min`, `max`), mapping, and select, whose `options` are keys,
# each with a `value`, or with all that it sets; a key may be a number. An int or a float that sets memory
# says what it counts: `unit = "GiB"` (or "MiB", "B"); one that sets a duration may: "minutes", "hours".
#
# [[options]]
# field = "worker_cores"
# label = "Cores of a worker"
# type = "int"
# default = 1
# min = 1
# max = 4
#
# [[options]]
# field = "worker_memory"
# label = "Memory of a worker (GiB)"
# type = "float"
# unit = "GiB"
# default = 2
# min = 1
# max = 16
#
# [[options]]
# field = "profile"
# label = "Profile"
# type = "select"
# options = [{ key = "small", set = { worker_memory = "2 G" } }, { key = "large", set = { worker_memory = "8 G", worker_threads = 2 } }]
# default = "small"

# ---- Sign-in -----------------------------------------------------

# Ways to sign in, in the order in which they are tried. While there is none, only a loopback address is served, and
# only processes of the gateway's own system user and of root are let in, under any name they give. With `peer`, on
# loopback, the system account of the connecting process is the user, with its groups.
#
# [auth]
# methods = [METHODS]
#
# Users who may see and stop the clusters of all, and set limits. Not beside one password that all share.
#
# admins = ["root"]
#
# Groups, and who is in them.
#
# [auth.groups]
# research = ["alice", "bob"]
"##;
