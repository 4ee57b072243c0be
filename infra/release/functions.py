"""The functions as zips, and a template that takes them: what `sam deploy` needs, and no `sam build`.

    functions.py BINARIES ARCHITECTURE REPOSITORY OUT

ARCHITECTURE is Lambda's name for it (x86_64, arm64). Writes OUT/functions/<architecture>/<name>.zip, and for the architecture that is the
template's default OUT/template.yaml, for another one OUT/template-<architecture>.yaml.
"""

import re
import sys
import zipfile
from pathlib import Path

# `sam build` reads it; without it, it is clear that there is nothing to build.
BUILT = re.compile(r"^    Metadata: \{BuildMethod: rust-cargolambda, BuildProperties: \{Binary: ([a-z-]+)\}\}\n    Properties:\n", re.M)
FUNCTION = "    Type: AWS::Serverless::Function\n"


def pack(binary, to):
    """One file, `bootstrap`, that may be executed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    info = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    info.external_attr, info.compress_type = 0o100755 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(to, "w") as file:
        file.writestr(info, binary.read_bytes())


def pointed(template, architecture):
    """The template with zips in place of what is built, for this architecture alone; the functions' names; whether it is the default."""
    names = BUILT.findall(template)
    if not names or len(names) != template.count(FUNCTION):
        raise SystemExit("functions.py: the template has a function that is built in another way")
    template = BUILT.sub(lambda found: f"    Properties:\n      CodeUri: functions/{architecture}/{found[1]}.zip\n", template)
    parameter = re.compile(r"(^  FunctionArchitecture:\n    Type: String\n)    Default: (\w+)\n    AllowedValues: \[[^]]*\]\n", re.M)
    found = parameter.search(template)
    if not found:
        raise SystemExit("functions.py: the template has no parameter FunctionArchitecture")
    template = parameter.sub(rf"\1    Default: {architecture}\n    AllowedValues: [{architecture}]\n", template)
    return template, names, found[2] == architecture


def main():
    binaries, architecture, repository, out = sys.argv[1:]
    template, names, default = pointed((Path(repository) / "template.yaml").read_text(), architecture)
    for name in names:
        pack(Path(binaries) / name, Path(out) / "functions" / architecture / f"{name}.zip")
    (Path(out) / ("template.yaml" if default else f"template-{architecture}.yaml")).write_text(template)


main()
