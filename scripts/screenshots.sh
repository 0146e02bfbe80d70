#!/usr/bin/env bash
# Take a picture of every view of the dashboard, in light and dark, at three widths.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python-environment.sh
source scripts/python-environment.sh
# shellcheck source=scripts/page.sh
source scripts/page.sh

for argument in "$@"; do
  if [[ $argument == -h || $argument == --help ]]; then
    cat <<'TEXT'
usage: ./scripts/screenshots.sh [--out FOLDER] [--only VIEW...] [--widths PIXELS...] [--history SECONDS]

Starts a platform of its own on free ports, with half an hour of history, opens every view in a headless Chromium and
writes FOLDER/VIEW-WIDTH-light.png and -dark.png with few colours. Needs Chromium or Chrome, and Node.js for the page.

  --out FOLDER        where to; default examples/screenshots
  --only VIEW...      overview chain system …; default all
  --widths PIXELS...  default 360 1280 2560
  --history SECONDS   how much is back-filled; default 1800

  ./scripts/screenshots.sh --only chain --widths 1280 --out /tmp/pictures
TEXT
    exit 0
  fi
done

ensure_environment tests
build_page
exec "$VENV/bin/python" scripts/screenshots.py "$@"
