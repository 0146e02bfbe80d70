"""The order in which the collection asks: what is sent, what comes back, and what is kept for later requests.

What a route takes and answers is not here: `build` takes that from the platform's OpenAPI document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

API: Final = "/api/v1"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of the collection.

    `path` is the document's, `query` what is sent (all other parameters are listed, disabled), `body` None takes the
    document's example. `as_` names the variable that is sent as Bearer, "" is nobody. `before` and `after` are
    JavaScript; `after` may use `body`, the parsed answer.
    """

    method: str
    path: str
    name: str = ""
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    as_: str = "token"
    accept: str = "application/json"
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Folder:
    name: str
    description: str
    steps: tuple[Step, ...]
    before: tuple[str, ...] = ()


def keep(name: str, value: str) -> str:
    """JavaScript that keeps a value for later requests."""
    return f'pm.collectionVariables.set("{name}", {value});'


def store(name: str, value: str) -> str:
    """JavaScript that stores what belongs to the account, in the environment."""
    return f'pm.environment.set("{name}", {value});'


def says(what: str, expression: str) -> str:
    return f'pm.test("{what}", () => pm.expect({expression}).to.be.ok);'


def get(path: str, name: str = "", **more: Any) -> Step:
    return Step(method="GET", path=path, name=name, **more)


def post(path: str, name: str = "", **more: Any) -> Step:
    return Step(method="POST", path=path, name=name, **more)


def delete(path: str, name: str = "", **more: Any) -> Step:
    return Step(method="DELETE", path=path, name=name, status=204, **more)


STORE_SESSION: Final = (store("token", "body.access_token"), store("refresh_token", "body.refresh_token"))
CREDENTIALS: Final = {"email": "{{email}}", "password": "{{password}}"}
ONLY_THROWAWAY: Final = ('if (pm.environment.get("throwaway") !== "yes") pm.execution.skipRequest();',)
EXPIRY: Final = {"expiry": "{{expiry}}"}
HOUR: Final = {"from": "{{hour_ago}}", "interval": "5m"}
LOGIN: Final = post(f"{API}/auth/login", body=CREDENTIALS, as_="", after=STORE_SESSION)

SESSION: Final = Folder(
    name="Session",
    description=(
        "Without `email` in the environment, an account is made up and registered. Log in stores `token`, which every"
        " other request sends, and `refresh_token`."
    ),
    steps=(
        post(
            f"{API}/auth/register",
            status=201,
            body=CREDENTIALS,
            as_="",
            before=(
                'if (pm.environment.get("email")) {',
                "  pm.execution.skipRequest();",
                "} else {",
                '  const name = pm.variables.replaceIn("{{$randomUUID}}");',
                '  pm.environment.set("email", `postman-${name.slice(0, 13)}@example.com`);',
                '  pm.environment.set("password", name.split("-").reverse().join(" "));',
                '  pm.environment.set("throwaway", "yes");',
                "}",
            ),
        ),
        LOGIN,
        post(f"{API}/auth/refresh", body={"refresh_token": "{{refresh_token}}"}, as_="", after=STORE_SESSION),
        get(
            f"{API}/auth/me",
            after=(says("it is the account that logged in", 'body.email === pm.environment.get("email")'),),
        ),
        get(
            f"{API}/auth/sessions",
            after=(says("this session is one of them", "body.items.some((item) => item.current)"),),
        ),
        get(
            f"{API}/auth/me",
            "Nobody: 401",
            status=401,
            as_="",
            after=(says("token_missing", 'body.code === "token_missing"'),),
        ),
    ),
)

MARKET: Final = Folder(
    name="Products, chains, ticks",
    description="`expiry` is the last one of the list, so that it does not end while the collection runs.",
    steps=(
        get(
            f"{API}/products",
            after=(
                says(
                    "the product is known", 'body.products.some((item) => item.product === pm.variables.get("product"))'
                ),
            ),
        ),
        get(
            f"{API}/products/{{product}}/expiries",
            after=(keep("expiry", "body.expiries.filter((item) => !item.expired).pop().expiry"),),
        ),
        get(
            f"{API}/products/{{product}}/expiries",
            "A product that nobody lists: 404",
            status=404,
            after=(says("unknown_product", 'body.code === "unknown_product"'),),
        ),
        get(
            f"{API}/chains/{{product}}",
            query=EXPIRY,
            after=(
                "const columns = [body.calls, body.puts].flatMap(Object.values);",
                says("columns have an entry per strike", "columns.every((it) => it.length === body.strikes.length)"),
                says(
                    "it has a place in the history",
                    'Number(pm.response.headers.get("X-Seq")) > 0 && pm.response.headers.get("X-Epoch")',
                ),
                keep("strike", "body.atm_strike"),
                keep("as_of", 'Date.parse(pm.response.headers.get("As-Of"))'),
                keep("source_seq", "body.source_seq"),
            ),
        ),
        get(
            f"{API}/chains/{{product}}",
            "The chain as it was then",
            query={**EXPIRY, "as_of": "{{as_of}}"},
            after=(
                says("it is the same snapshot", 'body.source_seq === Number(pm.collectionVariables.get("source_seq"))'),
                keep("etag", 'pm.response.headers.get("ETag")'),
            ),
        ),
        get(
            f"{API}/chains/{{product}}",
            "The same with its ETag: 304",
            status=304,
            query={**EXPIRY, "as_of": "{{as_of}}"},
            headers={"If-None-Match": "{{etag}}"},
            after=('pm.test("it has no body", () => pm.expect(pm.response.text()).to.eql(""));',),
        ),
        get(
            f"{API}/chains/{{product}}",
            "Rows around the money",
            query={**EXPIRY, "shape": "rows", "strikes": "atm:2", "fields": "bid,ask,iv,delta"},
            after=(says("five strikes, calls and puts", "body.rows.length === 10"),),
        ),
        get(
            f"{API}/chains/{{product}}",
            "The same as CSV",
            query={**EXPIRY, "strikes": "atm:2", "fields": "bid,ask,iv,delta"},
            accept="text/csv",
            after=(
                'const lines = pm.response.text().trim().split("\\n");',
                says("a head and ten lines", "lines.length === 11"),
            ),
        ),
        get(f"{API}/chains/{{product}}/history", query={**EXPIRY, "strikes": "atm:1", "limit": "2"}),
        get(
            f"{API}/chains/{{product}}/metrics",
            query=EXPIRY,
            after=(says("a volatility is an annual decimal", "body.iv_atm > 0 && body.iv_atm < 5"),),
        ),
        get(f"{API}/chains/{{product}}/metrics/history", query={**EXPIRY, "fields": "forward,iv_atm", "limit": "5"}),
        get(f"{API}/ticks/{{product}}", after=(says("a price", "body.price > 0"),)),
        get(f"{API}/ticks/{{product}}/history", query={"limit": "5"}),
        get(f"{API}/ohlc/{{symbol}}", query={"interval": "1m"}),
    ),
)

ANALYTICS: Final = Folder(
    name="Analytics",
    description="Computed from chains, metrics and surfaces; `as_of` gives each of them as it was.",
    steps=(
        *(
            get(f"{API}/analytics/{{product}}/{name}", query=query)
            for name, query in (
                ("expected-move", EXPIRY),
                ("gex", EXPIRY),
                ("iv-rank", {}),
                ("max-pain", EXPIRY),
                ("oi-buildup", EXPIRY),
                ("oi-change", EXPIRY),
                ("pcr", EXPIRY),
                ("realised", {}),
                ("smile", EXPIRY),
                ("straddle", EXPIRY),
            )
        ),
        get(f"{API}/analytics/{{product}}/straddle", "The straddle in the last hour", query={**EXPIRY, **HOUR}),
        get(f"{API}/analytics/{{product}}/strategy", query={**EXPIRY, "legs": "{{strike}}CE,{{strike}}PE"}),
        *(get(f"{API}/analytics/{{product}}/{name}") for name in ("surface", "term-structure", "variance-index")),
    ),
)

ALERTS: Final = Folder(
    name="Alerts",
    description="Rules on live metrics, of one's own account.",
    steps=(
        post(f"{API}/alerts", status=201, after=(keep("alert_id", "body.id"),)),
        get(
            f"{API}/alerts",
            after=(says("it is in the list", 'JSON.stringify(body).includes(pm.collectionVariables.get("alert_id"))'),),
        ),
        get(f"{API}/alerts/{{alert_id}}"),
        get(f"{API}/alerts/{{alert_id}}/events"),
        delete(f"{API}/alerts/{{alert_id}}"),
        get(f"{API}/alerts/{{alert_id}}", "It is gone: 404", status=404),
    ),
)

REPLAYS: Final = Folder(
    name="Replay",
    description="The market of another time, on channels of one's own.",
    steps=(
        get(f"{API}/replay/recordings"),
        post(
            f"{API}/replay/sessions",
            status=201,
            body={"products": ["NIFTY"], "from": "{{hour_ago}}", "speed": 60},
            after=(keep("replay_id", "body.id"),),
        ),
        get(f"{API}/replay/sessions"),
        Step(
            method="PATCH",
            path=f"{API}/replay/sessions/{{replay_id}}",
            name="Pause and seek",
            body='{"paused": true, "position": "{{hour_ago}}"}',
            after=(says("it is to be paused", "body.paused === true"),),
        ),
        get(f"{API}/replay/sessions/{{replay_id}}"),
        delete(f"{API}/replay/sessions/{{replay_id}}"),
        get(f"{API}/replay/sessions/{{replay_id}}", "It is over: 404", status=404),
    ),
)

TOKENS: Final = Folder(
    name="Personal tokens",
    description="For scripts: shown once, read-only unless asked for more, revocable.",
    steps=(
        post(
            f"{API}/auth/tokens",
            status=201,
            body={"name": "postman", "scopes": ["read"], "expires_in_days": 1},
            after=(keep("token_id", "body.id"), store("personal_token", "body.token")),
        ),
        get(f"{API}/auth/tokens"),
        get(f"{API}/chains/{{product}}/metrics", "It reads", query=EXPIRY, as_="personal_token"),
        get(f"{API}/auth/sessions", "It is not for accounts: 403", status=403, as_="personal_token"),
        post(f"{API}/auth/tokens/exchange", "For the socket: exchange it for an access token", as_="personal_token"),
        delete(f"{API}/auth/tokens/{{token_id}}", after=(store("personal_token", '""'),)),
    ),
)

LOGS: Final = Folder(
    name="Log lines of a program of one's own",
    description="Found by administrators as `ingest:<service.name>`.",
    steps=(
        post(
            f"{API}/logs",
            status=201,
            body={"service.name": "postman", "lines": [{"log.level": "info", "message": "the collection runs"}]},
        ),
    ),
)

DOOR: Final = Folder(
    name="The door itself",
    description="Open to everybody.",
    steps=tuple(
        get(path, as_="", accept=accept)
        for path, accept in (
            ("/", "application/json"),
            ("/livez", "application/json"),
            ("/readyz", "application/json"),
            ("/health", "application/json"),
            ("/openapi.json", "application/json"),
            ("/.well-known/jwks.json", "application/json"),
            ("/docs", "text/html"),
            ("/docs/assets/{name}", "*/*"),
            ("/config.json", "application/json"),
        )
    ),
)

ADMIN: Final = Folder(
    name="Administration",
    description="Skipped unless `admin_email` and `admin_password` are in the environment.",
    before=('if (!pm.environment.get("admin_email")) pm.execution.skipRequest();',),
    steps=(
        post(
            f"{API}/auth/login",
            "Log in as an administrator",
            body={"email": "{{admin_email}}", "password": "{{admin_password}}"},
            as_="",
            after=(store("admin_token", "body.access_token"),),
        ),
        get(f"{API}/auth/users", query={"limit": "5"}, as_="admin_token", after=(keep("user_id", "body.items[0].id"),)),
        get(f"{API}/auth/users/{{user_id}}", as_="admin_token", after=(keep("role", "body.role"),)),
        Step(
            method="PATCH",
            path=f"{API}/auth/users/{{user_id}}",
            name="Change an account (here: to what it is)",
            body='{"role": "{{role}}"}',
            as_="admin_token",
        ),
        post(
            f"{API}/auth/invitations",
            status=201,
            body={"email": "{{$randomUUID}}@example.com", "expires_in_hours": 1},
            as_="admin_token",
            after=(keep("invitation_id", "body.id"),),
        ),
        get(f"{API}/auth/invitations", as_="admin_token"),
        delete(f"{API}/auth/invitations/{{invitation_id}}", as_="admin_token"),
        get(f"{API}/logs", query={"limit": "5"}, as_="admin_token"),
        get(f"{API}/logs/services", as_="admin_token"),
        get(f"{API}/logs/tail", query={"seconds": "1"}, as_="admin_token", accept="text/event-stream"),
    ),
)

LEAVING: Final = Folder(
    name="Leaving",
    description="Ends sessions, and so comes last. An account that you brought keeps its password and other sessions.",
    steps=(
        post(
            f"{API}/auth/change-password",
            status=204,
            body={"current_password": "{{password}}", "new_password": "{{password}} again"},
            before=ONLY_THROWAWAY,
            after=(store("password", 'pm.environment.get("password") + " again"'),),
        ),
        post(
            f"{API}/auth/login",
            "Another session",
            body=CREDENTIALS,
            as_="",
            after=(store("other_token", "body.access_token"),),
        ),
        get(
            f"{API}/auth/sessions",
            "Which one is it?",
            as_="other_token",
            after=(keep("session_id", "body.items.find((item) => item.current).id"),),
        ),
        delete(
            f"{API}/auth/sessions/{{session_id}}",
            after=("setTimeout(() => {}, 1000); // that is how long gateways may take to know",),
        ),
        get(f"{API}/auth/me", "That session has ended: 401", status=401, as_="other_token"),
        post(f"{API}/auth/logout", status=204),
        post(
            f"{API}/auth/login",
            "Log in once more",
            body=CREDENTIALS,
            as_="",
            before=ONLY_THROWAWAY,
            after=STORE_SESSION,
        ),
        post(
            f"{API}/auth/logout-all",
            before=ONLY_THROWAWAY,
            after=(store("token", '""'), store("refresh_token", '""'), store("email", '""')),
        ),
    ),
)

TOUR: Final = (SESSION, MARKET, ANALYTICS, ALERTS, REPLAYS, TOKENS, LOGS, DOOR, ADMIN, LEAVING)
