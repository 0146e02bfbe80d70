#!/usr/bin/env bash
# Compare this project with others, in one run on one machine.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/bench.sh pricing [--json FILE] [--sizes N ...]
       ./scripts/bench.sh api [--json FILE] [--rounds N] [--seconds S] [--connections N] [--no-feed]
       ./scripts/bench.sh pipeline [--json FILE] [--quick] [--overload SECONDS]
       ./scripts/bench.sh fanout [--json FILE] [--quick] [--clients N ...] [--sizes N ...] [--rounds N] [--seconds S]

pricing   contracts per second and largest error of implied volatilities, and of these with five Greeks, beside
          pyvolr, iv-engine, fast-vollib, vollib and py_lets_be_rational: one thread on one core, about two minutes
api       requests per second and latencies of the latest chain, plain, with gzip and as 304, beside the same in
          FastAPI on uvicorn: one worker on one core, load on another; then at 300 requests a second beside the whole
          platform with its default feed. Needs wrk (Debian and Ubuntu: apt install wrk), taskset and two cores; about
          five minutes
pipeline  contracts per second from the feed's XADD to PUBLISH, stored durably on the way, with one and two worker
          processes: times of every stage, CPU by process, latencies, and the usual design (a Celery task per chain)
          on the same servers; about six minutes, with --quick one and a half
fanout    messages per second that reach 200, 1,000 and 4,000 clients of a room, every byte compared, beside Node's
          socket.io and stock Flask-SocketIO: servers on one core, load on another; latencies at half of what each can
          do, CPU, memory of an idle connection. Needs node, npm, taskset, two cores and 13,000 open files; about seven
          minutes, with --quick (1,000 clients, 1 KiB) half a minute

  --json FILE    also write every row to FILE
  --sizes N ...  contracts per call (default 162 1000 6400 100000)

The packages to compare with are installed into environments of their own: ARO_PEERS_VENV (default .venv-peers) and
ARO_API_PEERS_VENV (default .venv-api-peers).
TEXT
}

# peers_environment FOLDER LOCK FILE...: the packages of LOCK, installed anew when LOCK or a FILE has changed; sets PEERS.
peers_environment() {
  PEERS="$1"
  local lock="$2" started wanted
  shift
  [[ -x $PEERS/bin/python ]] || "$(find_python)" -m venv "$PEERS"
  wanted="$(VENV="$PEERS" digest "$@")"
  [[ -f $PEERS/.installed && $(<"$PEERS/.installed") == "$wanted" ]] && return
  started="$(now_ns)"
  "$PEERS/bin/python" -m pip install -qq --progress-bar off --require-hashes --no-deps --only-binary :all: -r "$lock" ||
    fail "the packages of $lock could not be installed"
  # aro with its kernel, where it is compared in that very environment.
  if [[ $# -gt 1 ]]; then
    "$PEERS/bin/python" -m pip install -qq --no-index --no-deps --no-build-isolation -e services/shared ||
      fail "services/shared could not be installed"
  fi
  echo "$wanted" >"$PEERS/.installed"
  phase environment "$started" "packages to compare with installed in ${PEERS##*/}"
}

case "${1:-}" in
  pricing)
    shift
    peers_environment "${ARO_PEERS_VENV:-$ROOT/.venv-peers}" tests/load/peers/requirements.txt \
      services/shared/{pyproject.toml,setup.py,aro/quant/*.[ch]}
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 RAYON_NUM_THREADS=1 NUMBA_NUM_THREADS=1
    exec "$PEERS/bin/python" tests/load/pricing "$@"
    ;;
  api)
    shift
    for tool in wrk taskset; do
      command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on PATH (Debian and Ubuntu: apt install wrk util-linux)"
    done
    peers_environment "${ARO_API_PEERS_VENV:-$ROOT/.venv-api-peers}" tests/load/api/requirements.txt
    ensure_environment tests
    exec "$VENV/bin/python" tests/load/api --peer-python "$PEERS/bin/python" "$@"
    ;;
  pipeline)
    shift
    ensure_environment tests
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    exec "$VENV/bin/python" tests/load/pipeline "$@"
    ;;
  fanout)
    shift
    for tool in node npm taskset; do
      command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on PATH (Node.js 20 or newer; taskset is in util-linux)"
    done
    # A socket at each end for every client of every server.
    ulimit -n "$(ulimit -Hn)"
    ensure_environment tests
    node_packages tests/load/fanout/node
    exec "$VENV/bin/python" tests/load/fanout "$@"
    ;;
  -h | --help)
    usage
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
