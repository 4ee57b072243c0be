//! The real template, deployed: stories told one after another on one stack, with the official client and real Dask processes.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::settings::more_options;
use faregate_aws_tests::stack::{Options, Stack};

#[test]
fn stories_on_a_deployed_stack() {
    let stack = Stack::deploy(&Options::default());
    a_whole_session(&stack);
}

fn a_whole_session(stack: &Stack) {
    stack.script("../scripts", "session", &["-", &more_options().to_string()]).ends_well();
}
