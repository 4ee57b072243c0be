//! What declared options make of what users choose.

use super::*;

fn declared() -> Options {
    let list = json!([
        {"field": "worker_cores", "type": "int", "default": 1, "min": 1, "max": 4, "label": "Worker cores"},
        {"field": "worker_memory", "type": "string", "default": "2 G"},
        {"field": "period", "type": "float", "default": 3, "min": 0.5, "target": "adaptive_period"},
        {"field": "environment", "type": "mapping"},
        {"field": "debug", "type": "bool", "target": "environment.DEBUG"},
        {"field": "profile", "type": "select", "options": [
            {"key": "small", "set": {"scheduler_cores": 1}},
            {"key": "large", "set": {"scheduler_cores": 2, "scheduler_memory": "8 G"}}]},
    ]);
    Options::declare(list.as_array().unwrap(), &ClusterConfig::default()).unwrap()
}

fn apply(request: Value) -> Result<(Map<String, Value>, ClusterConfig), String> {
    declared().apply(request.as_object().unwrap(), &ClusterConfig::default()).map_err(|e| e.to_string())
}

#[test]
fn choices_become_configuration_and_defaults_fill_the_rest() {
    let request =
        json!({"worker_cores": 3, "period": 2, "environment": {"A": "1", "N": 2}, "profile": "large", "debug": true});
    let (normalised, config) = apply(request).unwrap();
    assert_eq!(config.worker_cores, 3.0);
    assert_eq!(config.adaptive_period, 2.0);
    assert_eq!((config.scheduler_cores, config.scheduler_memory), (2.0, 8 << 30));
    let environment: Vec<_> = config.environment.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(environment, ["A=1", "DEBUG=true", "N=2"]);
    assert_eq!(normalised["period"], json!(2.0));
    assert_eq!(normalised["worker_memory"], json!("2 G"));
    assert_eq!(normalised["profile"], json!("large"));
}

#[test]
fn a_size_that_fargate_does_not_have_is_moved_up_and_the_answer_says_so() {
    let options = declared().with_sizes(TaskSizes::Fargate);
    let request = json!({"worker_cores": 3, "worker_memory": "9.5 G"});
    let (normalised, config) = options.apply(request.as_object().unwrap(), &ClusterConfig::default()).unwrap();
    assert_eq!((config.worker_cores, config.worker_memory), (4.0, 10 << 30));
    assert_eq!((&normalised["worker_cores"], &normalised["worker_memory"]), (&json!(4), &json!("10 GiB")));
    assert_eq!(options.describe()[0]["label"], "Worker cores (moved up to a size that Fargate has)");
    let request = json!({"worker_memory": "121 G"});
    let error = options.apply(request.as_object().unwrap(), &ClusterConfig::default()).unwrap_err();
    let sentence = "`worker_memory` asks for more than a task can have: 1 cores with 121 GiB; the largest has 16 cores with 120 GiB";
    assert_eq!(error.to_string(), sentence);
}

fn declare(list: Value) -> Result<Options, String> {
    Options::declare(list.as_array().unwrap(), &ClusterConfig::default()).map_err(|e| e.to_string())
}

fn chosen(options: &Options, request: Value) -> Result<(Value, ClusterConfig), String> {
    let applied = options.apply(request.as_object().unwrap(), &ClusterConfig::default());
    applied.map(|(chosen, config)| (chosen.into(), config)).map_err(|e| e.to_string())
}

#[test]
fn numbers_have_units() {
    let options = declare(json!([
        {"field": "worker_memory", "type": "float", "unit": "GiB", "default": 1, "min": 1, "max": 8, "label": "Worker Memory (GiB)"},
        {"field": "scheduler_memory", "type": "int", "unit": "GiB", "default": 2, "min": 1},
        {"field": "idle", "type": "int", "unit": "minutes", "default": 30, "target": "idle_timeout"},
        {"field": "lifetime", "type": "float", "unit": "hours", "default": 1.5},
    ]))
    .unwrap();
    let (told, config) = chosen(&options, json!({"worker_memory": 4})).unwrap();
    assert_eq!((config.worker_memory, config.scheduler_memory), (4 << 30, 2 << 30));
    assert_eq!((config.idle_timeout, config.lifetime), (1800.0, 5400.0));
    assert_eq!(told, json!({"worker_memory": 4.0, "scheduler_memory": 2, "idle": 30, "lifetime": 1.5}));
    let (told, config) = chosen(&options, json!({"worker_memory": 1.1})).unwrap();
    assert_eq!((&told["worker_memory"], config.worker_memory), (&json!(1.1), 1_181_116_006), "told as it was chosen");
    let described = options.describe();
    assert_eq!(described[0]["spec"], json!({"type": "float", "min": 1.0, "max": 8.0}));
    let labels = described.as_array().unwrap().iter().map(|option| option["label"].as_str().unwrap());
    let expected = ["Worker Memory (GiB)", "scheduler_memory (GiB)", "idle (minutes)", "lifetime (hours)"];
    assert_eq!(labels.collect::<Vec<_>>(), expected);
    assert_eq!(
        chosen(&options, json!({"worker_memory": 9})).unwrap_err(),
        "`worker_memory` must be at most 8 GiB, not 9"
    );
    let error = chosen(&options, json!({"idle": -1})).unwrap_err();
    assert_eq!(error, "`idle_timeout` must be between 0 and 1000000000 seconds, not -60");
    let options = options.with_sizes(TaskSizes::Fargate);
    let (told, config) = chosen(&options, json!({"worker_memory": 1, "scheduler_memory": 1})).unwrap();
    assert_eq!(
        (config.worker_memory, &told["worker_memory"], &told["scheduler_memory"]),
        (2 << 30, &json!(2.0), &json!(2))
    );
}

#[test]
fn the_keys_of_a_select_may_be_numbers() {
    let options = declare(json!([
        {"field": "worker_memory", "type": "select", "options": [{"key": 2, "value": "2 G"}, {"key": 4, "value": "4 G"}]},
        {"field": "scheduler_memory", "type": "select", "unit": "GiB", "options": [2, 4, "8"], "default": 4},
        {"field": "worker_cores", "type": "select", "options": [1, 0.5, {"key": "two", "value": 2}]},
        {"field": "idle_timeout", "type": "select", "unit": "minutes", "options": [{"key": "short", "value": 5}, 60]},
    ]))
    .unwrap();
    let described = options.describe();
    assert_eq!((&described[0]["spec"]["options"], &described[0]["default"]), (&json!(["2", "4"]), &json!("2")));
    assert_eq!((&described[1]["spec"]["options"], &described[1]["default"]), (&json!(["2", "4", "8"]), &json!("4")));
    let (told, config) =
        chosen(&options, json!({"worker_memory": 4, "scheduler_memory": "8", "worker_cores": 0.5})).unwrap();
    assert_eq!((config.worker_memory, config.scheduler_memory), (4 << 30, 8 << 30));
    assert_eq!((config.worker_cores, config.idle_timeout), (0.5, 300.0));
    assert_eq!((&told["worker_memory"], &told["worker_cores"]), (&json!("4"), &json!("0.5")));
    let error = chosen(&options, json!({"worker_memory": 3})).unwrap_err();
    assert_eq!(error, "`worker_memory` must be one of `2`, `4`, not `3`");
    let allowed = crate::limits::LimitValue { value: vec![json!(4), json!(8)], from: crate::model::Scope::Default };
    let within = options.within(&[("scheduler_memory".to_owned(), allowed)].into(), &ClusterConfig::default());
    assert_eq!(within.describe()[1]["spec"]["options"], json!(["4", "8"]));
    assert!(chosen(&within, json!({"scheduler_memory": "4"})).is_ok());
    assert!(chosen(&within, json!({"scheduler_memory": 2})).unwrap_err().contains("is not allowed"));
}

#[test]
fn memory_as_a_number_needs_its_unit() {
    for declaration in [
        json!({"field": "worker_memory", "type": "float", "default": 2, "min": 1, "max": 8}),
        json!({"field": "worker_memory", "type": "int", "default": 2, "min": 1, "max": 8}),
    ] {
        assert_eq!(
            declare(json!([declaration])).unwrap_err(),
            "option `worker_memory`: `unit` is missing: write unit = \"GiB\" where `worker_memory` is a number of GiB \
             (or \"MiB\"; \"B\" where it is bytes)"
        );
    }
    let bytes = declare(json!([{"field": "worker_memory", "type": "int", "default": 2147483648i64}])).unwrap();
    assert_eq!(chosen(&bytes, json!({})).unwrap().1.worker_memory, 2 << 30, "whole bytes stay bytes");
    for (declaration, says) in [
        (
            json!({"field": "worker_memory", "type": "string", "default": "2 G", "unit": "GiB"}),
            "`unit` is for int, float and select",
        ),
        (json!({"field": "worker_cores", "type": "int", "default": 1, "unit": "GiB"}), "memory or a duration"),
        (json!({"field": "worker_memory", "type": "select", "options": [2, 4]}), "not 2 B; write \"2 G\" for 2 GiB"),
    ] {
        let error = declare(json!([declaration])).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn no_text_has_a_nul_and_images_are_images() {
    let options = declare(json!([
        {"field": "image", "type": "string", "default": "dask"},
        {"field": "label", "type": "string", "target": "environment.LABEL"},
        {"field": "environment", "type": "mapping"},
    ]))
    .unwrap();
    for (request, sentence) in [
        (json!({"label": "a\0b"}), "`label` must be free of NUL characters"),
        (json!({"environment": {"A": "a\0b"}}), "`environment` must be free of NUL characters"),
        (json!({"environment": {"A\0": "a"}}), "`environment` must be free of NUL characters"),
        (json!({"environment": {"A\n": "a"}}), "`environment`: `A\\n` cannot be a variable's name"),
        (json!({"image": "a\0b"}), "`image` must be free of NUL characters"),
        (
            json!({"image": ""}),
            "`image` must name a container image such as `registry.example.com/team/dask:2026.3`, not ``",
        ),
        (
            json!({"image": "a b"}),
            "`image` must name a container image such as `registry.example.com/team/dask:2026.3`, not `a b`",
        ),
    ] {
        assert_eq!(chosen(&options, request).unwrap_err(), sentence);
    }
    let error = declare(json!([{"field": "image", "type": "string"}])).unwrap_err();
    assert!(
        error.starts_with("option `image`: its default cannot be used: `image` must name a container image"),
        "{error}"
    );
    let nul = json!([{"field": "x", "type": "select", "options": [{"key": "a", "set": {"environment.A": "\0"}}]}]);
    assert!(declare(nul).unwrap_err().ends_with("`x`: the value of `A` must be free of NUL characters"));
}

#[test]
fn what_is_refused_names_the_field_and_the_limit() {
    let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": inner }));
    for (request, sentence) in [
        (
            json!({"worker_core": 1}),
            "there is no option `worker_core`; did you mean `worker_cores`? The options are `worker_cores`, `worker_memory`, `period`, `environment`, `debug`, `profile`",
        ),
        (
            json!({"zzz": 1}),
            "there is no option `zzz`; the options are `worker_cores`, `worker_memory`, `period`, `environment`, `debug`, `profile`",
        ),
        (json!({"worker_cores": 5}), "`worker_cores` must be at most 4, not 5"),
        (json!({"worker_cores": 0}), "`worker_cores` must be at least 1, not 0"),
        (json!({"worker_cores": true}), "`worker_cores` must be an integer, not a bool"),
        (json!({"worker_cores": 2.0}), "`worker_cores` must be an integer, not a float"),
        (json!({"worker_cores": 1e23}), "`worker_cores` must be an integer, not a float"),
        (json!({"worker_cores": null}), "`worker_cores` must be an integer, not null"),
        (json!({"period": "fast"}), "`period` must be a number, not a string"),
        (json!({"period": true}), "`period` must be a number, not a bool"),
        (json!({"period": 0.1}), "`period` must be at least 0.5, not 0.1"),
        (json!({"debug": 1}), "`debug` must be a bool, not an integer"),
        (json!({"profile": "huge"}), "`profile` must be one of `small`, `large`, not `huge`"),
        (
            json!({"worker_memory": "lots"}),
            "`worker_memory`: `lots` is no size: write a number of bytes, or a number and K, M, G or T (2 G = 2 GiB)",
        ),
        (json!({"worker_memory": "1 K"}), "`worker_memory` must be at least 1 MiB, not 1 KiB"),
        (json!({"environment": {"A": deep}}), "`environment` must be nested at most 32 deep"),
        (json!({"environment": {"A": {}}}), "`environment`: the value of `A` must be a string, not a mapping"),
        (json!({"environment": {"A=B": "1"}}), "`environment`: `A=B` cannot be a variable's name"),
        (json!({"environment": "A=1"}), "`environment` must be a mapping, not a string"),
        (json!({"worker_memory": "9".repeat(5000)}), "`worker_memory` must be at most 4096 bytes long, not 5000"),
        (
            json!({"environment": {"A": "x".repeat(20_000)}}),
            "`environment` must be at most 16384 bytes of JSON, not 20008",
        ),
    ] {
        assert_eq!(apply(request).unwrap_err(), sentence);
    }
}

#[test]
fn not_a_number_is_refused_by_name() {
    let request = parse_json(br#"{"period": NaN, "environment": {"A": "NaN, really"}}"#).unwrap();
    assert_eq!(apply(request).unwrap_err(), "`period` must be a finite number, not NaN");
}

#[test]
fn the_description_is_what_the_official_client_reads() {
    let described = declared().describe();
    assert_eq!(
        described[0],
        json!({"field": "worker_cores", "label": "Worker cores", "default": 1, "spec": {"type": "int", "min": 1, "max": 4}})
    );
    assert_eq!(described[2]["spec"], json!({"type": "float", "min": 0.5, "max": null}));
    assert_eq!(described[2]["default"], json!(3.0));
    assert_eq!(
        described[3],
        json!({"field": "environment", "label": "environment", "default": {}, "spec": {"type": "mapping"}})
    );
    assert_eq!(described[5]["default"], json!("small"));
    assert_eq!(described[5]["spec"], json!({"type": "select", "options": ["small", "large"]}));
    assert!(!described.to_string().contains("1.0"));
}

#[test]
fn a_bad_declaration_names_the_option_and_the_problem() {
    for (declaration, sentence) in [
        (json!({"type": "int"}), "option `#1`: `field` is missing"),
        (json!({"field": "a b", "type": "int"}), "option `a b`: `field` must be a Python identifier"),
        (json!({"field": "x"}), "option `x`: `type` must be one of string, bool, int, float, select, mapping"),
        (json!({"field": "x", "type": "int"}), "option `x`: `x` is no setting of a cluster; name one with `target`"),
        (
            json!({"field": "worker_cores", "type": "int", "default": 9, "max": 4}),
            "option `worker_cores`: its default cannot be used: `worker_cores` must be at most 4, not 9",
        ),
        (
            json!({"field": "worker_cores", "type": "int", "mim": 1}),
            "option `worker_cores`: `mim` is unknown; did you mean `min`?",
        ),
        (
            json!({"field": "worker_cores", "type": "int", "min": 1.5}),
            "option `worker_cores`: `min` must be an integer, not a float",
        ),
        (
            json!({"field": "worker_cores", "type": "int", "min": 3, "max": 2, "default": 3}),
            "option `worker_cores`: `min` (3) is above `max` (2)",
        ),
        (json!({"field": "p", "type": "select", "options": []}), "option `p`: `options` must list at least one key"),
        (
            json!({"field": "p", "type": "select", "options": [{"key": "a", "set": {"nonsense": 1}}]}),
            "option `p`: `nonsense` is no setting of a cluster; name one with `target`",
        ),
        (
            json!({"field": "worker_memory", "type": "string"}),
            "option `worker_memory`: its default cannot be used: `worker_memory`: `` is no size: write a number of bytes, or a number and K, M, G or T (2 G = 2 GiB)",
        ),
    ] {
        let error = Options::declare(&[declaration], &ClusterConfig::default()).unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn what_does_not_fit_a_setting_is_named_by_the_option_that_set_it() {
    let threads = json!({"field": "threads", "type": "int", "default": 1, "target": "worker_threads"});
    let options = declare(json!([threads])).unwrap();
    let sentence = "`threads` does not fit `worker_threads`: invalid value: integer `-1`, expected u32";
    assert_eq!(chosen(&options, json!({"threads": -1})).unwrap_err(), sentence);
    let again = json!({"field": "worker_threads", "type": "int", "default": 2});
    let options = declare(json!([threads, again])).unwrap();
    assert_eq!(chosen(&options, json!({"threads": -1})).unwrap_err(), sentence, "though the other one replaces it");
    assert_eq!(chosen(&options, json!({})).unwrap().1.worker_threads, Some(2));
    let command = declare(json!([{"field": "worker_cmd", "type": "string", "default": "dask"}])).unwrap_err();
    assert!(command.contains("`worker_cmd` does not fit `worker_cmd`: invalid type: string"), "{command}");
    let words = json!([{"field": "c", "type": "select", "options": [{"key": "a", "set": {"worker_cmd": [1]}}]}]);
    let command = declare(words).unwrap_err();
    assert!(command.contains("`c` does not fit `worker_cmd`: invalid type: integer"), "{command}");
}
