"""Hidden cells: what the encoder is told, and what counts."""

import pytest
import torch
from test_networks import PLAIN
from torch import nn

from skae.nn import CORRUPTIONS, MaskedAutoencoder, coders
from skae.nn._layers import linear


def noise(kind="masking_mean", level=0.5, emphasis=1.0):
    columns = torch.arange(1.0, 5.0, dtype=torch.float64)
    return CORRUPTIONS[kind](
        (level, level), columns, 0 * columns, columns - 2, columns + 2, emphasis=emphasis
    )


def make(corruption=None, **settings):
    rng = torch.Generator().manual_seed(0)
    both = coders(4, 2, **PLAIN | settings, rng=rng, gaps=True)
    return MaskedAutoencoder(*both, corruption=corruption).eval()


def seeded():
    return torch.Generator().manual_seed(7)


@pytest.fixture
def x():
    return torch.randn(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_loss_counts_hidden_cells_only(x):
    """By hand, and without a gradient from cells that were shown."""
    module = make(noise())
    hit = module.corruption.which(x, seeded())
    seen = torch.where(hit, torch.nan, x)
    error = 0.5 * (module.decode(module.encode(seen)) - x).square()
    target = x.clone().requires_grad_()
    module.encode = lambda rows, rng=None: module.encoder(rows.detach(), rng)
    loss = module.loss(target, seeded())["reconstruction"]
    torch.testing.assert_close(loss, (error * hit).sum() / 9)
    loss.backward()
    assert (target.grad[~hit] == 0).all() and (target.grad[hit] != 0).all()


def test_emphasis_lets_shown_cells_count_less(x):
    losses = [make(noise(emphasis=e)).loss(x, seeded())["reconstruction"] for e in (0, 0.75, 1)]
    torch.testing.assert_close(losses[1], 0.25 * losses[0] + 0.75 * losses[2])


def test_missing_cells_are_hidden_and_never_count(x):
    for kind in CORRUPTIONS:
        module, known = make(noise(kind)), torch.ones_like(x)
        known[:, 2] = 0
        seen, weight = module.corrupt(x, seeded(), known)
        assert seen[:, 2].isnan().all() and (weight[:, 2] == 0).all()
        hidden = seen.isnan()
        hidden[:, 2] = False
        assert hidden.any() == module.corruption.hides
        assert torch.equal(seen.isnan(), (weight != 0) | (known == 0)) or not hidden.any()


def test_the_encoder_is_told_where_gaps_are(x):
    """A gap is not a cell at the value that stands for it."""
    layer = linear(4, 3, rng=seeded(), gaps=True)
    whole, hidden = x.clone(), x.clone()
    whole[:, 1], hidden[:, 1] = 0, torch.nan
    assert torch.equal(layer(whole), layer(hidden))
    layer.told.data.normal_(generator=seeded())
    torch.testing.assert_close(layer(hidden), layer(whole) + layer.told[:, 1])
    assert torch.equal(layer(whole), nn.functional.linear(whole, layer.weight, layer.bias))


@pytest.mark.parametrize("linear_path", [True, False])
def test_every_weight_gets_a_gradient_and_none_is_nan(x, linear_path):
    module = make(noise(), linear_path=linear_path)
    for w in module.parameters():
        w.data.normal_(generator=seeded())
    sum(module.loss(x, seeded()).values()).backward()
    for w in module.parameters():
        assert w.grad.isfinite().all() and w.grad.abs().max() > 0


def test_the_start_is_shown_what_the_noise_puts_there(x):
    """So that it is the best linear denoiser, in which a hidden cell has this value."""
    axes = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64, generator=seeded()))[0].T
    for kind in ("masking_mean", "masking_zero", "block"):
        module = make(noise(kind))
        module.start_at(x.mean(dim=0), axes, x.mean(dim=0) + 1, 2 * axes)
        hidden = x.clone()
        hidden[:, 1] = torch.nan
        filled = torch.where(hidden.isnan(), module.corruption.filled(), x)
        expected = 2 * (filled - x.mean(dim=0) - 1) @ axes.T
        torch.testing.assert_close(module.encode(hidden), expected)


def test_a_module_of_the_users_sees_no_nan(x):
    module = make(noise(), linear_path=False, custom=(nn.Linear(4, 2), None))
    x[:, 1] = torch.nan
    expected = module.encoder.network.module(x.nan_to_num())
    torch.testing.assert_close(module.encode(x), expected)
