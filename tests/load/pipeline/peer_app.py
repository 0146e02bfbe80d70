"""The usual design, as small as it can be: one task per chain with the chain's JSON in it, one insert, one publish.

Nothing is solved. Settings are Celery's and pymongo's own, which wait for less than this project's do.
"""

import json
import os
import sys
from typing import Any

import redis
from celery import Celery, signals
from pymongo import MongoClient
from witness import OF_PEER

TASK = "peer.store_chain"

app = Celery("peer", broker=os.environ["PEER_BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
hands: dict[str, Any] = {}


@signals.worker_process_init.connect(weak=False)
def connect(**_: Any) -> None:
    hands["redis"] = redis.Redis.from_url(os.environ["PEER_REDIS_URL"])
    hands["chains"] = MongoClient(os.environ["PEER_MONGO_URL"])["peer"]["chains"]


@app.task(name=TASK)
def store_chain(chain: dict[str, Any]) -> None:
    text = json.dumps(chain)
    hands["chains"].insert_one(chain)
    hands["redis"].publish(OF_PEER, text)


if __name__ == "__main__":
    app.worker_main(["worker", "--concurrency", sys.argv[1], "--loglevel", "WARNING", "--without-gossip"])
