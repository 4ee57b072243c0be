# What the parts share. Sourced from the repository's root.

# Everything that the parts make, and keep for the next time.
full_dir=${CARGO_TARGET_DIR:-$PWD/target}/full
mkdir -p "$full_dir"

say() { printf '== %s\n' "$*"; }
fail() { printf '== FAILED: %s\n' "$*" >&2; exit 1; }

# need PROGRAM PACKAGE: a part that cannot run fails, and says what it lacks.
need() {
  type -P "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && type -P apt-get >/dev/null || fail "\`$1\` is missing (Debian: apt-get install $2)"
  say "installing $2"
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$2" >/dev/null
}
need_root() { [ "$(id -u)" = 0 ] || fail "this part makes a root file system, which needs root"; }

# debian_root DIR SUITE PACKAGE,…: a Debian that is made once, and again when its packages are others.
debian_root() {
  local dir=$1 suite=$2 packages=$3
  [ "$(cat "$dir.packages" 2>/dev/null)" = "$suite $packages" ] && [ -d "$dir" ] && return
  need mmdebstrap mmdebstrap
  say "making a Debian root file system: $suite"
  rm -rf "$dir" "$dir.packages"
  mmdebstrap --quiet --variant=apt --include="$packages" "$suite" "$dir" http://deb.debian.org/debian
  printf '127.0.0.1\tlocalhost\n' > "$dir/etc/hosts" # as Debian's installer writes it
  echo "$suite $packages" > "$dir.packages"
}

# in_root DIR COMMAND …: runs a command in a root file system, with namespaces of its own, so that nothing of it is left. Whom TLS trusts
# and what pip is configured with is the machine's.
in_root() {
  local dir=$1
  shift
  unshare --mount --pid --fork --kill-child -- bash -c '
    set -e
    root=$1; shift
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --rbind /dev "$root/dev"
    for shared in /etc/ssl/certs /etc/pip.conf /etc/resolv.conf ${BIND:-}; do
      [ -e "$shared" ] || continue
      if [ -d "$shared" ]; then mkdir -p "$root$shared"; else mkdir -p "$(dirname "$root$shared")"; [ -e "$root$shared" ] || touch "$root$shared"; fi
      mount --rbind "$shared" "$root$shared"
    done
    exec chroot "$root" "$@"
  ' in_root "$dir" "$@"
}

# guide FILE HEADING: the commands of the fenced blocks below a heading, one a line, until the next heading.
guide() {
  awk -v heading="$2" '
    /^#/ && !fenced { here = ($0 == heading) }
    /^```/ { fenced = !fenced; shown = (fenced && $0 == "```"); next }
    here && fenced && shown { print }
  ' "$1"
}
