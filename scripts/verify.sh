#!/usr/bin/env bash
# Run the proofs that VERIFICATION.md lists, in its order, and print a table of them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  cat <<'TEXT'
usage: ./scripts/verify.sh [--quick] [--fresh] [--only ID ...] [--list] [--json FILE]

Reads claims, commands and expected output from VERIFICATION.md, runs each command with a time limit, and prints a table
of proofs: ok, failed, or left out and why. The exit code is 0 if none failed. Needs Python 3.11 or newer; proofs that
need more (node, docker, wrk ...) are left out where it is missing. The platform that some of them use is started in a
temporary folder on free ports, and stopped at the end.

  --quick        leave out what takes more than 20 seconds
  --fresh        make a clone of HEAD in a temporary folder first, and run there
  --only ID ...  only these rows, and those that start and stop the platform if one needs it
  --list         print what would run, and run nothing
  --json FILE    also write the table to FILE
TEXT
  exit 0
fi
python="$(find_python)"
exec "$python" scripts/verification.py "$@"
