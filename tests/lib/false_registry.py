#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A registry of starts that is none: false_registry.py PORT silent|noise|other.

silent takes questions and gives no answers, noise gives bytes, other an answer of the right form that somebody else has signed (nobody:
the signature is of the right length).  Each question is noted in the file $ASKED.
"""
import os
import socket
import sys

port, kind = int(sys.argv[1]), sys.argv[2]
server = socket.create_server(("127.0.0.1", port), reuse_port=False)
kept = []
while True:
    client, _ = server.accept()
    question = b""
    while len(question) < 96:
        more = client.recv(96 - len(question))
        if not more:
            break
        question += more
    if len(question) < 96:
        client.close()
        continue
    if os.environ.get("ASKED"):
        with open(os.environ["ASKED"], "a") as file:
            file.write(question.hex() + "\n")
    if kind == "silent":
        kept.append(client)
        continue
    client.sendall(os.urandom(160) if kind == "noise" else b"OMHOLDS1" + question[8:] + os.urandom(64))
    client.close()
