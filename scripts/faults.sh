#!/usr/bin/env bash
# Break the whole platform on purpose, under load and by a seed, and check afterwards what it promised.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  cat <<'TEXT'
usage: ./scripts/faults.sh [--seed N] [--seconds S] [--faults N] [--only NAME,…] [--json FILE] …
       ./scripts/faults.sh --check HISTORY        only check the history of an earlier run
       ./scripts/faults.sh --list                 all kinds of faults, and what is missing for some

Starts a platform of its own on free ports of 127.0.0.1, with a network proxy between every service and its stores
and clients of every channel, and breaks one thing after the other: processes killed and hung, Redis that forgets,
networks cut, silent and slow, full disks, wrong clocks, poison, repetitions. Then it checks the history (a file of
JSON lines that is kept): whether all that was acknowledged is stored once, no client was misled, and all agree. The
exit code is 0 if every promise was kept. Same seed, same faults in the same order. Twenty minutes unless told otherwise.

As root it gives the stores disks of its own to fill (in a mount namespace that ends with it); with Debian's libfaketime
it sets clocks wrong. What cannot be had is left out, and a line says so.
TEXT
  exit 0
fi
ensure_environment tests
export PYTHONPATH="$ROOT/tests/faults:$ROOT/examples"
if [[ $(id -u) == 0 ]] && command -v unshare >/dev/null && unshare --mount true 2>/dev/null; then
  exec unshare --mount --propagation private "$VENV/bin/python" -m campaign "$@"
fi
exec "$VENV/bin/python" -m campaign "$@"
