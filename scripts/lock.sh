#!/usr/bin/env bash
# Compile all requirements.in into hashed requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  cat <<'TEXT'
usage: ./scripts/lock.sh [--upgrade | --check]

Compiles every requirements.in into a hashed requirements.txt: all under the versions of services/constraints.txt, but
scripts/*/ and tests/load/*/, which are environments of their own. Versions are kept where the inputs allow it.

  --upgrade   take the newest versions
  --check     only say whether the files are up to date; needs no network
TEXT
  exit 0
fi
if [[ ${1:-} == --check ]]; then
  if [[ -x $VENV/bin/python ]]; then python="$VENV/bin/python"; else python="$(find_python)"; fi
  exec "$python" scripts/lock.py "$@"
fi
if [[ ! -x $VENV/bin/python ]]; then
  "$(find_python)" -m venv "$VENV"
fi
[[ -x $VENV/bin/uv ]] || "$VENV/bin/python" -m pip install -qq --only-binary :all: --constraint services/constraints.txt uv
ARO_UV="$VENV/bin/uv" exec "$VENV/bin/python" scripts/lock.py "$@"
