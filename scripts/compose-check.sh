#!/usr/bin/env bash
# Hold the running compose platform to what README says of it. Started by hand, by the compose workflow, and by verify.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/compose-check.sh [--seconds N] [--only CHECK] [--kill SERVICES]

For a platform started with `docker compose up --wait`. Changes it: scales, kills, stops and starts it; data stays.

  hardened   every container: uid 10001, no capability, no new privileges, a root that cannot be written
  scaled     3 workers and 2 socket gateways: each of 16 clients gets every seq of 22 channels once, none left out
  heals      the first process of each container is killed (SIGKILL): the container comes back, and data flows again
  kept       down and up: an account logs in, keys are the same, a chain of before is still there

  --seconds N   how long the clients of `scaled` listen (default 20)
  --only CHECK  only this one
  --kill NAMES  let `heals` kill these services only ("redis mongo")

Killing processes of containers takes root on Linux (or passwordless sudo). ARO_COMPOSE and ARO_DOCKER name other
commands than `docker compose` and `docker`.
exit code: 0 every check held, 1 one did not, 2 wrong usage
TEXT
}

for argument in "$@"; do
  if [[ $argument == -h || $argument == --help ]]; then
    usage
    exit 0
  fi
done
ensure_environment scripts >&2
exec "$VENV/bin/python" scripts/compose_check.py "$@"
