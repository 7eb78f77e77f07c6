# SPDX-License-Identifier: Apache-2.0
"""Answers each datagram with itself: echo_datagrams.py ADDRESS PORT.  :: hears IPv4 too."""
import socket
import sys

address, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
if server.family == socket.AF_INET6:
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
server.bind((address, port))
while True:
    server.sendto(*server.recvfrom(65536))
