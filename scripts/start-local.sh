#!/usr/bin/env bash
# Start the whole platform on this machine: needs Python 3.11 or newer and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh
# shellcheck source=scripts/page.sh
source scripts/page.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/start-local.sh [--replay FILE | --synthetic] [--products A,B] [--clean]
       ./scripts/start-local.sh --status

Starts Redis, MongoDB and every service under supervisor, waits until all are healthy, and prints addresses,
a demo token and the commands to subscribe. Running it again is harmless; other feed options restart the feed only.

  --replay FILE    feed a recording of ours, or an NSE option chain (JSON, plain or .gz, or a folder of them), in a loop
  --synthetic      feed synthetic chains: the default, and the way back from --replay
  --products A,B   feed only these products
  --clean          first wipe everything that earlier runs kept
  --status         print a table of processes and health; the exit code is 0 if all are healthy

ARO_HOME            where data, keys and logs are kept (default ${XDG_STATE_HOME:-$HOME/.local/state}/option-aro)
ARO_MONGO_URL       use this MongoDB instead of starting one
ARO_UNIVERSE=nse    feed and know 220 underlyings with some 90,000 contracts, for load (before the first start)
ARO_GATEWAY_PORT …  other ports; .env.example lists all variables
TEXT
}

status=no
for argument in "$@"; do
  case "$argument" in
    -h | --help)
      usage
      exit 0
      ;;
    --status) status=yes ;;
  esac
done

if [[ $status == no ]]; then
  ensure_environment scripts
  node_packages scripts
  # Everything but the page works without it.
  build_page || echo "start-local.sh: the page could not be built; the api-gateway will say so at /" >&2
elif [[ ! -x $VENV/bin/python ]]; then
  fail "nothing was ever started from here"
fi
exec "$VENV/bin/python" scripts/local_platform.py start "$@"
