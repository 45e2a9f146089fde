"""Units and axes at the edges of floating point."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skae.autoencoders._start import Units, principal_axes


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e200, 1e300])
def test_units_follow_any_scale(scale):
    X = np.random.default_rng(0).normal(size=(50, 3)) + 2
    units = Units.of(X * scale)
    assert_allclose(units.location, X.mean(axis=0) * scale)
    assert_allclose(units.scale, np.sqrt(X.var(axis=0).mean()) * scale)


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [0.1, 0.3, 0.7], [-1e300, 1e299, 3e299]])
def test_rounding_is_not_taken_for_variance(row):
    X = np.tile(row, (30, 1))
    assert X.mean(axis=0).tolist() != row or row[0] == 0  # or there would be no rounding
    assert Units.of(X).scale == 1.0


def test_axes_that_rows_are_too_few_for_are_zero():
    X = np.random.default_rng(0).normal(size=(3, 5))
    axes = principal_axes(X, 4, np.random.RandomState(0))
    assert axes.components.shape == (4, 5)
    assert_array_equal(axes.components[3], 0)
