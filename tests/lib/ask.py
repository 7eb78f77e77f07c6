# SPDX-License-Identifier: Apache-2.0
"""Sends a request (an argument plus an empty line, or standard input) to a TCP port and prints the answer."""
import socket
import sys

request = (sys.argv[3] + "\r\n\r\n").encode() if len(sys.argv) > 3 else sys.stdin.buffer.read()
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
connection.sendall(request)
while chunk := connection.recv(65536):
    sys.stdout.buffer.write(chunk)
