#!/usr/bin/env bash
# Ask a running platform whether it works, as a client sees it. Started by hand, by CI, and by scripts/verify.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/smoke.sh [--api URL] [--socket URL] [--product NAME] [--wait SECONDS]

Registers a throw-away account, reads products, expiries, a chain, metrics, the surface and bars over REST, follows the
same over Socket.IO, and sees that both say the same at the same (epoch, seq); then logs out, and sees that nothing
works any more. One line per check, with its time. Works with docker compose up and with ./scripts/start-local.sh.

  --api URL        the api-gateway (default http://127.0.0.1:8000)
  --socket URL     the socket-gateway (default http://127.0.0.1:8010)
  --product NAME   a product of the feed (default NIFTY)
  --wait SECONDS   how long to wait for what a platform that has just started does not have yet (default 90)

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
exec "$VENV/bin/python" scripts/smoke.py "$@"
