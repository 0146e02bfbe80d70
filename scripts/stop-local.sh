#!/usr/bin/env bash
# Stop what start-local.sh started: feed, workers, gateways, stores, in this order.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  echo "usage: ./scripts/stop-local.sh"
  echo "Stops the local platform (of ARO_HOME, if set) and leaves no process and no port behind. Data is kept."
  exit 0
fi
if [[ ! -x $VENV/bin/python ]]; then
  echo "nothing was running"
  exit 0
fi
exec "$VENV/bin/python" scripts/local_platform.py stop "$@"
