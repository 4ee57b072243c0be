//! `faregate admin settings check`: what the functions of a deployment would say of their `Settings`, before they are deployed.

use super::AdminError;
use clap::Subcommand;
use faregate_api::settings::{InvalidSettings, Settings, SignIn};
use faregate_auth::Config;
use std::io::Read;
use std::path::{Path, PathBuf};
use yaml_rust2::{Yaml, YamlLoader};

/// What to do about a deployment's settings.
#[derive(Debug, Subcommand)]
pub enum SettingsAction {
    /// Check the parameter `Settings` of a deployment on AWS, as its functions read it
    ///
    /// Prints every problem with its field; the exit code is 2 if there is one. Nothing is called.
    Check {
        /// A file of the deployment's parameters (YAML), or of the JSON of `Settings` alone; `-` is standard input
        #[arg(value_parser = crate::paths::parser())]
        file: PathBuf,
        /// The parameter `SignIn`, where the file has only the JSON
        #[arg(long, value_name = "METHODS", value_delimiter = ',')]
        sign_in: Vec<String>,
        /// The parameter `SharedPassword` is true, where the file has only the JSON
        #[arg(long)]
        shared_password: bool,
    },
}

/// The parameters that the settings are read with.
struct Parameters {
    settings: String,
    /// None = not known.
    sign_in: Option<Vec<String>>,
    shared_password: bool,
}

/// Does it. The text that says that all is well.
pub(super) fn run(action: SettingsAction) -> Result<String, AdminError> {
    let SettingsAction::Check { file, sign_in, shared_password } = action;
    let text = read(&file).map_err(|source| AdminError::File { file: file.display().to_string(), source })?;
    let mut parameters = parameters(&text).map_err(AdminError::Settings)?;
    if !sign_in.is_empty() {
        parameters.sign_in = Some(sign_in);
    }
    parameters.shared_password |= shared_password;
    check(&parameters).map_err(AdminError::Settings)
}

fn read(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text);
    }
    std::fs::read_to_string(file)
}

/// The parameters in a text: a YAML mapping that names some, or else the settings themselves.
fn parameters(text: &str) -> Result<Parameters, InvalidSettings> {
    let alone = || Parameters { settings: text.to_owned(), sign_in: None, shared_password: false };
    if text.trim_start().starts_with('{')
        && serde_json::from_str::<serde_json::Value>(text).is_ok_and(|json| json.get("Settings").is_none())
    {
        return Ok(alone());
    }
    let documents = match YamlLoader::load_from_str(text) {
        Ok(documents) => documents,
        // JSON with a mistake is no YAML: the functions' own message says where
        Err(_) if text.trim_start().starts_with('{') => return Ok(alone()),
        Err(error) => return Err(InvalidSettings(vec![format!("the file is no YAML: {error}")])),
    };
    let Some(Yaml::Hash(mapping)) = documents.first() else { return Ok(alone()) };
    let named = |name: &str| mapping.get(&Yaml::String(name.to_owned()));
    let scalar = |name: &str| match named(name) {
        None | Some(Yaml::Null) => Ok(None),
        Some(Yaml::String(text) | Yaml::Real(text)) => Ok(Some(text.clone())),
        Some(Yaml::Boolean(yes)) => Ok(Some(yes.to_string())),
        Some(Yaml::Integer(n)) => Ok(Some(n.to_string())),
        Some(_) => Err(InvalidSettings(vec![format!("the parameter `{name}` must be text: put it in quotes")])),
    };
    if mapping.keys().any(|name| matches!(name.as_str(), Some("cluster" | "options" | "policy" | "auth"))) {
        return Ok(alone());
    }
    let sign_in = scalar("SignIn")?.unwrap_or_default();
    Ok(Parameters {
        settings: scalar("Settings")?.filter(|text| !text.is_empty()).unwrap_or_else(|| "{}".to_owned()),
        sign_in: Some(sign_in.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()),
        shared_password: scalar("SharedPassword")?.as_deref() == Some("true"),
    })
}

fn check(parameters: &Parameters) -> Result<String, InvalidSettings> {
    let settings = Settings::read(&parameters.settings)?;
    let placeholders = SignIn::placeholders(parameters.shared_password);
    // where the methods are not known, those that the tables name
    let methods = parameters.sign_in.clone().unwrap_or_else(|| {
        let mut named: Vec<String> =
            settings.auth.keys().filter(|name| !Config::OWN.contains(&name.as_str())).cloned().collect();
        if named.is_empty() {
            named.push("tokens".to_owned());
        }
        named
    });
    let config = settings.sign_in(&methods, &placeholders).map_err(|problem| InvalidSettings(vec![problem]))?;
    let (cluster, options) = (settings.base(), settings.options.len());
    let ways = match &parameters.sign_in {
        Some(_) => format!("sign-in by {}", config.methods.join(", ")),
        None => "sign-in checked without `SignIn`, which stands among the parameters".to_owned(),
    };
    Ok(format!(
        "The settings can be used: workers of {} cores with {}, {options} options, {ways}.\n",
        cluster.worker_cores,
        faregate_core::model::format_size(cluster.worker_memory)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn checked(text: &str) -> Result<String, Vec<String>> {
        parameters(text).and_then(|parameters| check(&parameters)).map_err(|error| error.0)
    }

    #[test]
    fn parameters_and_their_settings_are_checked_together() {
        let good = "SignIn: basic\nSharedPassword: 'true'\nProxyImage: a/b:1\nSettings: '{\"cluster\": {\"idle_timeout\": 1800}}'\n";
        assert_eq!(
            checked(good).unwrap(),
            "The settings can be used: workers of 1 cores with 2 GiB, 0 options, sign-in by basic.\n"
        );
        let folded = "SignIn: tokens, basic\nSettings: >-\n  {\"cluster\":\n    {\"worker_cores\": 2}}\n";
        assert!(checked(folded).unwrap().contains("workers of 2 cores with 4 GiB"));
        let literal = "SignIn: basic\nSettings: |\n  {\"cluster\": {\"worker_core\": 2}}\n";
        assert_eq!(
            checked(literal).unwrap_err(),
            ["`cluster.worker_core` is not known; did you mean `cluster.worker_cores`?"]
        );
        assert_eq!(
            checked("Settings: '{}'").unwrap_err(),
            ["no way to sign in is configured: set the parameter `SignIn`"]
        );
        assert_eq!(
            checked("SignIn: basic\nSettings: {cluster: {}}").unwrap_err(),
            ["the parameter `Settings` must be text: put it in quotes"]
        );
        let admins = "SignIn: basic\nSharedPassword: 'true'\nSettings: '{\"auth\": {\"admins\": [\"root\"]}}'\n";
        assert!(checked(admins).unwrap_err()[0].contains("`auth.admins` cannot be named"));
        assert!(checked(&admins.replace("true", "false")).is_ok());
        assert!(checked("a: [").unwrap_err()[0].starts_with("the file is no YAML"));
    }

    #[test]
    fn settings_alone_are_checked_as_json() {
        assert!(checked("{\"cluster\": {\"worker_cores\": 1}}").unwrap().contains("checked without `SignIn`"));
        assert!(checked("{\"cluster\": }").unwrap_err()[0].starts_with("the text is no JSON"));
        assert_eq!(
            checked("{\"auth\": {\"basic\": {\"pasword\": \"x\"}}}").unwrap_err(),
            ["`auth.basic.pasword` is not known; there are password"]
        );
        assert_eq!(
            checked("{\"cluster\": {\"scheduler_memory\": \"200 G\"}, \"policy\": {\"chek_ms\": 1}}")
                .unwrap_err()
                .len(),
            2
        );
    }

    #[test]
    fn the_template_knows_every_way_to_sign_in_but_that_of_one_machine() {
        let template = include_str!("../../../../template.yaml");
        let (_, pattern) = template.split_once("AllowedPattern: ^(basic|").unwrap();
        let (pattern, repeated) = pattern.split_once(')').unwrap();
        let listed: Vec<&str> = std::iter::once("basic").chain(pattern.split('|')).collect();
        assert!(repeated.starts_with(&format!("(,({}))*$\n", listed.join("|"))), "{repeated:.80}");
        for says in [format!("'some of {}; comma", listed.join(", ")), format!("are tried: {}.", listed.join(", "))] {
            assert!(template.contains(&says), "{says}");
        }
        let names = faregate_auth::method_names().into_iter().filter(|name| *name != "peer");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names.collect());
    }
}
