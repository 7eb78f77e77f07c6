# SPDX-License-Identifier: Apache-2.0
"""Echoes what comes: echo_streams.py ADDRESS PORT; with a third argument it answers each line by its own address and the client's."""
import socket
import sys
import threading


def serve(connection):
    if len(sys.argv) > 3:
        for _ in connection.makefile("rb"):
            connection.sendall(("%s:%d %s:%d\n" % (connection.getsockname() + connection.getpeername())).encode())
    else:
        while data := connection.recv(65536):
            connection.sendall(data)
    connection.close()


listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
