#!/usr/bin/env bash
# Compare this project with others, in one run on one machine.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/bench.sh pricing [--json FILE] [--sizes N ...]

pricing   contracts per second and largest error of implied volatilities, and of these with five Greeks, beside
          pyvolr, iv-engine, fast-vollib, vollib and py_lets_be_rational: one thread on one core, about two minutes

  --json FILE    also write every row to FILE
  --sizes N ...  contracts per call (default 162 1000 6400 100000)

The packages to compare with are installed into an environment of their own, ARO_PEERS_VENV (default .venv-peers).
TEXT
}

case "${1:-}" in
  pricing) ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
shift

# The packages of tests/load/peers/requirements.txt, and aro with its kernel.
VENV="${ARO_PEERS_VENV:-$ROOT/.venv-peers}"
[[ -x $VENV/bin/python ]] || "$(find_python)" -m venv "$VENV"
lock=tests/load/peers/requirements.txt
wanted="$(digest "$lock" services/shared/{pyproject.toml,setup.py,aro/quant/kernel.c})"
if [[ ! -f $VENV/.installed || $(<"$VENV/.installed") != "$wanted" ]]; then
  started="$(now_ns)"
  "$VENV/bin/python" -m pip install -qq --progress-bar off --require-hashes --only-binary :all: -r "$lock" ||
    fail "the packages of $lock could not be installed"
  "$VENV/bin/python" -m pip install -qq --no-index --no-deps --no-build-isolation -e services/shared ||
    fail "services/shared could not be installed"
  echo "$wanted" >"$VENV/.installed"
  phase environment "$started" "packages to compare with installed in ${VENV##*/}"
fi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 RAYON_NUM_THREADS=1 NUMBA_NUM_THREADS=1
exec "$VENV/bin/python" tests/load/pricing "$@"
