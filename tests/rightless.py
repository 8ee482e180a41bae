"""Run Python as someone whom file permissions bind, whoever runs the tests.

Root is not bound by them. A child process that gives up two capabilities before it starts
anew is: ``python rightless.py ARGUMENTS`` runs ``python ARGUMENTS`` so.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2

if __name__ == "__main__":
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                sys.exit("cannot give up the rights of root")
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
