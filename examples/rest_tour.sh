#!/usr/bin/env bash
# A tour of the REST API with nothing but curl: an account of its own, market data in every shape, and a personal token.
#
#   bash examples/rest_tour.sh [PRODUCT]
#
# ARO_API_URL is the api-gateway (default http://127.0.0.1:8000). python3 only picks fields out of JSON.
set -euo pipefail

API="${ARO_API_URL:-http://127.0.0.1:8000}/api/v1"
PRODUCT="${1:-NIFTY}"
EMAIL="tour-$(date +%s)-$$@example.com"
PASSWORD="correct horse $RANDOM battery $RANDOM staple"
TOKEN=""
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

title() { printf '\n# %s\n' "$*"; }

fail() {
  echo "rest_tour.sh: $*" >&2
  exit 1
}

# ask METHOD PATH [curl arguments]: prints the answer; its headers are in $work/headers. Ends the tour on an error.
ask() {
  local method="$1" path="$2"
  shift 2
  printf '%s %s\n' "$method" "$path" >&2
  curl -sS --fail-with-body -X "$method" -D "$work/headers" ${TOKEN:+-H "Authorization: Bearer $TOKEN"} \
    "$@" "$API$path" || fail "$method $path was refused"
}

# send METHOD PATH JSON [curl arguments]
send() {
  local method="$1" path="$2" body="$3"
  shift 3
  ask "$method" "$path" -H 'Content-Type: application/json' -d "$body" "$@"
}

# status PATH: only the status of a GET
status() {
  curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$API$1"
}

# header NAME: of the last answer
header() {
  tr -d '\r' <"$work/headers" | sed -n "s/^$1: //Ip"
}

# pick EXPRESSION: a Python expression over the JSON on stdin, which is `it`
pick() {
  python3 -c 'import json, sys; it = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

title "an account, and a session"
send POST /auth/register "{\"email\":\"$EMAIL\",\"password\":\"$PASSWORD\"}" | pick 'it["email"], it["role"]'
send POST /auth/login "{\"email\":\"$EMAIL\",\"password\":\"$PASSWORD\"}" >"$work/session"
refresh="$(pick 'it["refresh_token"]' <"$work/session")"
TOKEN="$(pick 'it["access_token"]' <"$work/session")"
echo "access token for $(pick 'it["expires_in"]' <"$work/session") s"

title "a refresh token is good once, and brings the next one"
send POST /auth/refresh "{\"refresh_token\":\"$refresh\"}" >"$work/session"
TOKEN="$(pick 'it["access_token"]' <"$work/session")"
ask GET /auth/sessions | pick '[(s["address"], s["current"]) for s in it["items"]]'

title "what there is"
ask GET /products | pick '[p["product"] for p in it["products"] if p["has_data"]]'
ask GET "/products/$PRODUCT/expiries" | pick '[e["expiry"] for e in it["expiries"]]'

title "the nearest chain around the money, in rows, as JSON and as CSV"
ask GET "/chains/$PRODUCT?shape=rows&strikes=atm:1&fields=bid,ask,iv,delta" | pick '"\n".join(str(r) for r in it["rows"])'
ask GET "/chains/$PRODUCT?strikes=atm:1&fields=bid,ask,iv,delta" -H 'Accept: text/csv'

title "the same instant again, byte for byte; and nothing at all for who has it already"
ask GET "/chains/$PRODUCT?strikes=atm:5" >"$work/then"
at="$(header As-Of)"
ask GET "/chains/$PRODUCT?strikes=atm:5" -G --data-urlencode "as_of=$at" >"$work/again"
cmp "$work/then" "$work/again" || fail "as_of $at is not what was live then"
etag="$(header ETag)"
ask GET "/chains/$PRODUCT?strikes=atm:5" -G --data-urlencode "as_of=$at" -H "If-None-Match: $etag" >"$work/nothing"
[[ ! -s $work/nothing && $(head -n 1 "$work/headers") == *304* ]] || fail "If-None-Match was not honoured"
echo "as of $at: $(wc -c <"$work/again") bytes, the same; with its ETag: 304"

title "one number per question"
ask GET "/chains/$PRODUCT/metrics?fields=forward,iv_atm,atm_straddle,pcr_oi,max_pain,gex_net" |
  pick '{k: it[k] for k in ("forward", "iv_atm", "atm_straddle", "pcr_oi", "max_pain", "gex_net")}'

title "minutes of the price, and of the at-the-money volatility"
ask GET "/ohlc/$PRODUCT?interval=1m" -H 'Accept: text/csv' | tail -n 4
ask GET "/ohlc/$PRODUCT?interval=1m&metric=iv_atm" | pick '[(b["start_time"], b["close"]) for b in it["bars"]][-3:]'

title "the fitted surface"
ask GET "/analytics/$PRODUCT/surface" | pick 'it["model"], [(s["expiry"], s["iv_atm"]) for s in it["slices"]]'

title "a personal token, for scripts: it reads, until it is revoked"
send POST /auth/tokens '{"name":"tour","scopes":["read"],"expires_in_days":1}' >"$work/personal"
session="$TOKEN"
personal="$(pick 'it["token"]' <"$work/personal")"
TOKEN="$personal"
ask GET "/chains/$PRODUCT/metrics" | pick 'it["product"], it["expiry"], it["source_time"]'
echo "accounts are not for it: $(status /auth/sessions)"
TOKEN="$session"
ask DELETE "/auth/tokens/$(pick 'it["id"]' <"$work/personal")"
TOKEN="$personal"
for _ in $(seq 30); do
  after="$(status "/chains/$PRODUCT/metrics")"
  [[ $after != 401 ]] || break
  sleep 0.1
done
[[ $after == 401 ]] || fail "the revoked token still answers $after"
echo "revoked: $after"

title "the end of the session"
TOKEN="$session"
ask POST /auth/logout
for _ in $(seq 30); do
  after="$(status /auth/me)"
  [[ $after != 401 ]] || break
  sleep 0.1
done
[[ $after == 401 ]] || fail "the session still answers $after"
echo "logged out: $after"
