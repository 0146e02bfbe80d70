#!/usr/bin/env bash
# The manifests as a cluster gets them, rendered by kubectl's own kustomize.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh

usage() {
  cat <<'TEXT'
usage: ./scripts/render-k8s.sh [OVERLAY | FOLDER]
       ./scripts/render-k8s.sh --check

Prints the manifests of k8s/overlays/OVERLAY (default: local), or of another folder with a kustomization:

  ./scripts/render-k8s.sh production | kubectl diff -f -

Where kubernetes-validate is installed (./scripts/test.sh installs it into .venv), they are also held against the newest
schemas, strictly; what it says goes to standard error, and the exit code is 1 if a manifest is not valid.

  --check   print nothing, render and validate all overlays
TEXT
}

# validate FILE: 0 if valid, or if there is nothing to validate with
validate() {
  local tool="$VENV/bin/kubernetes-validate"
  [[ -x $tool ]] || tool="$(command -v kubernetes-validate || true)"
  if [[ -z $tool ]]; then
    echo "${0##*/}: not validated: kubernetes-validate is not installed" >&2
    [[ $check == no ]]
    return
  fi
  # Kinds that operators add, as ServiceMonitor, have no schema there: a warning each.
  "$tool" --strict --quiet --no-warn "$1" >&2
}

check=no
overlay=local
case "${1:-}" in
  -h | --help) usage && exit 0 ;;
  --check) check=yes ;;
  -*) usage >&2 && exit 2 ;;
  ?*) overlay="$1" ;;
esac
command -v kubectl >/dev/null 2>&1 || fail "kubectl is not on PATH; it renders the manifests"

rendered="$(mktemp)"
trap 'rm -f "$rendered"' EXIT
if [[ $check == yes ]]; then
  failed=0
  for folder in k8s/overlays/*/; do
    { kubectl kustomize "$folder" >"$rendered" && validate "$rendered"; } || {
      echo "${0##*/}: ${folder%/} is not valid" >&2
      failed=1
    }
  done
  exit "$failed"
fi
folder="k8s/overlays/$overlay"
[[ -d $folder ]] || folder="$overlay"
[[ -f $folder/kustomization.yaml ]] || fail "there is no overlay $overlay: $(cd k8s/overlays && echo *)"
kubectl kustomize "$folder" >"$rendered"
cat "$rendered"
validate "$rendered"
