"""The proxy's image as an OCI archive: a static binary, and whom it trusts when it calls AWS. The same as infra/images/proxy/Dockerfile.

    oci_archive.py BINARY CERTIFICATES ARCHITECTURE VERSION OUT

The same contents give the same bytes, and so the same digests.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile

NAME = "faregate-fargate-proxy"


def layer(files):
    """A tar of these files, and of the directories above them, all root's."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        directories = {str(parent) for path, _, _ in files for parent in parents(path)}
        for directory in sorted(directories):
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for path, mode, content in files:
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    binary, certificates, architecture, version, out = sys.argv[1:]
    plain = layer([("etc/ssl/certs/ca-certificates.crt", 0o644, read(certificates)), (NAME, 0o755, read(binary))])
    packed = gzip.compress(plain, mtime=0)
    digest = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
    blobs = {}

    def blob(kind, data):
        blobs[digest(data).removeprefix("sha256:")] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(data), "size": len(data)}

    encoded = lambda value: json.dumps(value, sort_keys=True).encode()
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": "65534",
            "ExposedPorts": {"8443/tcp": {}, "8786/tcp": {}},
            "Entrypoint": ["/" + NAME],
            "Labels": {"org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0"},
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", encoded(config)),
        "layers": [blob("layer.v1.tar+gzip", packed)],
    }
    described = blob("manifest.v1+json", encoded(manifest))
    described["platform"] = {"architecture": architecture, "os": "linux"}
    described["annotations"] = {"org.opencontainers.image.ref.name": version}
    files = [
        ("oci-layout", 0o644, encoded({"imageLayoutVersion": "1.0.0"})),
        ("index.json", 0o644, encoded({"schemaVersion": 2, "manifests": [described]})),
    ]
    files += [(f"blobs/sha256/{name}", 0o644, data) for name, data in sorted(blobs.items())]
    with open(out, "wb") as file:
        file.write(layer(files))


main()
