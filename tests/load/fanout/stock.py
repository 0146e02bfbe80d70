"""Flask-SocketIO on eventlet as its tutorials show it: clients join a room, a background task emits to it.

PEER_REDIS_URL and PEER_CHANNEL say what is emitted, PEER_PORT where it listens, PEER_CLIENTS how many will come.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import eventlet

eventlet.monkey_patch()

import json  # noqa: E402 - after the patch
import os  # noqa: E402

import redis  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO, join_room  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="eventlet", transports=["websocket"])


@socketio.on("join")
def join(room: str) -> None:
    join_room(room)


def relay() -> None:
    feed = redis.Redis.from_url(os.environ["PEER_REDIS_URL"]).pubsub()
    feed.subscribe(os.environ["PEER_CHANNEL"])
    for message in feed.listen():
        if message["type"] == "message":
            socketio.emit("m", json.loads(message["data"]), to="bench")


socketio.start_background_task(relay)
# 1,024 connections are the default; more would hang.
size = int(os.environ["PEER_CLIENTS"]) + 64
socketio.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), max_size=size, log_output=False)
