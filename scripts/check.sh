#!/usr/bin/env bash
# Every check that needs no running server: one line per tool, and the tool's own words where it is not content.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  echo "usage: ./scripts/check.sh"
  echo "Lints, types, import law, locks, and a search for secrets and machine paths. Changes no file."
  exit 0
fi
ensure_environment tests
export PATH="$VENV/bin:$PATH"
failed=0

# check NAME COMMAND...: one line, and the command's output if it failed
check() {
  local name="$1" started output
  shift
  started="$(now_ns)"
  if output="$("$@" 2>&1)"; then
    phase "$name" "$started" "ok"
  else
    phase "$name" "$started" "FAILED"
    echo "$output"
    failed=1
  fi
}

# Files that git knows or would add, so that check sees what a commit would hold.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | sort -u
}

existing() {
  local file
  while IFS= read -r file; do
    [[ -f $file ]] && printf '%s\n' "$file"
  done < <(files "$@")
}

types() {
  mypy && MYPYPATH=scripts mypy -p local -m local_platform -m lock -m settings_table -m leaks
}

each() {
  local tool="$1" pattern="$2" found
  mapfile -t found < <(existing "$pattern")
  [[ ${#found[@]} -eq 0 ]] || $tool "${found[@]}"
}

javascript() {
  local file
  command -v node >/dev/null 2>&1 || return 0
  while IFS= read -r file; do
    node --check "$file" || return 1
  done < <(existing '*.js' '*.mjs')
}

yaml() {
  local found
  mapfile -t found < <(existing '*.yml' '*.yaml')
  [[ ${#found[@]} -eq 0 ]] || yamllint --strict -d '{extends: default, rules: {line-length: {max: 140}, document-start: disable, truthy: {check-keys: false}}}' "${found[@]}"
}

check "ruff" ruff check .
check "ruff format" ruff format --check .
check "mypy" types
check "architecture" python -m pytest -q -p no:cacheprovider tests/architecture
check "shellcheck" each "shellcheck -x" '*.sh'
check "ci script" shellcheck -x .ci/run
check "yamllint" yaml
check "hadolint" each "hadolint" '*Dockerfile'
check "locks" scripts/lock.sh --check
check "settings" python scripts/settings_table.py --check
check "node" javascript
check "leaks" python scripts/leaks.py

if [[ $failed -ne 0 ]]; then
  echo "check.sh: not clean" >&2
  exit 1
fi
