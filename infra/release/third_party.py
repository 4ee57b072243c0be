"""What is compiled into the binaries: an SBOM (CycloneDX 1.5) and the texts of all licences.

    third_party.py METADATA VERSION OUT

METADATA is what `cargo metadata --filter-platform` prints, one file for each target. Names what has no text and needs one.
"""

import json
import sys
from pathlib import Path

SHIPPED = ("faregate-cli", "faregate-functions", "faregate-fargate-proxy")
TEXTS = ("LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def compiled(metadata):
    """The packages from elsewhere that normal dependencies lead to (procedural macros run at build time, and are counted in)."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    open_ids = [id for id, package in packages.items() if package["name"] in SHIPPED]
    seen = set()
    while open_ids:
        id = open_ids.pop()
        if id in seen:
            continue
        seen.add(id)
        deps = nodes[id]["deps"]
        open_ids += [dep["pkg"] for dep in deps if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return [packages[id] for id in seen if packages[id]["source"]]


def expression(package):
    """Older manifests have a slash for OR."""
    return " OR ".join(part.strip() for part in (package["license"] or "").split("/"))


def texts(package):
    """The texts that the package has; where it has none, that of a licence that needs no more than a name."""
    found = sorted(path for path in Path(package["manifest_path"]).parent.iterdir() if path.is_file() and path.name.upper().startswith(TEXTS))
    if found:
        return "\n".join(path.read_text(errors="replace").strip() for path in found)
    choices = expression(package).split(" OR ")
    authors = ", ".join(package["authors"]) or f"the authors of {package['name']}"
    if "Apache-2.0" in choices:
        return f"Copyright {authors}. Apache License, Version 2.0: the file LICENSE beside this one."
    if "MIT" in choices:
        return f"Copyright (c) {authors}\n\n{MIT}"
    raise SystemExit(f"third_party.py: {package['name']} {package['version']} ({package['license']}) has no text of its licence")


def by_text(packages):
    """Many have the same text: each once, below those whose it is."""
    found = {}
    for package in packages:
        title = f"{package['name']} {package['version']} ({expression(package)}) {package['repository'] or ''}"
        found.setdefault(texts(package), []).append(title.strip())
    return found


def bom(packages, version):
    """Components without time or serial number, so that the same sources give the same file."""
    purl = lambda package: f"pkg:cargo/{package['name']}@{package['version']}"
    component = lambda package: {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        "licenses": [{"expression": expression(package)}],
    }
    subject = {"type": "application", "name": "faregate", "version": version, "licenses": [{"expression": "Apache-2.0"}]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": subject},
        "components": [component(package) for package in packages],
    }


def main():
    *sources, version, out = sys.argv[1:]
    found = {package["id"]: package for source in sources for package in compiled(json.loads(Path(source).read_text()))}
    packages = sorted(found.values(), key=lambda package: (package["name"], package["version"]))
    out = Path(out)
    (out / f"faregate-{version}.cdx.json").write_text(json.dumps(bom(packages, version), indent=1) + "\n")
    with (out / "THIRD-PARTY-LICENSES.txt").open("w") as file:
        file.write("What Faregate's binaries have in them besides its own code, and musl and Rust's standard library (MIT).\n")
        for text, titles in by_text(packages).items():
            file.write("\n".join(["", "=" * 80, *titles, "", text, ""]))
    print(f"{len(packages)} crates")


main()
