"""The authors' SANSA (pip install sansa; it needs SuiteSparse) on raw arrays: prints seconds and peak memory of `fit`.

python sansa.py <folder> --variant incomplete --l2 1 --density 5e-4
The file must not be imported as `sansa`: bench/sansa.mjs runs it with -P.
"""

import argparse
import json
import logging
import resource
import time

import numpy as np
import scipy.sparse
from sansa import (
    SANSA,
    CHOLMODGramianFactorizerConfig,
    ICFGramianFactorizerConfig,
    SANSAConfig,
    UMRUnitLowerTriangleInverterConfig,
)

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--variant", required=True)
parser.add_argument("--l2", type=float, required=True)
parser.add_argument("--density", type=float, required=True)
args = parser.parse_args()
logging.disable(logging.INFO)
rows, columns = np.fromfile(args.folder + "/train.shape", np.uint32)
offsets, indices = (
    np.fromfile(args.folder + "/train" + end, np.uint32).astype(np.int32) for end in (".offsets", ".indices")
)
X = scipy.sparse.csr_matrix((np.ones(len(indices), np.float32), indices, offsets), (int(rows), int(columns)))
factorizer = ICFGramianFactorizerConfig if args.variant == "incomplete" else CHOLMODGramianFactorizerConfig
config = SANSAConfig(
    l2=args.l2,
    weight_matrix_density=args.density,
    gramian_factorizer_config=factorizer(),
    lower_triangle_inverter_config=UMRUnitLowerTriangleInverterConfig(),
)
model = SANSA(config)
started = time.perf_counter()
model.fit(X)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": round(seconds, 1), "peakGiB": round(peak, 2), "entries": int(model.weights[0].nnz)}))
