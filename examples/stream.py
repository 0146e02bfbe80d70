"""NIFTY, live, in a few lines. Run with the platform's own Python: .venv/bin/python examples/stream.py"""

import requests
import socketio

ACCOUNT = {"email": "me@example.com", "password": "correct horse battery"}
AUTH = "http://127.0.0.1:8000/api/v1/auth"
requests.post(f"{AUTH}/register", json=ACCOUNT, timeout=10)  # once; later it only says that the account is there
token = requests.post(f"{AUTH}/login", json=ACCOUNT, timeout=10).json()["access_token"]
stream = socketio.SimpleClient()
stream.connect("http://127.0.0.1:8010", namespace="/v1", transports=["websocket"], auth={"token": token})
stream.emit("subscribe", {"channels": ["ticks:NIFTY"]})
while True:
    event, message = stream.receive()
    if event in ("snapshot", "update"):
        print(event, message["seq"], message["data"]["source_time"], message["data"]["price"], flush=True)
