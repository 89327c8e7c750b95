#!/usr/bin/env python3
"""A client in Python: signs up, adds an item, hears of it, lists all, and gets
another access token when the one it has is no longer good. Takes Python 3.8 or
later, nothing else.

    shelf run -- python3 examples/client.py    with a server of its own
    python3 examples/client.py                 with the one at SHELF_URL, or on port 8080
"""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Refused(Exception):
    """The server's own words, and the status."""

    def __init__(self, status, words):
        super().__init__(words)
        self.status = status


class Shelf:
    def __init__(self, url):
        self.url, self.access, self.refresh = url, None, None

    def sign(self, how, email, password):
        """Signs up or in: how is signup or signin."""
        self.access = self.refresh = None
        (session,) = self.call("POST", f"/auth/{how}", {"email": email, "password": password})["data"]
        self.access, self.refresh = session["access_token"], session["refresh_token"]

    def call(self, method, path, body=None):
        """Returns the answer, or raises Refused."""
        with self.open(method, path, body) as answer:
            return json.load(answer)

    def follow(self, last=None):
        """Returns what happens from now on, or after the event with the id last:
        a name and a row at a time, until the connection ends."""
        stream = self.open("GET", "/events", headers={"Last-Event-ID": last} if last else {})

        def changes():
            with stream:
                event = {}
                for line in stream:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    event[name] = value
                    if not line.strip():
                        if "data" in event and event["event"] != "stream.position":
                            yield event["event"], json.loads(event["data"])
                        event = {}

        return changes()

    def open(self, method, path, body=None, headers={}):
        """Sends a request with the access token. A 401 may mean that its 15 minutes
        are over: then the refresh token, which has 30 days, gets a new one."""
        try:
            return self.send(method, path, self.access, body, headers)
        except Refused as refused:
            if refused.status != 401 or not self.refresh:
                raise
        with self.send("POST", "/auth/refresh", self.refresh) as answer:
            data = json.load(answer)["data"][0]
        self.access = data["access_token"]
        self.refresh = data.get("refresh_token", self.refresh)  # with -rotate-refresh there is a next one
        return self.send(method, path, self.access, body, headers)

    def send(self, method, path, token, body=None, headers={}):
        request = Request(f"{self.url}/api/v1{path}", method=method, headers=headers)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            return urlopen(request, timeout=30)  # a silent stream has a heartbeat every 15 seconds
        except HTTPError as error:
            with error:
                raise Refused(error.code, json.load(error)["error"]) from None


def main():
    url, lab = os.environ.get("SHELF_URL", "http://127.0.0.1:8080"), os.environ.get("SHELF_LAB_TOKEN")
    shelf = Shelf(url)
    shelf.sign("signup", f"python-{os.getpid()}@example.com", "b00k-worm")
    changes = shelf.follow()
    shelf.call("POST", "/items", {"itemname": "ball", "category": "soccer", "description": "something to kick"})
    event, item = next(changes)
    print(f"{event}: {item['itemname']}")

    old = shelf.access
    if lab:  # in shelf run a quarter of an hour is soon over
        urlopen(Request(f"{url}/lab/clock", b"advance=16m", {"X-Lab-Token": lab})).close()
    for item in shelf.call("GET", "/items")["data"]:
        print(f"item {item['id']} is a {item['itemname']}")
    if shelf.access != old:
        print("the access token was renewed")


if __name__ == "__main__":
    main()
