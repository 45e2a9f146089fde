"""What are the decoder's last maps by least squares worth at the end of a fit?

`AutoencoderTransformer(d // 4)` with its defaults and with fewer epochs, as it is and without this
step. Rows are split 75/25 and standardised by the training rows.

    python benchmarks/closed_form.py --data DIR [--tables T ...] [--seeds 0]

Seconds are the processor's, on one thread.
"""

import argparse
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from reconstruction import load_rows, load_tables
from schedule import MAX_ROWS, fitted
from threadpoolctl import threadpool_limits

from skae.autoencoders import _fitting

EPOCHS = (1, 2, 4, 8, 16, "auto")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    tables = load_tables(arguments.data)
    rows = {
        (name, seed): load_rows(tables[name], seed)
        for name in arguments.tables or tables
        for seed in arguments.seeds
    }
    print("| epochs | R2 without | R2 with | least gain | most | taken | times the seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with threadpool_limits(1):
        for n_epochs in EPOCHS:
            found = []
            for (_, seed), (train, test) in rows.items():
                settings = {"max_iter": n_epochs, "random_state": seed}
                with patch.object(_fitting, "ends_in_least_squares", lambda module: False):
                    without = fitted(train[:MAX_ROWS], test, **settings)
                found.append((*without, *fitted(train[:MAX_ROWS], test, **settings)))
            before, seconds, after, more_seconds = np.transpose(found)
            gains = after - before
            cells = [
                n_epochs,
                f"{before.mean():.4f}",
                f"{after.mean():.4f}",
                f"{gains.min():+.4f}",
                f"{gains.max():+.4f}",
                f"{(gains != 0).sum()} of {len(gains)}",
                f"{np.median(more_seconds / seconds):.2f}",
            ]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
