#!/usr/bin/env python3
"""Publishes one event from a service of your own, over HTTP, with nothing but Python's standard library:

    python3 examples/publish.py

The address and the key are INGEST_URL and INGEST_KEY or, without them, the quick start's. The answer 202 means that
the event is safe: RabbitMQ has it on disk, or ingest has. Keep the id and the time of an event when you send it again
after an error: then it is counted once, however often it arrives.
"""

import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone


def endpoint(variable: str, name: str) -> str:
    if os.environ.get(variable):
        return os.environ[variable]
    try:
        with open(".weir/endpoints.json", encoding="utf-8") as file:
            return json.load(file)[name]
    except (OSError, ValueError, KeyError):
        sys.exit(f"no {variable}: set it, or run this where `npm start` was run")


def new_event() -> dict:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "examples/python",
        "type": "io.weir.pull",
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "repository": "acme/app",
            "tag": "1.0",
            "platform": "linux/arm64",
            "user": {"email": "me@acme.example"},
        },
    }


def publish(event: dict) -> None:
    request = urllib.request.Request(
        endpoint("INGEST_URL", "ingest") + "/events",
        data=json.dumps(event).encode(),
        headers={
            "Authorization": "Bearer " + endpoint("INGEST_KEY", "ingestKey"),
            "Content-Type": "application/cloudevents+json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(f"{event['type']} {event['id']}: {answer.status} {answer.read().decode().strip()}")
    except urllib.error.HTTPError as error:
        sys.exit(f"ingest refused it: {error.code} {error.read().decode().strip()}")
    except OSError as error:
        sys.exit(f"ingest cannot be reached: {error}")


# Straight to RabbitMQ instead, with pika (python3-pika, or pip install pika). There is no spool behind it: what
# basic_publish raises for is not safe, and is yours to send again, with the same id and time.
#
# def publish(event: dict) -> None:
#     import pika
#
#     parameters = pika.URLParameters(endpoint("AMQP_URL", "amqp"))
#     connection = pika.BlockingConnection(parameters)
#     channel = connection.channel()
#     channel.confirm_delivery()  # basic_publish then returns when every queue has the event on disk
#     channel.basic_publish(
#         exchange="weir.events",
#         routing_key="",
#         body=json.dumps(event).encode(),
#         properties=pika.BasicProperties(
#             content_type="application/cloudevents+json",
#             delivery_mode=2,  # persistent
#             message_id=event["id"],
#             type=event["type"],
#         ),
#     )
#     connection.close()
#     print(f"{event['type']} {event['id']}: confirmed")


if __name__ == "__main__":
    publish(new_event())
