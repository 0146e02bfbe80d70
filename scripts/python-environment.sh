# shellcheck shell=bash
# Sourced by the other scripts: one virtual environment in .venv, installed from hashed locks only when they changed.
# Sets ROOT and VENV, and defines find_python, ensure_environment and phase.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${ARO_VENV:-$ROOT/.venv}"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Print one line of progress: phase NAME SECONDS_SINCE_EPOCH_NS_AT_START TEXT
phase() {
  local millis=$(( ($(now_ns) - $2) / 1000000 ))
  printf '%-14s %-58s %3d.%d s\n' "$1" "$3" $((millis / 1000)) $((millis % 1000 / 100))
}

now_ns() {
  local ns
  ns="$(date +%s%N)"
  # BSD date prints a literal N.
  [[ $ns == *N ]] && ns="${ns%N}000000000"
  echo "$ns"
}

# Prints the path of a Python that is new enough and can make virtual environments.
find_python() {
  local candidate seen=""
  for candidate in ${ARO_PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || {
      seen="$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null || true)"
      continue
    }
    "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
      fail "$candidate has no venv module: install it (Debian and Ubuntu: apt install python3-venv)"
    command -v "$candidate"
    return
  done
  fail "Python 3.11 or newer is needed${seen:+; found only $seen}; set ARO_PYTHON to its path if it is not on PATH"
}

digest() {
  "$VENV/bin/python" -c 'import hashlib, sys
total = hashlib.sha256((sys.version + sys.prefix).encode())
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        total.update(path.encode() + b"\0" + file.read())
print(total.hexdigest())' "$@"
}

# ensure_environment scripts|tests: the packages of that folder's requirements.txt, aro and every service.
ensure_environment() {
  local kind="$1" started python lock stamp wanted packages=() project
  started="$(now_ns)"
  lock="$ROOT/$kind/requirements.txt"
  stamp="$VENV/.installed-$kind"
  if [[ ! -f $stamp ]] && ! "$VENV/bin/python" -c 'import pip' >/dev/null 2>&1 || [[ ! -x $VENV/bin/python ]]; then
    python="$(find_python)"
    "$python" -m venv --clear "$VENV" || fail "cannot make a virtual environment in $VENV"
  fi
  for project in "$ROOT"/services/*/pyproject.toml; do
    packages+=("$project")
  done
  wanted="$(digest "$lock" "${packages[@]}" "$ROOT"/services/shared/{setup.py,aro/quant/kernel.c})"
  if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    phase environment "$started" "Python $(python_version), unchanged"
    return
  fi
  rm -f "$stamp"
  "$VENV/bin/python" -m pip install -qq --progress-bar off --require-hashes --only-binary :all: -r "$lock" ||
    fail "the packages of $kind/requirements.txt could not be installed"
  local editable=()
  for project in "${packages[@]}"; do
    editable+=(-e "${project%/pyproject.toml}")
  done
  # Our own packages are built with the locked setuptools that is installed by now: nothing is fetched.
  "$VENV/bin/python" -m pip install -qq --no-index --no-deps --no-build-isolation "${editable[@]}" ||
    fail "the packages under services/ could not be installed"
  echo "$wanted" >"$stamp"
  # What tests need contains what the platform needs.
  [[ $kind != tests ]] || digest "$ROOT/scripts/requirements.txt" "${packages[@]}" >"$VENV/.installed-scripts"
  phase environment "$started" "Python $(python_version), packages installed"
}

# What the Node example needs, when there is Node.
node_packages() {
  local started
  started="$(now_ns)"
  [[ -f $ROOT/scripts/package-lock.json ]] || return 0
  if ! command -v npm >/dev/null 2>&1; then
    phase node "$started" "npm is not on PATH: subscribe with the Python example"
    return
  fi
  if [[ $ROOT/scripts/package-lock.json -nt $ROOT/scripts/node_modules/.package-lock.json ]]; then
    (cd "$ROOT/scripts" && npm ci --silent --no-audit --no-fund --ignore-scripts) ||
      fail "npm ci failed in scripts/: without Node, hide npm from PATH and subscribe with the Python example"
    phase node "$started" "packages of scripts/package.json installed"
  fi
}

python_version() {
  "$VENV/bin/python" -c 'import platform; print(platform.python_version())'
}
