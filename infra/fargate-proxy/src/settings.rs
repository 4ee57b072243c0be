use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Parser};
use faregate_proxy::Api;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The proxy as a Fargate service. Everything it needs to know is in its environment, AWS's own variables included.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Settings {
    /// The DynamoDB table of the gateway.
    #[arg(long, env = "FAREGATE_TABLE", value_parser = NonEmptyStringValueParser::new())]
    pub table: String,
    /// The ARN or name of the secret that the key ring is made of.
    #[arg(long, env = "FAREGATE_SECRET", value_parser = NonEmptyStringValueParser::new())]
    pub secret: String,
    /// The port of dashboards: plain HTTP, as the load balancer ends TLS. 0 picks a free one.
    #[arg(long, env = "FAREGATE_DASHBOARDS_PORT", default_value_t = 8443)]
    pub dashboards_port: u16,
    /// The port of the relay to schedulers. 0 picks a free one.
    #[arg(long, env = "FAREGATE_RELAY_PORT", default_value_t = 8786)]
    pub relay_port: u16,
    /// Dashboards ask for sign-in, and their links carry no key.
    #[arg(long, env = "FAREGATE_DASHBOARD_SIGN_IN", default_value_t = false, action = ArgAction::Set, requires_if("true", "api_url"))]
    pub dashboard_sign_in: bool,
    /// Where people sign in to dashboards: the API's address, `https://host`, maybe with a path.
    #[arg(long, env = "FAREGATE_PUBLIC_URL", value_parser = address)]
    pub api_url: Option<String>,
    /// Where browsers find this proxy; with `https://` its cookies are for HTTPS alone.
    #[arg(long, env = "FAREGATE_PROXY_URL")]
    pub dashboards_url: Option<String>,
    /// What is logged: off, error, warn, info, debug or trace.
    #[arg(long, env = "FAREGATE_LOG", default_value = "info")]
    pub log: LevelFilter,
}

/// An address without a slash at its end.
fn address(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) if !rest.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("it does not begin with `https://`".into()),
    }
}

impl Settings {
    /// Where the API is, as the proxy is told.
    pub fn api(&self) -> Api {
        let https = self.dashboards_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        Api::Elsewhere { url: self.api_url.clone(), https }
    }

    /// Ours at the level that is asked for. What others log at their lower levels, requests and answers as a whole, may hold secrets.
    pub fn log_filter(&self) -> EnvFilter {
        let others = self.log.min(LevelFilter::WARN);
        EnvFilter::new(format!("{others},faregate={}", self.log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, clap::Error> {
        Settings::try_parse_from([&["faregate-fargate-proxy"], args].concat())
    }

    #[test]
    fn ports_have_defaults_and_the_rest_must_be_given() {
        let settings = parse(&["--table", "t", "--secret", "s"]).unwrap();
        assert_eq!((settings.dashboards_port, settings.relay_port, settings.log), (8443, 8786, LevelFilter::INFO));
        for (args, says) in [
            (&["--secret", "s"][..], "--table"),
            (&["--table", "", "--secret", "s"], "--table"),
            (&["--table", "t", "--secret", "s", "--relay-port", "65536"], "65536"),
            (&["--table", "t", "--secret", "s", "--log", "loud"], "loud"),
        ] {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn sign_in_needs_to_know_where() {
        let base = ["--table", "t", "--secret", "s", "--dashboard-sign-in", "true"];
        assert!(parse(&base).unwrap_err().to_string().contains("--api-url"));
        assert!(!parse(&["--table", "t", "--secret", "s", "--dashboard-sign-in", "false"]).unwrap().dashboard_sign_in);
        assert!(parse(&[&base[..], &["--api-url", "api.example"]].concat()).is_err());
        let api = |dashboards| {
            let more = ["--api-url", "https://api.example/prod/", "--dashboards-url", dashboards];
            parse(&[&base[..], &more].concat()).unwrap().api()
        };
        let url = Some("https://api.example/prod".to_owned());
        assert_eq!(api("https://d.example"), Api::Elsewhere { url: url.clone(), https: true });
        assert_eq!(api("http://d.example"), Api::Elsewhere { url, https: false });
    }

    #[test]
    fn the_libraries_never_say_more_than_warnings() {
        for (level, filter) in
            [("trace", "faregate=trace,warn"), ("off", "faregate=off,off"), ("error", "faregate=error,error")]
        {
            let settings = parse(&["--table", "t", "--secret", "s", "--log", level]).unwrap();
            assert_eq!(settings.log_filter().to_string(), filter);
        }
    }
}
