#!/usr/bin/env bash
# Compile all requirements.in into hashed requirements.txt under services/constraints.txt.
#   lock.sh             bring the files up to date and keep versions where possible
#   lock.sh --upgrade   take the newest versions
#   lock.sh --check     only say whether they are up to date; needs no network
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == --check ]]; then
  if [[ -x $VENV/bin/python ]]; then python="$VENV/bin/python"; else python="$(find_python)"; fi
  exec "$python" scripts/lock.py "$@"
fi
if [[ ! -x $VENV/bin/python ]]; then
  "$(find_python)" -m venv "$VENV"
fi
[[ -x $VENV/bin/uv ]] || "$VENV/bin/python" -m pip install -qq --only-binary :all: --constraint services/constraints.txt uv
ARO_UV="$VENV/bin/uv" exec "$VENV/bin/python" scripts/lock.py "$@"
