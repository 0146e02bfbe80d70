#!/usr/bin/env bash
# Make the demo account and back-fill an hour of synthetic history through the real pipeline.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  cat <<'TEXT'
usage: ./scripts/seed-data.sh [--seconds 3600] [--step 10]

Needs a platform that start-local.sh started. Sends snapshots of the past, one each STEP seconds, through the ledger
and the workers as fast as they follow, waits until all are stored, and prints what storage serves of them.
Running it again stores nothing twice.
TEXT
  exit 0
fi
[[ -x $VENV/bin/python ]] || fail "the platform is not running: ./scripts/start-local.sh starts it"
exec "$VENV/bin/python" scripts/local_platform.py seed "$@"
