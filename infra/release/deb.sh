#!/usr/bin/env bash
# The Debian package: the static binary and the unit for the users of a machine.
#
#   deb.sh BINARY ARCHITECTURE VERSION OUT      ARCHITECTURE is Debian's name for it (amd64, arm64)
#
# It starts nothing: who may enter is said first (docs/install.md).
set -euo pipefail
binary=$1 architecture=$2 version=$3 out=$4
repository=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
install -D -m 755 "$binary" "$tree/usr/bin/faregate"
install -D -m 600 "$repository/infra/cli/systemd/faregate.toml" "$tree/etc/faregate/faregate.toml"
install -d "$tree/usr/lib/systemd/system"
sed 's#/usr/local/bin/faregate#/usr/bin/faregate#' "$repository/infra/cli/systemd/faregate.service" >"$tree/usr/lib/systemd/system/faregate.service"
install -D -m 644 "$repository/LICENSE" "$tree/usr/share/doc/faregate/copyright"
install -D -m 644 "$repository/CHANGELOG.md" "$tree/usr/share/doc/faregate/CHANGELOG.md"
[ ! -e "$out/THIRD-PARTY-LICENSES.txt" ] || install -m 644 "$out/THIRD-PARTY-LICENSES.txt" "$tree/usr/share/doc/faregate/"
gzip -9n "$tree"/usr/share/doc/faregate/[CT]*

install -d "$tree/DEBIAN"
echo /etc/faregate/faregate.toml >"$tree/DEBIAN/conffiles"
cat >"$tree/DEBIAN/control" <<END
Package: faregate
Version: $version
Architecture: $architecture
Maintainer: Faregate developers <faregate@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)
Depends: python3 (>= 3.10), python3-venv
Recommends: systemd (>= 250)
Section: science
Priority: optional
Description: Dask Gateway for one machine, with no server to run
 Starts Dask clusters for the users of a machine, who use the official client
 dask-gateway. Limits, idle timeouts, dashboards, and clusters that outlive a
 restart of the gateway.
END
# An upgrade restarts the gateway, which no cluster notices. A removal ends what the program has started.
cat >"$tree/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  [ -z "$2" ] || systemctl try-restart faregate
fi
END
cat >"$tree/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable faregate
  systemctl kill faregate || true
fi
END
# The records and the key ring go when the package is purged.
cat >"$tree/DEBIAN/postrm" <<'END'
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ "$1" != purge ] || rm -rf /var/lib/faregate /var/cache/faregate
END
chmod 755 "$tree"/DEBIAN/p*
chmod 644 "$tree"/DEBIAN/c* "$tree/usr/lib/systemd/system/faregate.service"
find "$tree" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
dpkg-deb --root-owner-group --build "$tree" "$out/faregate_${version}_$architecture.deb"
