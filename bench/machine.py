# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""
import os
import platform
import time


def available_mib():
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return 0


def _first(path, key):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def describe():
    return {
        "kernel": platform.release(),
        "processor": _first("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "memory_mib": int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "load_average_at_begin": os.getloadavg()[0],
    }
