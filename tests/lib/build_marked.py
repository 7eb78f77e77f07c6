#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""build_marked.py BUILD_DIR NAME: builds a program of bench/barrier_programs.py with optmig-cc, as BUILD_DIR/bench-barrier/NAME/marked."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

import barrier_programs  # noqa: E402

home = os.path.join(os.path.abspath(sys.argv[1]), "optmig-cc")
try:
    barrier_programs.PACKAGED[sys.argv[2]](sys.argv[2], home).build_marked()
except (barrier_programs.NotHere, barrier_programs.Broken) as error:
    sys.exit(str(error))
