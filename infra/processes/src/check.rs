//! What no process of this machine can be started with.

use faregate_core::model::LaunchSpec;

/// The longest word of a command, or variable with its name and `=`, in bytes: 32 pages, and a NUL ends each (execve(2),
/// `MAX_ARG_STRLEN`).
const LONGEST_WORD: usize = 32 * 4096 - 1;
/// The most bytes of all of them together. Linux has a quarter of the limit of the stack, 2 MiB where that is 8 MiB, and what the gateway
/// and the user's account add has to fit too.
const MOST: usize = 1 << 20;

/// Can the kernel start this? Else what to shorten.
pub fn check_launch(spec: &LaunchSpec) -> Result<(), String> {
    if let Some((name, value)) =
        spec.environment.iter().find(|(name, value)| name.len() + 1 + value.len() > LONGEST_WORD)
    {
        let (bytes, name) = (value.len(), name.chars().take(64).collect::<String>());
        return Err(format!(
            "`environment` has {bytes} bytes in `{name}`: no variable is longer than {LONGEST_WORD} with its name"
        ));
    }
    if let Some(word) = spec.command.iter().find(|word| word.len() > LONGEST_WORD) {
        let bytes = word.len();
        return Err(format!("the command has a word of {bytes} bytes: none is longer than {LONGEST_WORD}"));
    }
    // each has a pointer too
    let word = |bytes: usize| bytes + 1 + size_of::<usize>();
    let variables: usize = spec.environment.iter().map(|(name, value)| word(name.len() + 1 + value.len())).sum();
    let all = variables + spec.command.iter().map(|text| word(text.len())).sum::<usize>();
    if all > MOST {
        return Err(format!(
            "`environment` is too long: {variables} bytes; with the command {all}, and {MOST} are the most"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::TaskRole;

    fn spec(environment: Vec<(String, String)>) -> LaunchSpec {
        LaunchSpec {
            role: TaskRole::Worker,
            count: 1,
            cores: 1.0,
            memory_bytes: 1 << 30,
            command: vec!["true".into()],
            environment,
            user: "alice".into(),
            groups: Vec::new(),
            image: None,
            fargate: Default::default(),
        }
    }

    /// Does the kernel take it?
    fn starts(spec: &LaunchSpec) -> bool {
        let mut command = std::process::Command::new(&spec.command[0]);
        command
            .args(&spec.command[1..])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(spec.environment.iter().cloned());
        command.status().is_ok_and(|status| status.success())
    }

    #[test]
    fn the_longest_variable_is_what_the_kernel_takes() {
        let of = |length: usize| spec(vec![("A".into(), "x".repeat(length - 2))]);
        assert_eq!((check_launch(&of(LONGEST_WORD)), starts(&of(LONGEST_WORD))), (Ok(()), true));
        let refused = check_launch(&of(LONGEST_WORD + 1)).unwrap_err();
        assert_eq!(refused, "`environment` has 131070 bytes in `A`: no variable is longer than 131071 with its name");
        assert!(!starts(&of(LONGEST_WORD + 1)));
    }

    #[test]
    fn all_together_are_bounded() {
        let of = |n: usize| spec((0..n).map(|n| (format!("A{n}"), "x".repeat(100_000))).collect());
        assert_eq!((check_launch(&of(10)), starts(&of(10))), (Ok(()), true));
        assert!(check_launch(&of(11)).unwrap_err().starts_with("`environment` is too long: "));
    }
}
