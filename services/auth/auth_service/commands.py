"""``admin …`` and ``keys …``: what an operator does on the command line. Each command returns the lines to print."""

import argparse
import secrets
import time
from collections.abc import Callable
from typing import Final

from aro.adapters import mongo
from aro.adapters.clock import Clock, SystemClock, iso
from aro.adapters.invitation_store import InvitationStore
from aro.adapters.passwords import Passwords
from aro.adapters.personal_token_store import PersonalTokenStore
from aro.adapters.session_store import SessionStore
from aro.adapters.tokens import ROLE_ADMIN, ROLE_USER
from aro.adapters.user_store import User, UserStore
from aro.contracts.problems import AroError, NotFound
from auth_service import keys
from auth_service.administration import Administration
from auth_service.credentials import Unacceptable, checked_email, checked_password, normalise_email
from auth_service.endings import Endings
from auth_service.invitations import MADE_BY_COMMAND, MOST_HOURS, USUAL_HOURS, Invitations
from auth_service.links import login_link
from auth_service.settings import AdminSettings, KeySettings

MONGO_SECONDS: Final = 5.0


class CommandFailed(Exception):
    """One line for the person at the keyboard."""


def add_parsers(parser: argparse.ArgumentParser) -> None:
    groups = parser.add_subparsers(dest="group", metavar="admin|keys")
    admin = groups.add_parser("admin", help="accounts").add_subparsers(dest="command", required=True)
    for name, text in (
        ("create", "make a verified administrator; the password is asked for, or the first line of standard input"),
        ("promote", "give an account the role admin"),
        ("demote", "give an account the role user"),
        ("verify", "confirm whose e-mail an account is"),
        ("password", "give an account another password, and end its sessions"),
    ):
        admin.add_parser(name, help=text).add_argument("email")
    link = admin.add_parser("link", help="print an address that logs one browser in, once, within ten minutes")
    link.add_argument("email")
    link.add_argument(
        "--page", required=True, metavar="URL", help="where browsers find the page, like http://127.0.0.1:8000"
    )
    link.add_argument(
        "--create", action="store_true", help="make the account if there is none; nobody knows its password"
    )
    invite = admin.add_parser("invite", help="print an invitation to register")
    invite.add_argument("--email", help="the only one that may use it")
    invite.add_argument("--hours", type=int, default=USUAL_HOURS, choices=range(1, MOST_HOURS + 1), metavar="N")
    key = groups.add_parser("keys", help="signing keys").add_subparsers(dest="command", required=True)
    key.add_parser("list", help="show which keys are published")
    key.add_parser("create", help="make the keys where there are none, as the service does at its first start")
    rotate = key.add_parser("rotate", help="sign with the next key from now on, and make another next one")
    rotate.add_argument("--force", action="store_true", help="even if verifiers may not know the next key yet")


def run_keys(arguments: argparse.Namespace, settings: KeySettings) -> list[str]:
    """Raises `CommandFailed`."""
    now = time.time()
    try:
        if arguments.command == "create":
            keys.load_or_create(settings.key_dir, settings.key_group)
        if arguments.command in ("create", "list"):
            found = keys.load(settings.key_dir, settings.key_group)
        else:
            found = keys.rotate(settings.key_dir, settings.key_group, now=now, force=arguments.force)
    except (keys.KeyUnusable, keys.TooEarly) as error:
        raise CommandFailed(str(error)) from None
    return _key_lines(found, now)


def run_admin(arguments: argparse.Namespace, settings: AdminSettings, ask_password: Callable[[], str]) -> list[str]:
    """Raises `CommandFailed`. `ask_password` is called by the commands that need one.

    What a command ends is told to everybody within seconds by the service, if it runs.
    """
    database = mongo.connect(settings.mongo_url, settings.mongo_database, timeout=MONGO_SECONDS)
    clock = SystemClock()
    try:
        if arguments.command == "invite":
            return _invite(arguments, InvitationStore(database), clock)
        users = UserStore(database)
        users.ensure()
        endings = Endings(None, SessionStore(database), PersonalTokenStore(database), clock)
        administration = Administration(users, endings, clock)
        passwords = Passwords(settings.password_profile)
        if arguments.command == "link":
            user = _linked(arguments, users, administration, passwords)
            sessions = SessionStore(database)
            sessions.ensure()
            return [login_link(user, sessions, clock, page=arguments.page, hours=settings.session_hours)]
        if arguments.command in ("create", "password"):
            return _with_password(arguments, users, administration, passwords, ask_password)
        return _change(arguments, users, administration)
    except AroError as error:
        raise CommandFailed(error.detail) from None
    except Unacceptable as error:
        raise CommandFailed(str(error)) from None
    except mongo.MongoError as error:
        raise CommandFailed(f"mongo does not answer: {type(error).__name__}") from None
    finally:
        database.client.close()


def _with_password(
    arguments: argparse.Namespace,
    users: UserStore,
    administration: Administration,
    passwords: Passwords,
    ask_password: Callable[[], str],
) -> list[str]:
    if arguments.command == "create":
        email = checked_email(arguments.email)
        made = passwords.hash(checked_password(ask_password(), email))
        user = administration.create_admin(email, made)
        return [f"{user.email} is an administrator ({user.id})"]
    user = _known(users, arguments.email)
    administration.reset_password(user.id, passwords.hash(checked_password(ask_password(), user.email)))
    return [f"{user.email} has another password, and its sessions are ended"]


def _linked(
    arguments: argparse.Namespace, users: UserStore, administration: Administration, passwords: Passwords
) -> User:
    user = users.by_email(normalise_email(arguments.email))
    if user is not None or not arguments.create:
        return user or _known(users, arguments.email)
    return administration.create_user(checked_email(arguments.email), passwords.hash(secrets.token_urlsafe(32)))


def _change(arguments: argparse.Namespace, users: UserStore, administration: Administration) -> list[str]:
    user = _known(users, arguments.email)
    if arguments.command == "verify":
        administration.change(user.id, is_verified=True, by=MADE_BY_COMMAND)
        return [f"{user.email} is verified"]
    role = ROLE_ADMIN if arguments.command == "promote" else ROLE_USER
    administration.change(user.id, role=role, by=MADE_BY_COMMAND)
    return [f"{user.email} has the role {role}"]


def _invite(arguments: argparse.Namespace, store: InvitationStore, clock: Clock) -> list[str]:
    store.ensure()
    email = None if arguments.email is None else checked_email(arguments.email)
    made = Invitations(store, clock).invite(email=email, hours=arguments.hours, by=MADE_BY_COMMAND)
    return [made.text]


def _known(users: UserStore, email: str) -> User:
    user = users.by_email(normalise_email(email))
    if user is None:
        raise NotFound(f"there is no account {email}")
    return user


def _key_lines(found: keys.KeyFiles, now: float) -> list[str]:
    lines = [f"current  {found.current.kid}"]
    if found.next is not None:
        ready = max(0, keys.PUBLISHED_SECONDS - int(now - found.next_since))
        lines.append(f"next     {found.next.kid}  " + (f"usable in {ready} s" if ready else "usable"))
    for key in found.retired:
        left = int(keys.RETIRED_SECONDS - (now - key.since))
        if left > 0:
            lines.append(f"retired  {key.kid}  published for {left} s more, since {iso(int(key.since * 1000))}")
    return lines
