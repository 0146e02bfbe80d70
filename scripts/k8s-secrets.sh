#!/usr/bin/env bash
# The secrets that the manifests in k8s/ ask for: made once, kept outside the source tree, given to the cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/k8s-secrets.sh [--folder DIR] [--redis HOST:PORT] [--mongo HOST:PORT[,HOST:PORT...]] [--replica-set NAME]

Prints the Secrets aro-servers, aro-clients and aro-auth-keys as YAML:

  ./scripts/k8s-secrets.sh | kubectl apply -f -

What was made before is kept, so that repeating it changes no password and no key.

  --folder DIR        where they are kept (default: ~/.local/state/option-aro/kubernetes)
  --redis HOST:PORT   a Redis outside the cluster
  --mongo ...         a MongoDB outside the cluster, or other members than those of overlays/production
  --replica-set NAME  its replica set (default: rs0; "" speaks to one server directly)
TEXT
}

folder="${XDG_STATE_HOME:-$HOME/.local/state}/option-aro/kubernetes"
redis="redis:6379"
mongo="mongo-0.mongo:27017,mongo-1.mongo:27017,mongo-2.mongo:27017"
replica_set="rs0"
while [[ $# -gt 0 ]]; do
  case "$1" in
    --folder) folder="$2" && shift 2 ;;
    --redis) redis="$2" && shift 2 ;;
    --mongo) mongo="$2" && shift 2 ;;
    --replica-set) replica_set="$2" && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

ensure_environment scripts >&2
umask 077
mkdir -p "$folder/servers" "$folder/clients" "$folder/keys"
"$VENV/bin/python" -m aro.runtime.deployment "$folder/servers" "$folder/clients" \
  --redis "$redis" --mongo "$mongo" ${replica_set:+--replica-set "$replica_set"} >&2
ARO_AUTH_KEY_DIR="$folder/keys" "$VENV/bin/python" -m auth_service keys create >&2

# secret NAME FOLDER: every file of the folder as one key
secret() {
  local file
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: option-aro\ntype: Opaque\ndata:\n' "$1"
  for file in "$2"/*; do
    printf '  %s: %s\n' "$(basename "$file")" "$(base64 -w0 <"$file")"
  done
}
secret aro-servers "$folder/servers"
secret aro-clients "$folder/clients"
secret aro-auth-keys "$folder/keys"
