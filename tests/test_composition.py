"""Where scikit-learn puts transformers: pipelines, unions, searches, routing, caches."""

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer


@pytest.fixture
def frame(blobs):
    return pd.DataFrame(blobs, columns=list("abcd"))


@pytest.fixture
def y(blobs):
    return (blobs[:, 0] > np.median(blobs[:, 0])).astype(int)


def test_a_column_transformer_and_a_union_name_their_columns(frame):
    ae = tiny(AutoencoderTransformer, 1)
    columns = ColumnTransformer([("x", ae, ["a", "b"]), ("rest", "passthrough", ["d"])])
    columns.set_output(transform="pandas")
    assert list(columns.fit_transform(frame)) == ["x__autoencodertransformer0", "rest__d"]
    union = FeatureUnion([("ae", tiny(AutoencoderTransformer)), ("scaled", StandardScaler())])
    assert union.fit_transform(frame).shape == (len(frame), 6)


def test_weights_are_routed_through_a_pipeline_and_a_search(frame, y):
    weights = np.random.default_rng(0).integers(0, 3, size=len(y)).astype(float)
    with config_context(enable_metadata_routing=True):
        ae = tiny(AutoencoderTransformer).set_fit_request(sample_weight=True)
        ae.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = Pipeline([("scale", scaler), ("ae", ae)])
        search = GridSearchCV(pipeline, {"ae__n_components": [1, 2]}, cv=2)
        search.fit(frame, sample_weight=weights)
    best = search.best_estimator_
    scaled = best[0].transform(frame)
    expected = tiny(AutoencoderTransformer, best[1].n_components).fit(scaled, sample_weight=weights)
    assert_array_equal(best.transform(frame), expected.transform(scaled))
    plain = tiny(AutoencoderTransformer, best[1].n_components).fit(scaled)
    assert not np.allclose(plain.transform(scaled), best.transform(frame))


def test_a_cached_step_is_fitted_once(frame, y, tmp_path):
    steps = [tiny(AutoencoderTransformer), LogisticRegression()]
    cached = make_pipeline(*steps, memory=joblib.Memory(tmp_path, verbose=0))
    expected = make_pipeline(*steps).fit(frame, y).predict_proba(frame)
    for _ in range(2):
        assert_allclose(cached.fit(frame, y).predict_proba(frame), expected)


def test_a_frozen_one_stays_as_it_is(frame):
    model = tiny(AutoencoderTransformer).fit(frame[:30])
    frozen = FrozenEstimator(model).fit(frame, None)
    assert_array_equal(frozen.transform(frame), model.transform(frame))


def test_targets_are_coded_and_decoded(frame, blobs):
    Y = np.hstack([blobs, 2 * blobs[:, :1]])
    regressor = TransformedTargetRegressor(
        LinearRegression(), transformer=AutoencoderTransformer(4, max_iter=0), check_inverse=False
    )
    assert_allclose(regressor.fit(frame, Y).predict(frame), Y, atol=1e-6)


def test_searches_and_scores(frame, y):
    pipeline = make_pipeline(tiny(AutoencoderTransformer), LogisticRegression())
    assert np.isfinite(cross_val_score(pipeline, frame, y, cv=2)).all()
    grid = {"autoencodertransformer__activation": ["relu", "tanh"]}
    search = HalvingGridSearchCV(pipeline, grid, cv=2, random_state=0, min_resources=30)
    assert search.fit(frame, y).best_score_ > 0.5


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_workers_give_the_scores_of_a_serial_run(frame, backend):
    search = GridSearchCV(tiny(AutoencoderTransformer), {"n_components": [1, 2]}, cv=2)
    expected = search.fit(frame).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend, n_jobs=2):
        assert_array_equal(search.fit(frame).cv_results_["mean_test_score"], expected)
