"""What many do at the same moment: nobody succeeds twice, nobody is logged out, nothing breaks."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, TypeVar

import requests

T = TypeVar("T")


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """`act` of 0, 1, … in as many threads, let go at one moment; the results in order."""
    ready = threading.Barrier(count)

    def run(number: int) -> T:
        ready.wait(10)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_hundred_pairs_of_refreshes_at_once(api: Any) -> None:
    """Each pair shows one token twice: both get the one successor, which is good, and the session goes on."""
    persons = [api.person() for _ in range(4)]
    tokens = [persons[n % 4].pair()["refresh_token"] for n in range(20)]
    for _ in range(5):  # 20 sessions, five rounds: a hundred pairs
        answers = together(40, lambda n, shown=tuple(tokens): api.refresh(shown[n // 2]))
        assert Counter(answer.status_code for answer in answers) == {200: 40}
        pairs = [answers[n : n + 2] for n in range(0, 40, 2)]
        after = [{answer.json()["refresh_token"] for answer in pair} for pair in pairs]
        assert [len(successors) for successors in after] == [1] * 20
        for pair in pairs:
            for answer in pair:
                assert api.get("/me", answer.json()["access_token"]).status_code == 200
        tokens = [successors.pop() for successors in after]
    assert len(set(tokens)) == 20


def test_ten_refreshes_of_one_token_at_once(api: Any) -> None:
    first = api.person().pair()["refresh_token"]
    answers = together(10, lambda _: api.refresh(first))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_logout_while_refreshing(api: Any) -> None:
    """Whichever is first: afterwards the session is over for everybody, for good."""
    seen: Counter[int] = Counter()
    person = api.person()
    for _ in range(12):
        tokens = person.pair()

        def act(number: int, tokens: dict[str, Any] = tokens) -> requests.Response:
            if number == 0:
                return api.post("/logout", token=tokens["access_token"])
            return api.refresh(tokens["refresh_token"])

        logout, *refreshes = together(5, act)
        assert logout.status_code == 204
        for answer in refreshes:
            seen[answer.status_code] += 1
            if answer.status_code == 200:
                late = answer.json()
                assert api.refresh(late["refresh_token"]).json()["code"] == "token_revoked"
                assert api.get("/me", late["access_token"]).json()["code"] == "token_revoked"
            else:
                assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    assert set(seen) <= {200, 401}


def test_fifty_registrations_of_one_e_mail(api: Any) -> None:
    body = {"email": f"fifty-{threading.get_ident()}@example.com", "password": "correct horse"}
    statuses = Counter(together(50, lambda _: api.post("/register", body).status_code))
    assert statuses == {201: 1, 409: 49}
    assert api.post("/login", body).status_code == 200


def test_an_invitation_is_used_once(make_inside: Any) -> None:
    api = make_inside({"ARO_REGISTRATION": "invite"})
    administrator = api.administrator()
    token = administrator.token()
    text = api.post("/invitations", {}, token).json()["invitation"]
    statuses = Counter(together(20, lambda _: api.register(invitation=text).status_code))
    assert statuses == {201: 1, 403: 19}
    assert len(api.get("/users", token).json()["items"]) == 2


def test_logins_at_once_respect_the_limit_of_sessions(make_inside: Any) -> None:
    api = make_inside({"ARO_SESSIONS_PER_USER": "4", "ARO_LOGIN_FAILURES": "100"})
    person = api.person()
    answers = together(16, lambda _: person.login())
    assert {answer.status_code for answer in answers} == {200}
    alive = [answer.json() for answer in answers if api.get("/me", answer.json()["access_token"]).status_code == 200]
    assert 1 <= len(alive) <= 4
    assert person.login().status_code == 200


def test_passwords_changed_at_once(api: Any) -> None:
    """One wins; the others are told. Nobody ends up with a password of no one."""
    person = api.person()
    token = person.token()
    chosen = [f"battery staple {n}" for n in range(4)]

    def change(number: int) -> int:
        body = {"current_password": "correct horse", "new_password": chosen[number]}
        return int(api.post("/change-password", body, token).status_code)

    statuses = together(4, change)
    assert statuses.count(204) == 1
    assert {status for status, _ in groupby(sorted(statuses))} <= {204, 409, 422}
    logins = [person.login(password=password).status_code for password in chosen]
    assert logins == [200 if status == 204 else 401 for status in statuses]
