"""The decoder's last maps in closed form."""

import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skae.nn import (
    CORRUPTIONS,
    Autoencoder,
    PerceptualError,
    coders,
    ends_in_least_squares,
    with_least_squares,
)
from skae.nn._least_squares import PSEUDO_ROWS

SETTINGS = {
    "hidden_layer_sizes": (6,),
    "decoder_layer_sizes": (5,),
    "activation": "tanh",
    "normalization": None,
    "dropout": 0.5,
    "weight_init": "xavier",
    "tied_weights": False,
    "linear_path": True,
    "custom": (None, None),
}


def make(settings=(), **own):
    """With weights that training might have left."""
    rng = torch.Generator().manual_seed(0)
    module = Autoencoder(*coders(4, 2, **SETTINGS | dict(settings), rng=rng), **own).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=rng)
    return module


def data(n=40):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("linear_path", [False, True])
@torch.no_grad()
def test_it_is_ridge_regression_of_the_residual(linear_path, weighted):
    module, x, rng = make({"linear_path": linear_path}), data(), torch.Generator()
    weight = torch.linspace(0.1, 1.9, len(x), dtype=torch.float64) if weighted else None
    z = module.encode(x)
    read = torch.hstack([z[:, : 2 * linear_path], module.decoder.network.hidden(z)])
    read = torch.hstack([read, torch.ones(len(x), 1)]).double()
    counts = torch.ones(len(x)).double() if weight is None else weight
    size = (counts[:, None] * read.square()).sum() / (len(x) * read.shape[1])
    ridge = Ridge(alpha=float(PSEUDO_ROWS * size), fit_intercept=False)
    change = ridge.fit(read, x - module.decode(z), sample_weight=counts).predict(read)
    before = {name: p.clone() for name, p in module.state_dict().items()}
    found = with_least_squares(module, [(x, weight)], rng)
    assert_allclose(found.decode(z) - module.decode(z), change, atol=1e-12)
    assert torch.equal(found.encode(x), z)
    assert all(torch.equal(p, before[name]) for name, p in module.state_dict().items())


@torch.no_grad()
def test_many_rows_leave_nothing_that_least_squares_could_explain():
    module, x = make(), data(100_000)
    found = with_least_squares(module, [(x, None)], torch.Generator())
    z = found.encode(x)
    residual = x - found.decode(z)
    read = torch.hstack([z, found.decoder.network.hidden(z)])
    assert_allclose(residual.mean(dim=0), 0, atol=1e-3)
    assert_allclose(residual.T @ read / len(x), 0, atol=1e-2)
    assert residual.square().sum() < (x - module.decode(z)).square().sum() / 2


@torch.no_grad()
def test_batches_make_no_difference():
    module, x = make(), data()
    whole, parts = (
        with_least_squares(module, batches, torch.Generator()).decode(module.encode(x))
        for batches in ([(x, None)], [(x[:7], None), (x[7:], None)])
    )
    assert_allclose(whole, parts, atol=1e-12)


def test_where_rows_are_corrupted_it_is_for_corrupted_rows():
    x, zeros = data(), torch.zeros(4, dtype=torch.float64)
    noise = CORRUPTIONS["gaussian"]((0.5, 0.5), mean=zeros, zero=zeros, low=zeros, high=zeros)
    module = make(corruption=noise)
    seen = noise(x, torch.Generator().manual_seed(0))[0]
    found, clean = (
        with_least_squares(some, [(x, None)], torch.Generator().manual_seed(0))
        for some in (module, make())
    )
    with torch.no_grad():
        z = module.encode(seen)
        errors = [(x - some.decode(z)).square().sum() for some in (found, clean)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("linear_path", [False, True])
def test_what_ends_in_least_squares(linear_path):
    assert ends_in_least_squares(make({"linear_path": linear_path}))


@pytest.mark.parametrize(
    "module",
    [
        make(loss="absolute_error"),
        make(trim=0.1),
        make(perceptual=PerceptualError(torch.nn.Identity(), torch.zeros(4), 1.0)),
        make({"tied_weights": True, "decoder_layer_sizes": (6,)}),
        make({"hidden_layer_sizes": (), "decoder_layer_sizes": ()}),
        make({"custom": (None, torch.nn.Linear(2, 4))}),
    ],
    ids=[
        "loss",
        "trim",
        "perceptual",
        "tied weights",
        "no hidden layers",
        "a module of the user's",
    ],
)
def test_what_does_not(module):
    assert not ends_in_least_squares(module)
