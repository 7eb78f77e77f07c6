#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""build_marked.py BUILD_DIR NAME: builds a program of bench/barrier_programs.py with optmig-cc, as BUILD_DIR/bench-barrier/NAME/marked."""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

import barrier_programs  # noqa: E402

home = os.path.join(os.path.abspath(sys.argv[1]), "optmig-cc")
classes = {"redis": barrier_programs.Redis, "sqlite": barrier_programs.Sqlite, "lua": barrier_programs.Lua, "deflate": barrier_programs.Deflate}
program = classes[sys.argv[2]](sys.argv[2], home)
os.makedirs(program.directory, exist_ok=True)
shutil.rmtree(program.path("tree-marked"), ignore_errors=True)
try:
    program.compile("marked")
except (barrier_programs.NotHere, barrier_programs.Broken) as error:
    sys.exit(str(error))
