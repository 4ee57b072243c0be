# What the checks inside the machine share. Sourced; the check runs as root in the guide's clone.

cd /root/faregate
. check/lib.sh >/dev/null 2>&1
export DASK_GATEWAY__HTTP_CLIENT__PROXY=False
python=$(echo /var/cache/faregate/python-*/bin/python)
dir=$(mktemp -d /var/tmp/check-XXXXXX)
chmod 777 "$dir"

# run_guide HEADING [WITHOUT]: the guide's own commands, but those for which there is no network or compiler, which the image has done.
run_guide() {
  local command
  while read -r command; do
    case $command in
      "cargo build --release" | "git pull") say "(done before: $command)"; continue ;;
    esac
    [ -z "${2:-}" ] || [[ $command != $2 ]] || continue
    say "guide: $command"
    bash -ec "$command" </dev/null
  done < <(guide docs/systemd.md "$1")
}

# until_true SECONDS WHAT COMMAND …
until_true() {
  local seconds=$1 what=$2
  shift 2
  for ((i = 0; i < seconds * 5; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  fail "$what: not within $seconds seconds"
}

property() { systemctl show faregate --property "$1" --value; }
proxy() { pgrep -o -f 'faregate proxy --spec'; }
schedulers() { pgrep -f 'dask.* scheduler' | sort | tr '\n' ' '; }
active() { [ "$(property ActiveState)" = active ]; }
same() { [ "$2" = "$3" ] && [ -n "$2" ] || fail "$1 was $2 and is $3"; }
other() { [ "$2" != "$3" ] && [ -n "$3" ] || fail "$1 is still $2"; }
