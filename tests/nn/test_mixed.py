"""Heads of numbers, coins and categories."""

import torch
from torch.distributions import Bernoulli, Categorical, Normal
from torch.testing import assert_close

from skae.nn import RECONSTRUCTIONS, MixedDensity, MixedReconstruction

N = 7


def columns():
    """Two numbers, a coin and categories of three and of four kinds, in mixed order."""
    share = torch.tensor([0.5, 0.3, 0.2, 0.4, 0.3, 0.2, 0.1]).double()
    p = torch.tensor([0.3]).double()
    return MixedReconstruction(
        RECONSTRUCTIONS["squared_error"],
        n_numeric=2,
        n_binary=1,
        sizes=(3, 4),
        source=torch.tensor([1, 4, 0, 2, 2, 2, 3, 3, 3, 3]),
        category=torch.tensor([-1.0, -1, 1, 0, 1, 2, 0, 1, 2, 3]).double(),
        shift=torch.cat([torch.tensor([5.0, -3.0]).double(), p, share]),
        width=torch.cat([torch.tensor([2.0, 0.1]).double(), (p * (1 - p)).sqrt(), share.sqrt()]),
        weight=torch.ones(10).double(),
    )


def rows():
    rng = torch.Generator().manual_seed(0)
    numbers = torch.randn(N, 2, generator=rng).double()
    codes = [torch.randint(k, (N, 1), generator=rng).double() for k in (2, 3, 4)]
    return torch.cat([codes[0], numbers[:, :1], codes[1], codes[2], numbers[:, 1:]], dim=1)


def outputs():
    return torch.randn(N, 10, generator=torch.Generator().manual_seed(1)).double()


def test_cells_and_rows_are_each_others_inverse():
    made, x = columns(), rows()
    assert_close(made.rows(made.cells(x)), x)
    x[2, 3] = torch.nan
    gaps = made.cells(x).isnan()
    assert gaps[2, 6:].all() and gaps.sum() == 4


def test_errors_are_negative_log_likelihoods():
    made, x, output = columns(), rows(), outputs()
    error = made.nats(output, made.cells(x))
    cells = made.cells(x)[:, :2]
    assert_close(
        error[:, :2], Normal(0, 1).log_prob(0 * cells) - Normal(output[:, :2], 1).log_prob(cells)
    )
    assert_close(error[:, 2], -Bernoulli(logits=output[:, 2]).log_prob(x[:, 0]))
    for column, block in ((2, slice(3, 6)), (3, slice(6, 10))):
        expected = -Categorical(logits=output[:, block]).log_prob(x[:, column])
        assert_close(error[:, block].sum(dim=1), expected)


def test_links_give_probabilities_and_are_undone():
    made, output = columns(), outputs()
    values = made.values(made.link(output))
    assert_close(values[:, 3:6].sum(dim=1), torch.ones(N).double())
    assert_close(values[:, 6:].sum(dim=1), torch.ones(N).double())
    again, _ = made.inverse_link(made.link(output))
    assert_close(made.link(again), made.link(output))
    assert_close(again[:, :3], output[:, :3])


def test_the_slope_is_the_links_inverse_to_first_order():
    """Along changes of shares that still sum to one."""
    made = columns()
    mean = torch.zeros(10).double()
    step = made.cells(rows())[0]
    output, slope = made.inverse_link(mean)
    found = (made.link(output + 1e-6 * slope * step) - made.link(output)) / 1e-6
    assert_close(found, step, atol=1e-4, rtol=1e-4)


def test_the_density_agrees_with_a_sum_over_the_code():
    """Laplace's approximation of one component, against a grid."""
    made, x = columns(), rows()
    weight = 0.5 * torch.randn(1, 10, generator=torch.Generator().manual_seed(2)).double()
    density = MixedDensity(
        code_std=torch.ones(1).double(),
        prior_variance=torch.tensor([0.8]).double(),
        noise_variance=torch.tensor([0.5, 0.7]).double(),
    )
    y, known = made.cells(x), torch.ones(N, 10).double()

    def output(w):
        return w @ weight

    grid = torch.linspace(-8, 8, 2001).double()
    joint = torch.stack(
        [density.log_joint(w.expand(N, 1), y, known, output(w.expand(N, 1)), made) for w in grid]
    )
    expected = torch.logsumexp(joint, dim=0) + torch.log(grid[1] - grid[0])
    found = density(torch.zeros(N, 1).double(), y, known, output, made)
    assert_close(found, expected, atol=0.02, rtol=0)
