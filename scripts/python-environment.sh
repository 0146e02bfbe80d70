# shellcheck shell=bash
# Sourced by the other scripts: one virtual environment in .venv, installed from hashed locks only when they changed.
# Locks are complete, so pip resolves nothing (--no-deps): it would take a newer release than the locked one for a
# requirement with extras, and then miss its hash.
# Sets ROOT and VENV, and defines find_python, ensure_environment, tools_environment, node_packages and phase.

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
  wanted="$(digest "$lock" "${packages[@]}" "$ROOT"/services/shared/{setup.py,aro/quant/*.[ch]})"
  if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    phase environment "$started" "Python $(python_version), unchanged"
    return
  fi
  rm -f "$stamp"
  "$VENV/bin/python" -m pip install -qq --progress-bar off --require-hashes --no-deps --only-binary :all: -r "$lock" ||
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

# tools_environment: what scripts/tools/requirements.txt names, in an environment of its own; sets TOOLS. After
# `ensure_environment tests`, whose uv installs a hundred packages in seconds, where pip takes minutes.
tools_environment() {
  local started wanted lock="$ROOT/scripts/tools/requirements.txt"
  TOOLS="${ARO_TOOLS_VENV:-$ROOT/.venv-tools}"
  started="$(now_ns)"
  wanted="$(digest "$lock")"
  [[ -f $TOOLS/.installed && $(<"$TOOLS/.installed") == "$wanted" ]] && return
  rm -rf "$TOOLS"
  "$VENV/bin/python" -m venv "$TOOLS" || fail "cannot make a virtual environment in $TOOLS"
  "$VENV/bin/uv" pip install --quiet --python "$TOOLS/bin/python" --require-hashes --no-deps --only-binary :all: -r "$lock" || {
    # Indexes that are set up for pip only are unknown to uv.
    echo "${0##*/}: uv could not install $lock; trying pip" >&2
    "$TOOLS/bin/python" -m pip install -qq --progress-bar off --require-hashes --no-deps --only-binary :all: -r "$lock" ||
      fail "the packages of scripts/tools/requirements.txt could not be installed"
  }
  echo "$wanted" >"$TOOLS/.installed"
  phase environment "$started" "tools installed in ${TOOLS##*/}"
}

# node_packages FOLDER: what FOLDER/package.json names, if there is npm. In scripts/ that is what the Node example needs.
node_packages() {
  local started folder="$1"
  started="$(now_ns)"
  if ! command -v npm >/dev/null 2>&1; then
    phase node "$started" "npm is not on PATH: subscribe with the Python example"
    return
  fi
  if [[ $ROOT/$folder/package-lock.json -nt $ROOT/$folder/node_modules/.package-lock.json ]]; then
    (cd "$ROOT/$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts) ||
      fail "npm ci failed in $folder/: to do without Node, hide npm from PATH"
    phase node "$started" "packages of $folder/package.json installed"
  fi
}

python_version() {
  "$VENV/bin/python" -c 'import platform; print(platform.python_version())'
}
