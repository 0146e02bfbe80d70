"""Grafana's boards, in the order in which a person looks at them."""

from boards.api import API
from boards.gateway import GATEWAY
from boards.overview import OVERVIEW
from boards.panels import Board
from boards.pipeline import PIPELINE
from boards.security import SECURITY

BOARDS: tuple[Board, ...] = (OVERVIEW, PIPELINE, GATEWAY, API, SECURITY)
