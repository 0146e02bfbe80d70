"""``python -m worker_enricher dead list|retry|drop``: what was dead-lettered, and what to do with it."""

import argparse

from aro.adapters.dead_letters import DeadLetter, DeadLetters
from aro.contracts.problems import AroError

LIST_LIMIT = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="newest first")
    listing.add_argument("--limit", type=int, default=LIST_LIMIT)
    for action, text in (("retry", "put messages back into their stream"), ("drop", "delete messages for good")):
        parser_ = actions.add_parser(action, help=text)
        parser_.add_argument("ids", nargs="*", metavar="ID", help="dead letter ids as `dead list` shows them")
        parser_.add_argument("--all", action="store_true", help="every dead letter")


def run(arguments: argparse.Namespace, dead: DeadLetters) -> list[str]:
    """The lines to print. Raises `AroError` if an id does not exist."""
    if arguments.action == "list":
        letters = dead.list(limit=arguments.limit)
        return [f"{dead.count()} dead letters", *(_line(letter) for letter in letters)]
    letters = _chosen(arguments, dead)
    if arguments.action == "drop":
        return [f"dropped {dead.drop(letter.id for letter in letters)} dead letters"]
    return [_retry(letter, dead) for letter in letters] or ["nothing to retry"]


def _chosen(arguments: argparse.Namespace, dead: DeadLetters) -> list[DeadLetter]:
    if arguments.all:
        return list(reversed(dead.list(limit=dead.count() or 1)))
    return [dead.find(letter_id) for letter_id in arguments.ids]


def _retry(letter: DeadLetter, dead: DeadLetters) -> str:
    try:
        return f"{letter.id} sent again as {dead.retry(letter)}"
    except AroError as error:
        return f"{letter.id} not sent: {error.detail}"


def _line(letter: DeadLetter) -> str:
    return f"{letter.id}  {letter.stream} {letter.entry_id}  {letter.reason}  {letter.size} bytes  {letter.error}"
