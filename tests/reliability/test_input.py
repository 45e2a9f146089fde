"""Whatever X holds: finite results, or an error that names the cause."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skae import AutoencoderTransformer, VAETransformer

AUTOENCODERS = public_estimators()


def with_cell(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


UNUSUAL = {
    "a constant column": lambda X: np.column_stack([X, np.full(len(X), 3.0)]),
    "rows that are all equal": lambda X: np.full(X.shape, 1 / 3),
    "zeros": np.zeros_like,
    "one row that differs": lambda X: np.vstack([np.zeros_like(X), np.ones((1, 4))]),
    "fewer rows than a batch": lambda X: X[:20],
    "two rows": lambda X: X[:2],
    "one row": lambda X: X[:1],
    "one feature": lambda X: X[:, :1],
    "more features than rows": lambda X: np.tile(X[:12], 30),
    "columns that are all equal": lambda X: np.repeat(X[:, :1], 4, axis=1),
    "duplicated rows": lambda X: np.repeat(X[:3], 20, axis=0),
    "integers": lambda X: (10 * X).astype(int),
    "large integers": lambda X: (X * 2**60).astype(np.int64),
    "booleans": lambda X: X > 0,
    "numbers as objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "an offset of 1e8": lambda X: X + 1e8,
    "an offset beyond precision": lambda X: X + 1e18,
    "one cell of 1e12": lambda X: with_cell(X, 1e12),
    "values of 1e30": lambda X: X * 1e30,
    "values of 1e300": lambda X: X * 1e300,
    "values of 1e-30": lambda X: X * 1e-30,
    "values of 1e-300": lambda X: X * 1e-300,
    "values below every normal number": lambda X: X * 1e-320,
    "columns of very different size": lambda X: X * np.array([1e-150, 1, 1e150, 1e-5]),
    "float32 at its limits": lambda X: (X * 1e-38).astype(np.float32),
    "half precision": lambda X: X.astype(np.float16),
    "bytes in the other order": lambda X: X.astype(">f8"),
    "Fortran's order": np.asfortranarray,
    "rows in reverse": lambda X: X[::-1],
    "missing cells": lambda X: with_cell(X, np.nan),
    "nullable missing values": lambda X: pd.DataFrame(X).astype("Float64").mask(X > 1),
}

REFUSED = {
    "infinity": (lambda X: with_cell(X, np.inf), "contains infinity"),
    "complex numbers": (lambda X: X + 1j, "Complex data not supported"),
    "text": (lambda X: np.full(X.shape, "one"), "could not convert string to float|numeric"),
    "no rows": (lambda X: X[:0], "0 sample"),
    "no columns": (lambda X: X[:, :0], "0 feature"),
    "one dimension": (lambda X: X[0], "Expected 2D array"),
    "three dimensions": (lambda X: X[None], "dim 3"),
    "values too large to square": (lambda X: X / abs(X).max() * 1.7e308, "divide X by a constant"),
}


@pytest.mark.filterwarnings("ignore:Posterior collapse")  # some have nothing to say
@pytest.mark.parametrize("case", UNUSUAL)
@pytest.mark.parametrize("Estimator", AUTOENCODERS)
def test_unusual_input_gives_finite_results(Estimator, case, blobs):
    X = UNUSUAL[case](blobs)
    model = tiny(Estimator, min(2, *np.shape(X)), max_iter=1).fit(X)
    Z = model.transform(X)
    for result in (Z, model.inverse_transform(Z), model.score_samples(X)):
        assert np.isfinite(np.asarray(result, dtype=np.float64)).all()
    assert all(bool(torch.isfinite(w).all()) for w in model.module_.state_dict().values())


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("Estimator", AUTOENCODERS)
def test_impossible_input_is_refused_by_name(Estimator, case, blobs):
    make, sentence = REFUSED[case]
    model = tiny(Estimator)
    with np.errstate(invalid="ignore", over="ignore"), pytest.raises(ValueError, match=sentence):
        model.fit(make(blobs))
    assert not hasattr(model, "module_")


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
class TestFittedAutoencoder:
    def test_refuses_what_fit_refuses_and_other_columns(self, Estimator, blobs):
        frame = pd.DataFrame(blobs, columns=list("abcd"))
        model, named = tiny(Estimator).fit(blobs), tiny(Estimator).fit(frame)
        cases = [
            (model, with_cell(blobs, -np.inf), "contains infinity"),
            (model, blobs[:, :1], "X has 1 features"),
            (named, frame[["b", "a", "c", "d"]], "should match those that were passed"),
        ]
        for fitted, X, sentence in cases:
            for method in (fitted.transform, fitted.score_samples, fitted.score):
                with pytest.raises(ValueError, match=sentence):
                    method(X)
        with pytest.raises(ValueError, match="decodes codes of 2"):
            model.inverse_transform(blobs)

    def test_ranks_rows_like_no_other_last(self, Estimator, blobs):
        model = tiny(Estimator).fit(blobs)
        far = np.array([[1.0], [1e5], [1e50], [1e100]]) * np.full(4, 30.0)
        scores = model.score_samples(np.vstack([blobs, far, np.full((1, 4), 1e200)]))
        assert not np.isnan(scores).any()
        assert (np.diff(scores[-5:]) < 0).all() and scores[:-5].min() > scores[-5]

    def test_reads_reversed_and_strided_rows(self, Estimator, blobs):
        model = tiny(Estimator).fit(blobs)
        assert_array_equal(model.transform(blobs[::-1])[::-1], model.transform(blobs))
        wide = np.repeat(blobs, 2, axis=1)[:, ::2]
        assert_array_equal(model.transform(wide), model.transform(blobs))

    @pytest.mark.parametrize("exponent", [-660, -40, 40, 660])
    def test_powers_of_two_change_units_and_nothing_else(self, Estimator, blobs, exponent):
        """Floating point scales by 2^k without rounding: by 1e-199 and by 1e199 here."""
        scale = 2.0**exponent
        plain, scaled = tiny(Estimator).fit(blobs), tiny(Estimator).fit(blobs * scale)
        assert_allclose(
            scaled.inverse_transform(scaled.transform(blobs * scale)),
            plain.inverse_transform(plain.transform(blobs)) * scale,
            rtol=1e-9,
        )
        shift = blobs.shape[1] * np.log(scale)  # of a density
        scores = plain.score_samples(blobs), scaled.score_samples(blobs * scale) + shift
        assert_allclose(scores[1], scores[0], atol=1e-9)
        assert_array_equal(np.argsort(scores[1]), np.argsort(scores[0]))

    @pytest.mark.parametrize(("scale", "offset"), [(1e-200, 0.0), (1e200, 0.0), (3e-3, 7.0)])
    def test_follows_any_scale(self, Estimator, blobs, scale, offset):
        plain, scaled = tiny(Estimator).fit(blobs), tiny(Estimator).fit(blobs * scale + offset)
        X_hat = scaled.inverse_transform(scaled.transform(blobs * scale + offset))
        expected = plain.inverse_transform(plain.transform(blobs))
        assert_allclose((X_hat - offset) / scale, expected, atol=1e-4)
        scores = plain.score_samples(blobs), scaled.score_samples(blobs * scale + offset)
        assert (np.argsort(scores[0]) == np.argsort(scores[1])).mean() > 0.9

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_a_learning_rate_beyond_reason_leaves_finite_weights(
        self, Estimator, early_stopping, blobs
    ):
        model = tiny(
            Estimator, solver="sgd", learning_rate_init=1e35, early_stopping=early_stopping
        )
        with pytest.warns(ConvergenceWarning, match="lower learning_rate_init"):
            model.fit(blobs)
        Z = model.transform(blobs)
        for result in (Z, model.inverse_transform(Z), model.score_samples(blobs)):
            assert np.isfinite(result).all()


def test_a_bernoulli_likelihood_refuses_rows_that_are_not_of_zeros_and_ones(blobs):
    """Half the weight of a 2 would count as a bonus."""
    model = tiny(VAETransformer, loss="binary_cross_entropy").fit((blobs > 0).astype(float))
    with pytest.raises(ValueError, match=r"needs X in \[0, 1\]"):
        model.score_samples(blobs)


@pytest.mark.parametrize("n_samples", [3, 60, 61, 997])
def test_rounding_is_not_taken_for_variation(n_samples):
    X = np.tile([0.1, 0.7, 1 / 3, -3.0], (n_samples, 1))
    X[1] = np.nextafter(X[1], 1)
    model = tiny(AutoencoderTransformer, 2).fit(X)
    assert float(model.module_.scale) == 1.0
    assert_allclose(model.inverse_transform(model.transform(X)), X)


def test_one_cell_like_no_other_does_not_spoil_the_rest(blobs):
    """The scale that features share is that of the cell, and PCA is still PCA."""
    X = with_cell(blobs, 1e12)
    model = tiny(AutoencoderTransformer, 2).fit(X)
    assert_allclose(model.inverse_transform(model.transform(X))[3, 1], 1e12)


@pytest.mark.parametrize("settings", [{"normalization": "layer"}, {"architecture": "transformer"}])
def test_squares_of_what_is_normalised_do_not_overflow(settings, blobs):
    model = tiny(AutoencoderTransformer, **settings).fit(blobs)
    scores = model.score_samples(np.outer([1e2, 1e100, 1e200], np.ones(4)))
    assert np.isfinite(scores[:2]).all() and (np.diff(scores) < 0).all()
