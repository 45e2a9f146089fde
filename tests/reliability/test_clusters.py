"""Processes that others start: dask's workers, and those of torchrun."""

import subprocess
import sys

import children
import joblib
import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer

SCRIPT = """
import os, sys
import numpy as np
from skae import AutoencoderTransformer

rank, folder = int(os.environ["RANK"]), sys.argv[1]
X = np.random.default_rng(0).normal(size=(300, 5))
model = AutoencoderTransformer(2, max_iter=5, early_stopping=False, random_state=0).fit(X)
part = X[: 200 if rank == 0 else 77]  # shards need not be even
np.savez(f"{folder}/{rank}.npz", part=model.transform(part), whole=model.transform(X))
"""


def test_every_rank_of_torchrun_fits_the_same(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, tmp_path / "script.py", tmp_path]
    subprocess.run(command, timeout=120, capture_output=True, check=True)
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    assert_array_equal(first["whole"], second["whole"])
    assert_array_equal(second["part"], first["part"][:77])


def test_no_rank_waits_for_one_that_died(blobs):
    """Nor for one that never lived: the first of two, without a second."""
    expected = tiny(AutoencoderTransformer).fit(blobs).transform(blobs)
    with children.child(children.first_of_two_ranks, blobs) as (_, connection):
        assert_array_equal(children.told(connection), expected)


@pytest.mark.filterwarnings("ignore")  # dask's own
def test_workers_of_dask_give_the_scores_of_a_serial_run(blobs):
    distributed = pytest.importorskip("distributed")
    search = GridSearchCV(tiny(AutoencoderTransformer), {"n_components": [1, 2]}, cv=2)
    expected = search.fit(blobs).cv_results_["mean_test_score"]
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
        assert_array_equal(search.fit(blobs).cv_results_["mean_test_score"], expected)
