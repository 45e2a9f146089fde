"""The Gaussian that completes rows, against numpy's arithmetic on its covariance."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skae.nn import GaussianFill

NAN = float("nan")
GAPS = [[0], [1, 3], [0, 1, 2], [4], [0, 1, 2, 3, 4]]


def fill_of(n_factors=2, n_features=5, **limits):
    rng = np.random.default_rng(0)
    parts = {
        "mean": rng.normal(size=n_features),
        "loadings": rng.normal(size=(n_factors, n_features)),
        "noise": rng.uniform(0.1, 1, size=n_features),
        "low": np.full(n_features, -np.inf),
        "high": np.full(n_features, np.inf),
    }
    parts |= limits
    covariance = parts["loadings"].T @ parts["loadings"] + np.diag(parts["noise"])
    fill = GaussianFill(**{name: torch.from_numpy(part) for name, part in parts.items()})
    return fill, parts["mean"], covariance


def row_with(gaps, n=1):
    x = np.random.default_rng(1).normal(size=5)
    x[gaps] = NAN
    return np.tile(x, (n, 1))


def conditional(x, mean, covariance):
    """Mean and covariance of the missing cells of a row given the others."""
    m, o = np.isnan(x), ~np.isnan(x)
    regression = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
    return (
        mean[m] + regression @ (x[o] - mean[o]),
        covariance[np.ix_(m, m)] - regression @ covariance[np.ix_(o, m)],
    )


@pytest.mark.parametrize("gaps", GAPS)
def test_missing_cells_are_their_conditional_mean_and_known_ones_as_given(gaps):
    fill, mean, covariance = fill_of()
    x = row_with(gaps)
    filled = fill(torch.from_numpy(x)).numpy()
    assert_allclose(filled[0, gaps], conditional(x[0], mean, covariance)[0])
    known = np.setdiff1d(range(5), gaps)
    assert (filled[0, known] == x[0, known]).all()


@pytest.mark.parametrize("gaps", GAPS)
def test_draws_have_the_conditional_mean_and_covariance(gaps):
    fill, mean, covariance = fill_of()
    x = row_with(gaps, 20_000)
    drawn = fill.draw(torch.from_numpy(x), torch.Generator().manual_seed(0)).numpy()[:, gaps]
    expected_mean, expected = conditional(x[0], mean, covariance)
    assert_allclose(drawn.mean(axis=0), expected_mean, atol=0.05)
    assert_allclose(np.atleast_2d(np.cov(drawn.T)), expected, atol=0.02 * np.trace(covariance))


@pytest.mark.parametrize("gaps", GAPS)
def test_log_volume_is_that_of_the_conditional_covariance(gaps):
    fill, mean, covariance = fill_of()
    x = row_with(gaps)
    expected = 0.5 * np.linalg.slogdet(2 * np.pi * conditional(x[0], mean, covariance)[1])[1]
    assert_allclose(fill.log_volume(torch.from_numpy(x)), [expected])


def test_log_volume_turns_the_density_of_a_completed_row_into_that_of_its_known_cells():
    from scipy.stats import multivariate_normal

    fill, mean, covariance = fill_of()
    x = row_with([1, 3])
    whole = fill(torch.from_numpy(x)).numpy()
    o = [0, 2, 4]
    marginal = multivariate_normal(mean[o], covariance[np.ix_(o, o)]).logpdf(x[0, o])
    joint = multivariate_normal(mean, covariance).logpdf(whole[0])
    assert_allclose(joint + fill.log_volume(torch.from_numpy(x)), marginal)


def test_rows_without_gaps_are_the_same_tensor():
    x = torch.zeros(3, 5)
    fill, rng = fill_of()[0], torch.Generator()
    assert fill(x) is x and fill.draw(x, rng) is x
    assert (fill.log_volume(x) == 0).all()


def test_whole_rows_whose_sum_overflows_stay_as_they_are():
    rows = [[1e308, 1e308, 1, 2, 3], [torch.inf, -torch.inf, 1, 2, 3], [NAN, 1, 2, 3, 4]]
    x = torch.tensor(rows, dtype=torch.float64)
    assert x.sum(dim=1).isnan().tolist() == [False, True, True]
    filled = fill_of()[0](x)
    assert torch.equal(filled[:2], x[:2]) and filled[2].isfinite().all()


def test_rows_do_not_depend_on_their_company():
    fill, *_ = fill_of()
    x = torch.from_numpy(np.vstack([row_with(gaps) for gaps in [*GAPS, []]]))
    together = fill(x)
    for i in range(len(x)):
        assert_allclose(fill(x[i : i + 1])[0], together[i], rtol=1e-12)


def test_fillings_stay_within_the_range_of_known_cells():
    fill, *_ = fill_of(low=np.full(5, -0.1), high=np.full(5, 0.1))
    filled = fill(torch.from_numpy(row_with([1, 3])))
    assert (filled[0, [1, 3]].abs() <= 0.1).all()
    assert (filled[0, [0, 2]].abs() > 0.1).any()  # known cells may be anywhere


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_keep_their_dtype(dtype):
    fill = fill_of()[0].to(dtype)
    x = torch.from_numpy(row_with([1])).to(dtype)
    assert fill(x).dtype == fill.draw(x, torch.Generator()).dtype == dtype
