#!/usr/bin/env bash
# A release, into dist/: wheels, binaries, Debian packages, the functions with the templates that take them, the proxy's images, an SBOM,
# licences, checksums. Whoever deploys it needs no Rust, no Zig and no Docker.
#
#   infra/release.sh                      for x86_64 and aarch64
#   infra/release.sh ARCHITECTURE …       for these
#
# Each program is built once for an architecture, linked statically with musl by Zig, and everything takes it from there. Needs Rust with
# rustup, Python 3.10 with venv, and dpkg-deb. DIST names another folder than dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
architectures=("$@")
[ $# -gt 0 ] || architectures=(x86_64 aarch64)
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
grep -q "^## \($version\|Unreleased\)\$" CHANGELOG.md || { echo "infra/release.sh: CHANGELOG.md has no section for $version" >&2; exit 1; }
dist=${DIST:-dist}
rm -rf "$dist"
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)

tools=$target_dir/release-tools
python3 -m venv "$tools"
"$tools/bin/pip" install -q maturin==1.16.0 cargo-zigbuild==0.24.0 ziglang==0.17.1 certifi==2026.10.19.post1
export PATH=$tools/bin:$PATH
certificates=$(python3 -m certifi) # Mozilla's list, and not what this machine trusts

metadata=()
for architecture in "${architectures[@]}"; do
  target=$architecture-unknown-linux-musl
  rustup target add "$target"
  file=$target_dir/release-metadata-$architecture.json
  cargo metadata --locked --format-version 1 --filter-platform "$target" --all-features >"$file"
  metadata+=("$file")
done
python3 infra/release/third_party.py "${metadata[@]}" "$version" "$dist"

for architecture in "${architectures[@]}"; do
  case $architecture in
    x86_64) lambda=x86_64 other=amd64 ;;
    aarch64) lambda=arm64 other=arm64 ;;
    *) echo "infra/release.sh: \`$architecture\` is neither x86_64 nor aarch64" >&2; exit 2 ;;
  esac
  target=$architecture-unknown-linux-musl
  cargo zigbuild --release --locked --target "$target" --package faregate-functions --package faregate-fargate-proxy
  # the wheel's build is the program's
  maturin build --release --locked --zig --target "$target" --manifest-path infra/cli/Cargo.toml --features dynamodb \
    --compatibility manylinux2014 musllinux_1_2 --out "$dist"
  built=$target_dir/$target/release
  name=faregate-$version-$architecture
  mkdir -p "$target_dir/$name"
  cp "$built/faregate" LICENSE CHANGELOG.md "$dist/THIRD-PARTY-LICENSES.txt" "$target_dir/$name"
  cp -r infra/cli/systemd "$target_dir/$name"
  tar --create --gzip --file "$dist/$name.tar.gz" --directory "$target_dir" --owner 0 --group 0 --numeric-owner "$name"
  rm -r "${target_dir:?}/$name"
  infra/release/deb.sh "$built/faregate" "$other" "$version" "$dist"
  python3 infra/release/functions.py "$built" "$lambda" . "$dist"
  python3 infra/release/oci_archive.py "$built/faregate-fargate-proxy" "$certificates" "$other" "$version" "$dist/faregate-proxy-$version-$other.oci.tar"
done

mkdir -p "$dist/infra"
cp -r infra/cloudformation infra/preflight.sh infra/verify.sh "$dist/infra"
cp samconfig.toml LICENSE CHANGELOG.md "$dist"
(cd "$dist" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)
ls -l "$dist"
