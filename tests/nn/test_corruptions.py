"""Noises: what they hit, what they put there, and the moments that the best linear map needs."""

import pytest
import torch

from skae.nn import CORRUPTIONS


def make(name, level=(0.3, 0.3), n_features=6, **settings):
    columns = torch.linspace(-1, 1, n_features, dtype=torch.float64)
    return CORRUPTIONS[name](
        level, mean=columns, zero=0 * columns - 3, low=columns - 2, high=columns + 5, **settings
    )


def rows(n, n_features=6, seed=0):
    """Correlated rows around the columns' mean."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(n_features, n_features, generator=rng, dtype=torch.float64)
    x = torch.randn(n, n_features, generator=rng, dtype=torch.float64) @ mixing / 3
    return x + torch.linspace(-1, 1, n_features, dtype=torch.float64)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_comes_from_the_generator_and_leaves_the_rows_alone(name):
    x = rows(50)
    before = x.clone()
    one, two, other = (make(name)(x, torch.Generator().manual_seed(s))[0] for s in (0, 0, 1))
    torch.testing.assert_close(one, two)
    assert not torch.equal(one, other)
    torch.testing.assert_close(x, before)


@pytest.mark.parametrize("name", sorted(CORRUPTIONS.keys() - {"gaussian"}))
def test_only_cells_that_were_hit_change_and_their_share_is_the_level(name):
    x = rows(4000)
    seen, hit = make(name)(x, torch.Generator().manual_seed(0))
    assert torch.equal(seen[~hit], x[~hit])
    # a block covers whole cells: 0.3 of six is two
    assert abs(float(hit.double().mean()) - (1 / 3 if name == "block" else 0.3)) < 0.01


def test_each_noise_puts_its_own_values():
    x = rows(500)
    for name, expected in (("masking_mean", "mean"), ("masking_zero", "zero")):
        corruption = make(name)
        seen, hit = corruption(x, torch.Generator())
        value = getattr(corruption, expected).expand_as(x)
        assert torch.equal(seen[hit], value[hit])
        assert torch.equal(corruption.filled(), value[0])
    seen, hit = (corruption := make("salt_and_pepper"))(x, torch.Generator())
    low, high = (v.expand_as(x)[hit] for v in (corruption.low, corruption.high))
    assert bool(((seen[hit] == low) | (seen[hit] == high)).all())
    seen, hit = make("swap")(x, torch.Generator())
    for j in range(6):
        assert bool(torch.isin(seen[:, j], x[:, j]).all())


def test_gaussian_noise_has_its_deviation_and_a_range_is_drawn_from_for_each_batch():
    x = torch.zeros(2000, 6, dtype=torch.float64)
    rng = torch.Generator().manual_seed(0)
    assert abs(float(make("gaussian", (0.5, 0.5))(x, rng)[0].std()) - 0.5) < 0.01
    drawn = torch.stack([make("gaussian", (0.1, 0.9))(x, rng)[0].std() for _ in range(200)])
    assert drawn.min() > 0.09 and drawn.max() < 0.92
    assert abs(float(drawn.mean()) - 0.5) < 0.05


def test_blocks_are_runs_of_a_series_and_rectangles_of_an_image():
    hit = make("block", n_features=20)(rows(200, 20), torch.Generator().manual_seed(0))[1]
    starts = (hit[:, 1:] & ~hit[:, :-1]).sum(dim=1) + hit[:, 0]
    assert set(starts.tolist()) == {1}
    corruption = make("block", (0.25, 0.25), n_features=8 * 6 * 3, image_shape=(8, 6, 3))
    hit = corruption(rows(200, 144), torch.Generator().manual_seed(0))[1].reshape(-1, 8, 6, 3)
    assert bool((hit[..., 0] == hit[..., 2]).all())  # all channels of a pixel
    assert bool((hit.any(dim=2).sum(dim=1)[:, 0] == 4).all())  # half of the height
    assert bool((hit.any(dim=1).sum(dim=1)[:, 0] == 3).all())  # and half of the width
    assert bool((hit.sum(dim=(1, 2, 3)) == 4 * 3 * 3).all())


@pytest.mark.parametrize("level", [(0.3, 0.3), (0.1, 0.6)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_moments_are_those_of_many_corrupted_rows(name, level):
    corruption, x = make(name, level), rows(400)
    x = x - x.mean(dim=0) + corruption.mean
    rng = torch.Generator().manual_seed(0)
    seen = torch.stack([corruption(x, rng)[0] for _ in range(1500)])
    mean, cross, covariance = corruption.moments(torch.cov(x.T, correction=0))
    torch.testing.assert_close(seen.mean(dim=(0, 1)), mean, atol=0.02, rtol=0)
    centred = seen - mean
    found = torch.einsum("rni,rnj->ij", centred, centred) / (1500 * 400)
    torch.testing.assert_close(found, covariance, atol=0.08, rtol=0)
    found = torch.einsum("ni,rnj->ij", x - corruption.mean, centred) / (1500 * 400)
    torch.testing.assert_close(found, cross, atol=0.02, rtol=0)
