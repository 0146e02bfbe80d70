#!/usr/bin/env bash
# Run the tests against real servers on free ports; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  echo "usage: ./scripts/test.sh [pytest arguments]"
  echo "Installs what tests need into .venv and runs all of tests/, or what the arguments name, e.g."
  echo "  ./scripts/test.sh tests/unit            ./scripts/test.sh -m 'not e2e and not fault' -x"
  exit 0
fi
ensure_environment tests
node_packages scripts
# A test that hangs is a failure that says where: stacks of all threads, then the end.
exec "$VENV/bin/python" -m pytest -o faulthandler_timeout=240 -o faulthandler_exit_on_timeout=true "$@"
