"""Finding the Gaussian behind rows with gaps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skae import AutoencoderTransformer
from skae.autoencoders import _missing
from skae.autoencoders._missing import Whole, gaussian_fill, model_of
from skae.training import to_numpy, to_tensor


def gaussian(n_samples=3000, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, n_features))
    return rng.normal(size=(n_samples, n_features)) @ root + rng.normal(size=n_features), root


def with_gaps(X, share=0.3, seed=1):
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X)


def covariance_of(fill):
    W = to_numpy(fill.loadings)
    return W.T @ W + np.diag(to_numpy(fill.noise))


def test_the_covariance_is_that_of_the_gaussian_behind_the_known_cells():
    X, root = gaussian()
    fill = gaussian_fill(with_gaps(X), X.min(axis=0), X.max(axis=0))
    expected = root.T @ root
    scale = np.sqrt(np.diag(expected))
    assert_allclose(covariance_of(fill), expected, atol=0.08 * scale.max() ** 2)
    assert_allclose(to_numpy(fill.mean), X.mean(axis=0), atol=0.06 * scale.max())


def test_means_are_of_rows_and_not_of_known_cells():
    """Cells that are missing where another column is high bias the mean of those that are not."""
    X, _ = gaussian()
    X[:, 1] = X[:, 0] + 0.1 * np.random.default_rng(2).normal(size=len(X))
    gappy = X.copy()
    gappy[X[:, 0] > X[:, 0].mean(), 1] = np.nan
    fill = gaussian_fill(gappy, 10 * X.min(axis=0), 10 * X.max(axis=0))
    naive = np.nanmean(gappy[:, 1]) - X[:, 1].mean()
    assert abs(to_numpy(fill.mean)[1] - X[:, 1].mean()) < 0.1 * abs(naive)


def test_both_systems_of_equations_say_the_same():
    X = with_gaps(gaussian(200)[0])
    X = X[np.isnan(X).any(axis=1)]
    X = X[np.argsort(np.isnan(X).sum(axis=1))]
    fill = model_of(np.nan_to_num(X), np.zeros(6))
    cells, factors = _missing.expected_by_cells(X, fill), _missing.expected_by_factors(X, fill)
    for found, expected in zip(cells, factors, strict=True):
        assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("max_features", [3, 512])
def test_whichever_of_them_is_used_the_fillings_are_alike(max_features, monkeypatch):
    X, _ = gaussian()
    gappy = with_gaps(X)
    expected = Whole.of(gappy).X
    monkeypatch.setattr(_missing, "MAX_FEATURES", max_features)
    monkeypatch.setattr(_missing, "MAX_FACTORS", 5 if max_features == 512 else 6)
    error = np.sqrt(np.mean((Whole.of(gappy).X - expected) ** 2)) / X.std()
    assert error < (1e-6 if max_features == 512 else 0.2)


def test_rows_without_gaps_are_left_alone():
    X, _ = gaussian(50)
    whole = Whole.of(X)
    assert whole.known is None and whole.X is X and whole.drawn() is X


def test_rows_of_which_nothing_is_known_become_the_mean():
    X, _ = gaussian(200)
    X[:2] = np.nan
    whole = Whole.of(X)
    assert_allclose(whole.X[0], to_numpy(whole.fill.mean))
    assert_array_equal(whole.X[0], whole.X[1])


def test_a_column_that_is_empty_in_part_of_the_rows_is_read_off_the_others():
    X, _ = gaussian()
    X[:, 3] = X[:, 0] + X[:, 1]
    gappy = X.copy()
    gappy[: len(X) // 2, 3] = np.nan
    error = Whole.of(gappy).X[:, 3] - X[:, 3]
    assert error.std() < 0.1 * X[:, 3].std()


def test_constant_and_collinear_columns_do_no_harm():
    X, _ = gaussian(300)
    X[:, 2], X[:, 4] = 7.0, -2 * X[:, 0]
    whole = Whole.of(with_gaps(X))
    assert np.isfinite(whole.X).all()
    assert_allclose(whole.X[:, 2], 7.0)
    known = ~np.isnan(with_gaps(X)[:, 0])
    error = whole.X[known, 4] - X[known, 4]
    assert error.std() < 0.1 * X[:, 4].std()


def test_units_do_not_matter():
    X, _ = gaussian(300)
    gappy, unit = with_gaps(X), np.array([1e-9, 1.0, 1e9, 3.0, -2.0, 1e3])
    assert_allclose(Whole.of(gappy * unit + 5 * unit).X, Whole.of(gappy).X * unit + 5 * unit)


def test_weights_count_rows():
    rng = np.random.default_rng(0)
    X = np.vstack(
        [
            rng.normal(size=(500, 2)) @ [[1, 1], [0, 0.1]],
            rng.normal(size=(500, 2)) @ [[1, -1], [0, 0.1]],
        ]
    )
    gappy = np.vstack([X, [[1.0, np.nan]]])
    for heavy, expected in ((slice(0, 500), 0.95), (slice(500, 1000), -0.95)):
        weights = np.full(len(gappy), 1e-3)
        weights[heavy] = 1.0
        assert_allclose(Whole.of(gappy, weights / weights.mean()).X[-1, 1], expected, atol=0.1)


def test_completed_rows_that_are_drawn_vary_as_whole_ones_do():
    X, _ = gaussian()
    whole = Whole.of(with_gaps(X, 0.5))
    expected = np.cov(X.T)
    scale = np.sqrt(np.diag(expected))
    lost, kept = (np.abs(np.cov(rows.T) - expected).max() for rows in (whole.X, whole.drawn()))
    assert kept < 0.35 * lost
    assert (np.abs(whole.drawn().std(axis=0) / scale - 1) < 0.06).all()


def test_what_stands_in_a_missing_cell_teaches_nothing():
    """The gradient with respect to what gaps were filled with is zero for the cell's own error."""
    from skae.training import Rows

    X = with_gaps(gaussian(40)[0])
    model = AutoencoderTransformer(2, max_iter=1, random_state=0).fit(X)
    whole = Whole.of(X)
    rows = Rows(to_tensor(whole.X), to_tensor(whole.known))
    x, weight = rows.batch(slice(0, 40))
    target = x.clone().requires_grad_()
    module = model.module_.autoencoder
    error = module.compare(module.output(module.encode(x)), target, weight).sum()
    error.backward()
    assert (target.grad[weight == 0] == 0).all() and (target.grad[weight == 1] != 0).all()


def test_the_score_of_a_row_with_gaps_is_that_of_its_known_cells():
    """In the linear limit, where probabilistic PCA is the truth."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    W = rng.normal(size=(2, 6))
    X = rng.normal(size=(4000, 2)) @ W + 0.3 * rng.normal(size=(4000, 6))
    model = AutoencoderTransformer(2, max_iter=0).fit(X)
    covariance = W.T @ W + 0.09 * np.eye(6)
    for gaps in ([0], [2, 5], [0, 1, 2, 3]):
        rows = X[:200].copy()
        rows[:, gaps] = np.nan
        o = np.setdiff1d(range(6), gaps)
        marginal = multivariate_normal(np.zeros(len(o)), covariance[np.ix_(o, o)])
        error = model.score_samples(rows) - marginal.logpdf(rows[:, o])
        assert np.abs(error).mean() < 0.1 and np.abs(error).max() < 0.6
