//! What a release consists of, as far as nothing must be compiled for it: a stand-in, or the tests' own program, takes the place of the static ones. `tests/full/run dist`
//! makes a real one and installs it.
#![allow(clippy::unwrap_used)]

use faregate_cli::python::{Spec, ensure};
use faregate_tests::python;
use faregate_tests::server::passable_dir;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the stand-in prints.
const SAID: &str = "the stand-in";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(root()).output().unwrap_or_else(|error| panic!("{error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

fn metadata(arguments: &[&str]) -> String {
    run(env!("CARGO"), &[&["metadata", "--locked", "--offline", "--format-version", "1"], arguments].concat())
}

/// A program that can be run.
fn stand_in(path: &Path) -> String {
    executable(path, &format!("#!/bin/sh\necho {SAID}\n"));
    path.to_str().unwrap().to_owned()
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_version_is_in_one_place() {
    let packages: Value = serde_json::from_str(&metadata(&["--no-deps"])).unwrap();
    for package in packages["packages"].as_array().unwrap() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(manifest.contains("version.workspace = true"), "{}", package["name"]);
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"), "{}", package["name"]);
    }
    let wheel = fs::read_to_string(root().join("infra/cli/pyproject.toml")).unwrap();
    assert!(wheel.contains("dynamic = [\"version\"]") && !wheel.contains("\nversion"), "{wheel}");
}

#[test]
fn every_release_says_first_how_to_upgrade() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let releases: Vec<&str> = changelog.split("\n## ").skip(1).collect();
    assert!(!releases.is_empty());
    for release in releases {
        let (version, text) = release.split_once('\n').unwrap();
        assert!(text.trim_start().starts_with("### Upgrading\n\n"), "{version}");
        let number = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
        assert!(number || version == "Unreleased", "`{version}` is no version");
    }
}

/// What stands in for cargo when maturin builds: the program as all tests have it, so that nothing is compiled again.
fn built_already(path: &Path) {
    let cargo = env!("CARGO");
    let build = "build --workspace --locked --bin faregate --message-format=json-render-diagnostics";
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *\" rustc \"* | *\" build \"*) exec {cargo} {build} ;; esac\nexec {cargo} \"$@\"\n"
    );
    executable(path, &text);
}

#[test]
fn the_wheel_is_installed_in_a_new_environment_and_runs_the_demo() {
    let spec = Spec { requirements: vec!["maturin==1.16.0".to_owned()], home: python::home() };
    let maturin = ensure(&spec, &|step| eprintln!("{step}")).unwrap();
    let dir = passable_dir("faregate-wheel-");
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    built_already(Path::new(&path("cargo")));
    let mut build = Command::new(maturin.bin().join("maturin"));
    build.args(["build", "--profile", "dev", "--manifest-path", "infra/cli/Cargo.toml", "--compatibility", "linux"]);
    build.args(["--out", dir.path().to_str().unwrap()]).current_dir(root()).env("CARGO", path("cargo"));
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    run("python3", &["-m", "venv", &path("venv")]);
    let pip = ["install", "--quiet", "--no-index", "--find-links", dir.path().to_str().unwrap(), "faregate"];
    run(path("venv/bin/pip"), &pip);
    let installed = path("venv/bin/faregate");
    assert_eq!(run(&installed, &["--version"]).trim(), concat!("faregate ", env!("CARGO_PKG_VERSION")));
    let mut demo = Command::new(&installed);
    demo.arg("demo").env("FAREGATE_PYTHON", python::dask(python::DASK_VERSIONS[0]).dir()).env("HOME", dir.path());
    let output = demo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("nothing is left"), "{said}{errors}");
}

#[test]
fn the_debian_package_has_the_program_the_unit_and_a_configuration_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (binary, out) = (stand_in(&dir.path().join("faregate")), dir.path().to_str().unwrap());
    run(root().join("infra/release/deb.sh"), &[&binary, "amd64", "1.2.3", out]);
    let package = dir.path().join("faregate_1.2.3_amd64.deb");
    let package = package.to_str().unwrap();
    let listed = run("dpkg-deb", &["--contents", package]);
    for (mode, file) in [
        ("-rwxr-xr-x root/root", "./usr/bin/faregate"),
        ("-rw------- root/root", "./etc/faregate/faregate.toml"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/faregate.service"),
        ("-rw-r--r-- root/root", "./usr/share/doc/faregate/copyright"),
    ] {
        assert!(listed.lines().any(|line| line.starts_with(mode) && line.ends_with(file)), "{file}:\n{listed}");
    }
    assert_eq!(run("dpkg-deb", &["--info", package, "conffiles"]), "/etc/faregate/faregate.toml\n");
    let tree = dir.path().join("tree");
    run("dpkg-deb", &["--extract", package, tree.to_str().unwrap()]);
    assert_eq!(run(tree.join("usr/bin/faregate"), &[]).trim(), SAID);
    let unit = fs::read_to_string(tree.join("usr/lib/systemd/system/faregate.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/faregate serve --config /etc/faregate/faregate.toml\n"), "{unit}");
}

#[test]
fn the_image_has_one_layer_whose_program_runs_and_the_same_contents_are_the_same_image() {
    let dir = tempfile::tempdir().unwrap();
    let binary = stand_in(&dir.path().join("proxy"));
    let archive = |name: &str| {
        let out = dir.path().join(name);
        let arguments = ["infra/release/oci_archive.py", &binary, "LICENSE", "arm64", "1.2.3", out.to_str().unwrap()];
        run("python3", &arguments);
        out
    };
    let (one, other) = (archive("one.tar"), archive("other.tar"));
    assert_eq!(fs::read(&one).unwrap(), fs::read(other).unwrap());

    let image = dir.path().join("image");
    fs::create_dir(&image).unwrap();
    let image_dir = image.to_str().unwrap();
    run("tar", &["-xf", one.to_str().unwrap(), "-C", image_dir]);
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let path = image.join("blobs/sha256").join(&digest);
        assert_eq!(fs::metadata(&path).unwrap().len(), described["size"].as_u64().unwrap());
        assert!(run("sha256sum", &[path.to_str().unwrap()]).starts_with(&digest));
        path
    };
    let manifest = json(&blob(&json(&image.join("index.json"))["manifests"][0]));
    let config = json(&blob(&manifest["config"]));
    assert_eq!((&config["architecture"], &config["os"]), (&"arm64".into(), &"linux".into()));
    assert_eq!((&config["config"]["User"], manifest["layers"].as_array().unwrap().len()), (&"65534".into(), 1));
    let layer = blob(&manifest["layers"][0]);
    run("tar", &["-xzf", layer.to_str().unwrap(), "-C", image_dir]);
    let entry = config["config"]["Entrypoint"][0].as_str().unwrap();
    assert_eq!(run(image.join(entry.trim_start_matches('/')), &[]).trim(), SAID);
    let dockerfile = fs::read_to_string(root().join("infra/images/proxy/Dockerfile")).unwrap();
    assert!(
        dockerfile.contains(&format!("ENTRYPOINT [\"{entry}\"]")) && dockerfile.contains("USER 65534"),
        "not as the other image"
    );
    assert!(image.join("etc/ssl/certs/ca-certificates.crt").is_file());
}

#[test]
fn the_templates_of_a_release_take_zips_and_build_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let original = fs::read_to_string(root().join("template.yaml")).unwrap();
    let functions: Vec<&str> = original.split("Binary: ").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    functions.iter().for_each(|function| _ = stand_in(&dir.path().join(function)));
    let out = dir.path().to_str().unwrap();
    for (architecture, file) in [("arm64", "template.yaml"), ("x86_64", "template-x86_64.yaml")] {
        run("python3", &["infra/release/functions.py", out, architecture, ".", out]);
        let template = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(!template.contains("BuildMethod"), "something would be built");
        assert!(template.contains(&format!("    Default: {architecture}\n    AllowedValues: [{architecture}]\n")));
        for function in &functions {
            let zip = format!("functions/{architecture}/{function}.zip");
            assert_eq!(template.matches(&format!("      CodeUri: {zip}\n")).count(), 1);
            let unpacked = dir.path().join("unpacked");
            let program = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.namelist(), oct(z.infolist()[0].external_attr >> 16)); z.extractall(sys.argv[2])";
            let zip = dir.path().join(zip);
            let said = run("python3", &["-c", program, zip.to_str().unwrap(), unpacked.to_str().unwrap()]);
            assert_eq!(said.trim(), "['bootstrap'] 0o100755");
            assert!(fs::read_to_string(unpacked.join("bootstrap")).unwrap().contains(SAID));
        }
    }
    assert_eq!(functions.len(), 5);
}

#[test]
fn everything_compiled_in_is_in_the_sbom_with_the_text_of_its_licence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metadata.json");
    fs::write(&file, metadata(&["--filter-platform", "x86_64-unknown-linux-gnu", "--all-features"])).unwrap();
    let out = dir.path().to_str().unwrap();
    run("python3", &["infra/release/third_party.py", file.to_str().unwrap(), "1.2.3", out]);
    let bom = json(&dir.path().join("faregate-1.2.3.cdx.json"));
    let components = bom["components"].as_array().unwrap();
    let texts = fs::read_to_string(dir.path().join("THIRD-PARTY-LICENSES.txt")).unwrap();
    let names: Vec<&str> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    for name in ["tokio", "rusqlite", "aws-lc-sys", "lambda_runtime", "aws-sdk-ecs", "aws-sdk-dynamodb"] {
        assert!(names.contains(&name), "{name}");
    }
    for name in ["proptest", "insta"] {
        assert!(!names.contains(&name), "{name} is for tests");
    }
    for component in components {
        let title = format!("\n{} {} (", component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        assert!(texts.contains(&title), "{title}");
        assert_ne!(component["licenses"][0]["expression"], "", "{title}");
    }
}
