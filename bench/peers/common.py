"""The baselines' side of the bench protocol: one line in ("run"), one JSON object out, until standard input closes.

A baseline prepares its input once, says {"ready": ...}, and then measures one repetition per line, so that the bench can
interleave it with foldin and with other baselines on the same machine.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np


def load_csr(folder, name):
    """The matrix that bench/input.ts wrote: (offsets [rows + 1], indices [entries], columns)."""
    folder = Path(folder)
    shape = json.loads((folder / f"{name}.json").read_text())
    offsets = np.fromfile(folder / f"{name}.offsets.u32", dtype=np.uint32).astype(np.int64)
    indices = np.fromfile(folder / f"{name}.indices.u32", dtype=np.uint32).astype(np.int64)
    return offsets, indices, shape["columns"]


def load_scipy(folder, name):
    from scipy import sparse

    offsets, indices, columns = load_csr(folder, name)
    ones = np.ones(len(indices), dtype=np.float32)
    return sparse.csr_matrix((ones, indices, offsets), shape=(len(offsets) - 1, columns))


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(ready, measure):
    """Answers every "run" line with measure()'s dictionary."""
    print(json.dumps({"ready": ready}), flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            print(json.dumps(measure()), flush=True)
