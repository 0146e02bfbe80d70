#!/usr/bin/env bash
# Start one process of the local platform: launch.sh PID_FILE COMMAND...
# Notes the pid and the moment it was born, so that stop-local.sh can end it, and never a stranger with a reused pid,
# even when supervisor itself was killed. exec keeps the pid, so supervisor's signals reach the command.
set -euo pipefail
pid_file="$1"
shift
if [[ -r /proc/$$/stat ]]; then
  read -r stat <"/proc/$$/stat"
  # Field 22 of proc(5), counted from behind the command name, which may hold spaces.
  read -ra fields <<<"${stat##*) }"
  born="${fields[19]}"
else
  born="$(ps -o lstart= -p $$)"
fi
echo "$$ $born" >"$pid_file"
# Sockets need descriptors: as many as this user may have, within reason.
limit="$(ulimit -Hn)"
[[ $limit != unlimited && $limit -le 65536 ]] || limit=65536
ulimit -n "$limit"
exec "$@"
