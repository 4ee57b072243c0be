//! `docs/costs.md` is computed: of the list prices that bills are made with, of what the templates have, and of the quantities that are
//! told beside each number.

use crate::documents::root;
use faregate_core::model::Prices;
use std::fmt::Write as _;

/// Set, the guide is written anew.
const WRITE: &str = "FAREGATE_WRITE_REFERENCE";

/// List prices of us-east-1 that are not Fargate's, in US dollars.
const ADDRESS_HOUR: f64 = 0.005;
const BALANCER_HOUR: f64 = 0.0225;
const BALANCER_GB: f64 = 0.006;
const ZONES_GB: f64 = 0.02;
const LOGS_GB: f64 = 0.50;
const OUT_GB: f64 = 0.09;
const METRIC: f64 = 0.30;
const ALARM: f64 = 0.10;
const DASHBOARD: f64 = 3.00;
const SECRET: f64 = 0.40;
/// A million each.
const API: f64 = 1.00;
const CALL: f64 = 0.20;
const WRITES: f64 = 0.625;
const READS: f64 = 0.125;
const MESSAGES: f64 = 0.40;
const GROUPED_MESSAGES: f64 = 0.50;
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;

const HOURS: f64 = 730.0;
const MINUTES: f64 = HOURS * 60.0;
const MILLION: f64 = 1e6;

/// What a table's row says, and what it comes to in a month.
struct Row {
    what: String,
    how: String,
    dollars: f64,
    /// In italics, and in no sum: what not everybody has.
    aside: bool,
}

fn row(what: impl Into<String>, how: impl Into<String>, dollars: f64) -> Row {
    Row { what: what.into(), how: how.into(), dollars, aside: false }
}

fn sum(rows: &[Row]) -> f64 {
    rows.iter().filter(|row| !row.aside).map(|row| row.dollars).sum()
}

/// `$1,234`, or with cents where they are told.
fn dollars(amount: f64, cents: bool) -> String {
    let text = if cents { format!("{amount:.2}") } else { format!("{amount:.0}") };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("${grouped}{rest}")
}

fn table(rows: &[Row], cents: bool) -> String {
    let mut text = "| | | a month |\n|---|---|---|\n".to_owned();
    for Row { what, how, dollars: amount, aside } in rows {
        let star = if *aside { "*" } else { "" };
        writeln!(text, "| {star}{what}{star} | {how} | {star}{}{star} |", dollars(*amount, cents)).unwrap();
    }
    text
}

/// How often a resource's type, or a metric's name, stands in these files.
fn count(files: &[&str], what: &str) -> f64 {
    let found = files.iter().map(|file| std::fs::read_to_string(root().join(file)).unwrap().matches(what).count());
    found.sum::<usize>() as f64
}

/// A task of so many vCPU and GB, with an address of its own, for an hour.
fn task_hour(vcpu: f64, gb: f64, architecture: &str, spot: bool) -> f64 {
    let rates = Prices::listed("us-east-1", architecture).unwrap().unwrap().default;
    let (cpu, memory) =
        if spot { (rates.spot_vcpu_hour, rates.spot_gib_hour) } else { (rates.vcpu_hour, rates.gib_hour) };
    vcpu * cpu + gb * memory + ADDRESS_HOUR
}

/// A function's call of so many seconds with half a GB.
fn call(seconds: f64) -> f64 {
    CALL / MILLION + seconds * 0.5 * LAMBDA_GB_SECOND
}

fn proxy() -> Vec<Row> {
    let task = task_hour(0.25, 0.5, "X86_64", false) - ADDRESS_HOUR;
    vec![
        row("load balancer", "730 h × $0.0225", HOURS * BALANCER_HOUR),
        row("its addresses, three zones (none if internal)", "3 × 730 h × $0.005", 3.0 * HOURS * ADDRESS_HOUR),
        row("one proxy task of ¼ vCPU, ½ GB", "730 h × (¼ × $0.04048 + ½ × $0.004445)", HOURS * task),
        row("its address", "730 h × $0.005", HOURS * ADDRESS_HOUR),
    ]
}

fn rest() -> Vec<Row> {
    let templates = ["infra/cloudformation/observability.yaml", "infra/cloudformation/function-alarms.yaml"];
    let alarms = count(&templates, "Type: AWS::CloudWatch::Alarm");
    let functions = ["functions/enforce/main.rs", "functions/task-events/main.rs"];
    let metrics =
        [".with(\"", ".with_ms(\"", ".with_each_ms(\""].map(|call| count(&functions, call)).iter().sum::<f64>();
    let polls = 2.0 * 5.0 * HOURS * 3600.0 / 20.0;
    let run = call(0.2) + WRITES / MILLION + 2.5 * READS / MILLION;
    vec![
        row("metrics and alarms", format!("{metrics} × $0.30 + {alarms} × $0.10"), metrics * METRIC + alarms * ALARM),
        row("the dashboard in CloudWatch", "$3.00; an account's first three are free", DASHBOARD),
        row("two secrets", "2 × $0.40", 2.0 * SECRET),
        row(
            "Lambda looking into two queues, 5 pollers, every 20 s",
            format!("{:.1} million × $0.40", polls / MILLION),
            polls * MESSAGES / MILLION,
        ),
        row(
            "the enforcement run, each minute: 0.2 s of ½ GB, a write, reads of the index and of two lists of limits",
            "43,800 × ($0.2 + $1.33 + $0.625 + $0.31) / million",
            MINUTES * run,
        ),
        row(
            "logs: a line of ours and three of Lambda's for each of these calls",
            "43,800 × 2 KB = 0.1 GB × $0.50",
            MINUTES * 2e-6 * LOGS_GB,
        ),
    ]
}

fn thousand_users(idle: f64) -> (Vec<Row>, f64) {
    let (clusters, tasks) = (21_000.0, 231_000.0);
    let beats = clusters * 2.0 * 240.0;
    let beat = (API + WRITES) / MILLION + call(0.01);
    // as the official client asks: each half second, for a minute and a half
    let polls = clusters * 180.0;
    let poll = (API + READS) / MILLION + call(0.01);
    let start = 400.0 * WRITES / MILLION + 150.0 * GROUPED_MESSAGES / MILLION + 100.0 * call(0.02);
    let run = 60.0 * READS / MILLION + 2.0 * call(2.0);
    let through = 2_100.0;
    let calls_logged = (beats + polls) * 0.9e-6;
    let rows = vec![
        row("tasks", "21,000 × 11 × 2 h × $0.05437", tasks * 2.0 * task_hour(1.0, 2.0, "X86_64", false)),
        row(
            "heartbeats, four a minute",
            format!("42,000 h × 240 = {:.1} million × ${:.2}", beats / MILLION, beat * MILLION),
            beats * beat,
        ),
        row(
            "questions of clients whether their cluster has started, two a second for 90 s",
            format!("21,000 × 180 = {:.1} million × ${:.2}", polls / MILLION, poll * MILLION),
            polls * poll,
        ),
        row(
            "starts and ends of clusters and their tasks",
            "21,000 × about 400 writes, 150 messages, 100 calls",
            clusters * start,
        ),
        row("enforcement runs over 58 clusters on average", "43,800 × (60 reads, 2 s of two functions)", MINUTES * run),
        row("logs of tasks", "231,000 × 0.2 MB = 46 GB × $0.50", tasks * 0.2e-3 * LOGS_GB),
        row(
            "logs of API calls: a line of access, two of Lambda's own",
            format!("{:.1} million × 0.9 KB = {:.0} GB × $0.50", (beats + polls) / MILLION, calls_logged),
            calls_logged * LOGS_GB,
        ),
        row(
            "proxy, four tasks, and 2.1 TB through it",
            "4 × $12.66 + $27.38 + 2,100 × $0.006",
            4.0 * HOURS * task_hour(0.25, 0.5, "X86_64", false)
                + HOURS * (BALANCER_HOUR + 3.0 * ADDRESS_HOUR)
                + through * BALANCER_GB,
        ),
        row(
            "that between zones: two thirds from balancer to proxy, and from proxy to scheduler, of three zones",
            "2 × 2,100 GB × ⅔ × $0.02",
            2.0 * through * 2.0 / 3.0 * ZONES_GB,
        ),
        row("the rest of an idle stack", "", idle),
        Row { aside: true, ..row("data to clients outside AWS, if they are", "2,100 GB × $0.09", through * OUT_GB) },
    ];
    let gateway = sum(&rows) - rows[0].dollars;
    (rows, gateway)
}

fn guide() -> String {
    let (proxy, rest) = (proxy(), rest());
    let (with, without) = (sum(&proxy) + sum(&rest), sum(&rest));
    let (users, gateway) = thousand_users(without);
    let cluster = |architecture, spot| {
        8.0 * (task_hour(1.0, 2.0, architecture, false) + 10.0 * task_hour(1.0, 2.0, architecture, spot))
    };
    let mut idle = proxy;
    let together = Row { aside: true, ..row("the proxy together", "", sum(&idle)) };
    idle.push(together);
    idle.extend(rest);
    let key = Row { aside: true, ..row("the key of the alarms' topic, with `AlarmEmail` only", "$1.00", 1.0) };
    idle.push(key);
    include_str!("costs.md.in")
        .replace("{with}", &dollars(with, false))
        .replace("{without}", &dollars(without, false))
        .replace("{idle}", &table(&idle, true))
        .replace("{cluster}", &dollars(cluster("X86_64", false), true))
        .replace("{arm}", &dollars(cluster("ARM64", false), true))
        .replace("{spot}", &dollars(cluster("X86_64", true), true))
        .replace("{users}", &dollars(sum(&users), false))
        .replace("{gateway}", &dollars(gateway, false))
        .replace("{thousand}", table(&users, false).trim_end())
}

#[test]
fn the_costs_are_what_prices_and_quantities_come_to() {
    let (path, text) = (root().join("docs/costs.md"), guide());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).find(|(found, right)| found != right);
    assert!(
        found == text,
        "docs/costs.md is not what prices and quantities come to; write it anew with `{WRITE}=1 cargo test -p faregate-tests --test guides costs`: {differs:#?}"
    );
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (with, without) = (sum(&proxy()) + sum(&rest()), sum(&rest()));
    let said =
        format!("[{} a month, {} without the proxy](docs/costs.md)", dollars(with, false), dollars(without, false));
    assert!(readme.contains(&said), "README.md does not say {said}");
}
