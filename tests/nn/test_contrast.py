"""InfoNCE, by hand."""

from math import exp, log, sqrt

import pytest
import torch
from test_networks import make

from skae.nn._contrast import info_nce
from skae.nn._corruptions import GaussianNoise


def test_three_rows_by_hand():
    """Directions at 0, 90 and 45 degrees against ones at 0, 90 and 180; lengths have no part."""
    first = torch.tensor([[2.0, 0.0], [0.0, 0.1], [3.0, 3.0]], dtype=torch.float64)
    second = torch.tensor([[5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    r = 1 / sqrt(2)
    cosines = [[1, 0, -1], [0, 1, 0], [r, r, -r]]
    for temperature in (1.0, 0.5):
        e = [[exp(c / temperature) for c in row] for row in cosines]
        expected = [
            -0.5 * log(e[i][i] / sum(e[i])) - 0.5 * log(e[i][i] / sum(row[i] for row in e))
            for i in range(3)
        ]
        loss = info_nce(first, second, temperature)
        torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


def test_codes_that_tell_nothing_cost_the_logarithm_of_the_batch():
    same = torch.ones(7, 3)
    torch.testing.assert_close(info_nce(same, same, 0.3), torch.full((7,), log(7)))
    assert info_nce(same[:1], same[:1], 1.0) == 0
    apart = torch.eye(7)
    assert (info_nce(apart, apart, 0.05) < 1e-6).all()


def test_the_module_charges_for_two_corruptions_of_each_row():
    """By hand: the noise of the second view is drawn after that of the first."""
    module, x = make(linear_path=False), torch.randn(6, 4, dtype=torch.float64)
    columns = torch.zeros(4, dtype=torch.float64)
    module.corruption = GaussianNoise((0.5, 0.5), columns, columns, columns, columns)
    plain = module.loss(x, torch.Generator().manual_seed(3))
    assert not module.couples_rows
    module.contrast_weight, module.temperature = 0.7, 0.5
    assert module.couples_rows
    rng = torch.Generator().manual_seed(3)
    views = [module.encode(module.corruption(x, rng)[0]) for _ in range(2)]
    terms = module.loss(x, torch.Generator().manual_seed(3))
    torch.testing.assert_close(terms["contrast"], 0.7 * info_nce(*views, 0.5).mean())
    torch.testing.assert_close(terms["reconstruction"], plain["reconstruction"])
    error = module.error(x, torch.Generator().manual_seed(3))
    torch.testing.assert_close(error.mean(), sum(terms.values()))


def test_rows_that_do_not_teach_are_in_no_view():
    module, x = make(linear_path=False), torch.randn(10, 4, dtype=torch.float64)
    columns = torch.zeros(4, dtype=torch.float64)
    module.corruption = GaussianNoise((0.0, 0.0), columns, columns, columns, columns)
    module.contrast_weight, module.trim = 1.0, 0.1
    x[3] = 1e3
    first = float(module.loss(x, torch.Generator().manual_seed(0))["contrast"].detach())
    x[3] = -1e4
    second = float(module.loss(x, torch.Generator().manual_seed(0))["contrast"].detach())
    assert first == pytest.approx(second)
