"""Invitations: made by administrators, used once to register."""

import uuid
from dataclasses import dataclass, field
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.invitation_store import Invitation, InvitationStore
from aro.contracts.problems import Forbidden, NotFound
from aro.runtime.logs import get_logger
from auth_service.opaque_tokens import INVITATION_PREFIX, digest, new_token

log = get_logger(__name__)

HOUR_MS: Final = 3_600_000
USUAL_HOURS: Final = 72
MOST_HOURS: Final = 30 * 24
MADE_BY_COMMAND: Final = "command line"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """`text` is shown once: only its digest is kept."""

    invitation: Invitation
    text: str = field(repr=False)


class Invitations:
    def __init__(self, store: InvitationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def invite(self, *, email: str | None, hours: int, by: str) -> NewInvitation:
        """`email`, normalised, or None for whoever holds it. `by` is an account's id or `MADE_BY_COMMAND`."""
        text = new_token(INVITATION_PREFIX)
        now_ms = self._clock.now_ms()
        invitation = Invitation(
            id=uuid.uuid4().hex,
            digest=digest(text),
            email=email,
            created_by=by,
            created_ts=now_ms,
            expires_ts=now_ms + hours * HOUR_MS,
        )
        self._store.add(invitation)
        log.info("invited", **{"event.action": "invitation_created", "user.id": by, "invitation.id": invitation.id})
        return NewInvitation(invitation, text)

    def open(self) -> list[Invitation]:
        return self._store.open(now_ms=self._clock.now_ms())

    def withdraw(self, invitation_id: str) -> None:
        """Raises `NotFound` if there is none that could still be used."""
        if not self._store.withdraw(invitation_id):
            raise NotFound("there is no unused invitation of this id")

    def usable(self, text: str, email: str) -> Invitation:
        """Raises `Forbidden`, in the same words for every reason, if `email` cannot use it now."""
        found = self._store.usable(digest(text), email=email, now_ms=self._clock.now_ms())
        if found is None:
            raise _not_valid()
        return found

    def claim(self, invitation: Invitation, email: str, user_id: str) -> None:
        """Use it up. Raises `Forbidden` if somebody was faster."""
        now_ms = self._clock.now_ms()
        if not self._store.claim(invitation.digest, email=email, user_id=user_id, now_ms=now_ms):
            raise _not_valid()

    def release(self, invitation: Invitation, user_id: str) -> None:
        """Undo `claim`."""
        self._store.release(invitation.digest, user_id=user_id)


def _not_valid() -> Forbidden:
    return Forbidden("the invitation is not known, was used, has expired, or is for another e-mail")
