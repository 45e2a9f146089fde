"""The way back to Parquet."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import skae


@pytest.fixture
def rows():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(500, 3)), columns=list("abc"))


@pytest.fixture
def source(rows, tmp_path):
    rows.to_parquet(tmp_path / "in.parquet", row_group_size=100)
    return skae.data.from_parquet(tmp_path / "in.parquet")


def test_codes_and_scores_of_all_rows_are_written(rows, source, tmp_path):
    model = skae.AutoencoderTransformer(2, max_iter=0, random_state=0).fit(rows)
    skae.data.transform_to_parquet(model, source, tmp_path / "z.parquet")
    written = pd.read_parquet(tmp_path / "z.parquet")
    assert list(written.columns) == list(model.get_feature_names_out())
    assert_array_equal(written, model.transform(rows))
    skae.data.transform_to_parquet(model, source, tmp_path / "s", method="score_samples")
    assert_array_equal(pd.read_parquet(tmp_path / "s")["score_samples"], model.score_samples(rows))


def test_a_file_is_replaced_only_when_all_is_written(rows, source, tmp_path):
    model = skae.AutoencoderTransformer(2, max_iter=0, random_state=0).fit(rows)
    target = tmp_path / "z.parquet"
    target.write_bytes(b"precious")
    calls = []

    def transform(X):
        calls.append(len(X))
        if len(calls) == 2:
            raise RuntimeError("stopped")
        return skae.AutoencoderTransformer.transform(model, X)

    model.transform = transform
    with pytest.raises(RuntimeError, match="stopped"):
        skae.data.transform_to_parquet(model, source, target)
    assert target.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_arrays_are_refused(rows):
    model = skae.AutoencoderTransformer(2, max_iter=0).fit(rows)
    with pytest.raises(TypeError, match=r"from_parquet.*from_batches"):
        skae.data.transform_to_parquet(model, rows, "z.parquet")
