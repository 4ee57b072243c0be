//! The Python environments of the offline stack: made once, kept with those of the other tests.

use faregate_cli::python::{PythonEnv, Spec, ensure};
use faregate_tests::python::{DASK_VERSIONS, home};

/// The emulator, and boto3 to look into it. Not in one environment with [`sam`]: each pins its own botocore.
pub fn emulator() -> PythonEnv {
    environment(&["ministack==1.5.33", "aws-sam-translator==1.115.0", "boto3==1.43.106"])
}

/// The tools that people deploy and check templates with.
pub fn sam() -> PythonEnv {
    environment(&["aws-sam-cli==1.170.0", "cfn-lint==1.58.0"])
}

/// Another emulator.
pub fn moto() -> PythonEnv {
    environment(&["moto[s3,server]==5.2.5"])
}

/// Who looks for what is unsafe in templates and roles; cloudsplaining comes with checkov.
pub fn checkers() -> PythonEnv {
    environment(&["checkov==3.3.30", "parliament==1.6.4", "setuptools==80.9.0"])
}

/// What administrators look and uninstall with.
pub fn aws_cli() -> PythonEnv {
    environment(&["awscli==1.45.11"])
}

/// Dask, for the tasks and for the client.
pub fn dask() -> PythonEnv {
    faregate_tests::python::dask(DASK_VERSIONS[0])
}

fn environment(requirements: &[&str]) -> PythonEnv {
    let requirements = requirements.iter().map(|requirement| (*requirement).to_owned()).collect();
    ensure(&Spec { requirements, home: home() }, &|step| eprintln!("{step}")).unwrap()
}
