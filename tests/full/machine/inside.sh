# What the checks inside the machine share. Sourced; the check runs as root in the guide's clone.

cd /root/faregate
. check/lib.sh >/dev/null 2>&1
export DASK_GATEWAY__HTTP_CLIENT__PROXY=False
python=$(echo /var/cache/faregate/python-*/bin/python)
dir=$(mktemp -d /var/tmp/check-XXXXXX)
chmod 777 "$dir"

# in_shell COMMAND: as root, or as the user whom as_user names.
in_shell() {
  if [ -z "${as_user:-}" ]; then
    bash -ec "$1" </dev/null
  else
    runuser -u "$as_user" -- env "HOME=/home/$as_user" "XDG_RUNTIME_DIR=/run/user/$(id -u "$as_user")" bash -ec "cd ~/faregate; $1" </dev/null
  fi
}

# run_guide HEADING [WITHOUT]: the guide's own commands, but those for which there is no network or compiler, which the image has done.
run_guide() {
  local command
  while read -r command; do
    [ -z "${2:-}" ] || [[ $command != $2 ]] || continue
    case $command in
      "cargo "* | "git pull") say "(done before: $command)"; continue ;;
    esac
    say "guide: $command"
    in_shell "$command"
  done < <(guide docs/systemd.md "$1")
}

# until_true SECONDS WHAT COMMAND …
until_true() {
  local seconds=$(($1 * ${slower:-1})) what=$2
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
# nothing_left: of ours and of the tasks. In this shell: one that is given the pattern would find itself.
nothing_left() { ! pgrep -f 'faregate (serve|task|proxy)|dask'; }
active() { [ "$(property ActiveState)" = active ]; }
same() { [ "$2" = "$3" ] && [ -n "$2" ] || fail "$1 was $2 and is $3"; }
other() { [ "$2" != "$3" ] && [ -n "$3" ] || fail "$1 is still $2"; }

# patient CONFIGURATION: on an emulated processor a start takes minutes.
patient() {
  grep -qw emulated /proc/cmdline || return 0
  say "the processor is emulated: timeouts are longer than the configuration's"
  sed -i '1i cluster_start_timeout = 1800\nworker_start_timeout = 1800\nenvironment = { DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT = "600s", DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP = "600s", DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES = "0" }' "$1"
  export DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT=600s DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP=600s
  slower=15
}

# show_state: of a check that failed.
show_state() {
  systemctl status faregate --no-pager -n 0
  systemctl --failed --no-pager
  ss -Htnp | cut -c1-120
  local log
  for log in /var/lib/faregate/proxy.log /var/lib/faregate/clusters/*/tasks/*/log; do
    [ ! -e "$log" ] || { say "$log"; tail -n 15 "$log" | cut -c1-200; }
  done
  say 'the journal'
  journalctl -u faregate --no-pager -o short-precise | grep -v -e 'left-over process' -e 'usually indicates' -e 'remains running' | tail -n 40 | cut -c1-300
}
