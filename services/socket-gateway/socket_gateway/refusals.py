"""Problems that only a socket can have. Each has one stable code, as in `aro.contracts.problems`."""

from aro.contracts.problems import AroError, NotFound


class WrongNamespace(AroError):
    code, status, title = "wrong_namespace", 404, "Wrong namespace"


class TooManySockets(AroError):
    code, status, title = "too_many_sockets", 429, "Too many sockets"


class UnknownEvent(NotFound):
    code, title = "unknown_event", "Unknown event"


class NotSubscribed(NotFound):
    code, title = "not_subscribed", "Not subscribed"
