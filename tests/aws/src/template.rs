//! The real template, pointed at functions that are built: what `sam build` makes of it, and nothing else changed.

use crate::functions::{FUNCTIONS, workspace};
use std::path::Path;
use std::process::Command;

const FUNCTION: &str = "    Type: AWS::Serverless::Function\n";

/// Lays a release's folder into a directory, its template for this machine as `template.yaml`.
pub fn of_release(release: &Path, dir: &Path) {
    let copy =
        Command::new("cp").args(["-r", "infra", "functions", "samconfig.toml"]).arg(dir).current_dir(release).status();
    assert!(copy.unwrap().success(), "`{}` is no release", release.display());
    let template = if cfg!(target_arch = "aarch64") { "template.yaml" } else { "template-x86_64.yaml" };
    std::fs::copy(release.join(template), dir.join("template.yaml")).unwrap();
}

/// Writes `template.yaml`, `samconfig.toml` and their `infra/cloudformation/*.yaml` into a directory, each function's code in `<code>/<function>`.
pub fn write(dir: &Path, code: &Path) {
    let original = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    std::fs::write(dir.join("template.yaml"), pointed(&original, code)).unwrap();
    std::fs::copy(workspace().join("samconfig.toml"), dir.join("samconfig.toml")).unwrap();
    std::fs::create_dir_all(dir.join("infra/cloudformation")).unwrap();
    for entry in workspace().join("infra/cloudformation").read_dir().unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(entry.path(), dir.join("infra/cloudformation").join(entry.file_name())).unwrap();
        }
    }
}

fn pointed(original: &str, code: &Path) -> String {
    let mut template = original.to_owned();
    for function in FUNCTIONS {
        let build = format!(
            "{FUNCTION}    Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: {{Binary: {function}}}}}\n    Properties:\n"
        );
        assert_eq!(template.matches(&build).count(), 1, "the template has one function built from `{function}`");
        template = template.replace(&build, &format!("{build}      CodeUri: {}\n", code.join(function).display()));
    }
    assert_eq!(template.matches(FUNCTION).count(), FUNCTIONS.len(), "the template has no other function");
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_of_the_code_differs() {
        let original = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
        let pointed = pointed(&original, Path::new("/built"));
        let added: Vec<&str> = pointed.lines().filter(|line| line.contains("CodeUri: /built/")).collect();
        assert_eq!(added.len(), FUNCTIONS.len());
        let rest: Vec<&str> = pointed.lines().filter(|line| !line.contains("CodeUri: /built/")).collect();
        assert_eq!(rest, original.lines().collect::<Vec<_>>());
    }
}
