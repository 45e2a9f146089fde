"""Coders: silence at the start, ties, dropout."""

import pytest
import torch
from torch import nn
from torch.func import jacrev, vmap

from skae.nn import ACTIVATIONS, Autoencoder, Coder, coders, without_silent_networks
from skae.nn._layers import dropout, linear, masks
from skae.nn._networks import NORMALIZATIONS

PLAIN = {
    "hidden_layer_sizes": (6, 5),
    "decoder_layer_sizes": (5, 6),
    "activation": "relu",
    "normalization": None,
    "dropout": 0.0,
    "weight_init": "xavier",
    "tied_weights": False,
    "linear_path": True,
    "custom": (None, None),
}


def make(rng=0, **settings):
    rng = torch.Generator().manual_seed(rng)
    return Autoencoder(*coders(4, 2, **PLAIN | settings, rng=rng)).eval()


@pytest.fixture
def x():
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("tied_weights", [False, True])
@pytest.mark.parametrize("normalization", [None, "layer", "batch"])
def test_every_network_starts_as_its_linear_path(activation, tied_weights, normalization, x):
    module = make(activation=activation, tied_weights=tied_weights, normalization=normalization)
    axes = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64))[0].T
    mean = x.mean(dim=0)
    module.start_at(mean, axes)
    torch.testing.assert_close(module.encode(x), (x - mean) @ axes.T)
    torch.testing.assert_close(module.decode(module.encode(x)), mean + (x - mean) @ axes.T @ axes)


@pytest.mark.parametrize("tied_weights", [False, True])
def test_shortcuts_change_nothing_of_the_start(tied_weights, x):
    deep = {"hidden_layer_sizes": (5, 5, 5), "decoder_layer_sizes": (5, 5, 5)}
    module = make(tied_weights=tied_weights, residual=True, **deep)
    axes = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64))[0].T
    module.start_at(x.mean(dim=0), axes)
    expected = x.mean(dim=0) + (x - x.mean(dim=0)) @ axes.T @ axes
    torch.testing.assert_close(module.decode(module.encode(x)), expected)


def test_shortcuts_lead_past_layers_of_the_same_width(x):
    """By hand: the gains of two layers out of five."""
    settings = {"hidden_layer_sizes": (6, 6, 5, 5), "linear_path": False}
    square = make(hidden_layer_sizes=(4,), residual=True).encoder.network
    assert not list(square.joins.parameters())  # data are no hidden layer
    network = make(**settings, residual=True).encoder.network
    assert set(dict(network.named_parameters())) >= {"joins.1.gains", "joins.3.gains"}
    assert len(list(network.joins.parameters())) == 2
    layers = network.layers
    torch.testing.assert_close(
        network(x), layers[4](torch.relu(layers[2](torch.relu(layers[0](x)))))
    )
    gains = torch.arange(1.0, 7.0, dtype=torch.float64)
    network.joins[1].gains.data.copy_(gains)
    h = torch.relu(layers[0](x))
    h = h + gains * torch.relu(layers[1](h))
    torch.testing.assert_close(network(x), layers[4](torch.relu(layers[2](h))))


@pytest.mark.parametrize("tied_weights", [False, True])
def test_a_silent_network_still_gets_gradients(tied_weights, x):
    module = make(tied_weights=tied_weights)
    sum(module.loss(x, torch.Generator()).values()).backward()
    assert any(p.grad.abs().max() > 0 for p in module.encoder.network.parameters())
    assert any(p.grad.abs().max() > 0 for p in module.decoder.network.parameters())


@pytest.mark.parametrize("tied_weights", [False, True])
def test_silent_networks_are_left_out_and_others_are_not(tied_weights, x):
    module = make(tied_weights=tied_weights)
    short, z = without_silent_networks(module), module.encode(x)
    assert torch.equal(short.encode(x), z) and torch.equal(short.decode(z), module.decode(z))
    assert {*short.parameters()} <= {*module.parameters()}, "nothing is copied"
    assert short.encoder.network is None and module.encoder.network is not None
    assert (short.decoder.network is None) is not tied_weights  # which ends in the encoder's first
    with torch.no_grad():
        for coder in (module.encoder, module.decoder):
            coder.network.layers[-1].bias[0] = 1.0
    assert without_silent_networks(module) is module


def weights_of_training(module):
    """As if it had been trained."""
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=rng)
    return module


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"linear_path": False},
        {"tied_weights": True},
        {"hidden_layer_sizes": (), "decoder_layer_sizes": ()},
        {"normalization": "layer"},
        {"residual": True, "decoder_layer_sizes": (5, 5, 5)},
    ],
    ids=repr,
)
def test_slopes_are_those_of_automatic_differentiation(settings, activation):
    module = weights_of_training(make(activation=activation, **settings))
    z, directions = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(3)).double()
    J = vmap(jacrev(lambda z: module.decode(z[None])[0]))(z)
    with torch.no_grad():
        found = module.slopes(z, directions[:3])
    assert len(found) == (1 if module.decoder.network is None else 6)  # the same everywhere, or not
    expected = (J @ directions[:3].T).mT
    torch.testing.assert_close(found.expand_as(expected), expected, rtol=1e-6, atol=1e-6)


def test_slopes_of_silent_networks_are_those_of_the_path():
    module, directions = make(), torch.eye(2, dtype=torch.float64)
    z = torch.randn(6, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(module.slopes(z, directions)[0], module.decoder.path.weight.T)
        module.decoder.network.layers[-1].bias[0] = 1.0  # it says something, if the same everywhere
        assert module.slopes(z, directions).shape == (6, 2, 4)


def test_a_link_is_part_of_the_slopes(x):
    module = weights_of_training(make())
    other = Autoencoder(module.encoder, module.decoder, loss="binary_cross_entropy").eval()
    z, identity = module.encode(x), torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        p, J = other.decode(z)[:, None], module.slopes(z, identity)
        torch.testing.assert_close(other.slopes(z, identity), p * (1 - p) * J, rtol=0, atol=1e-7)


def test_slopes_follow_a_variant_that_decodes_otherwise(x):
    class Doubled(Autoencoder):
        def output(self, z, rng=None):
            return 2 * super().output(z, rng)

    module = weights_of_training(make())
    other = Doubled(module.encoder, module.decoder).eval()
    z, identity = module.encode(x), torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        expected = 2 * module.slopes(z, identity)
        torch.testing.assert_close(other.slopes(z, identity), expected, rtol=0, atol=1e-7)


def test_tied_layers_share_their_weights():
    module = make(tied_weights=True)
    down, up = module.encoder.network.layers, module.decoder.network.layers
    for layer, transposed in zip(down, reversed(up), strict=True):
        assert transposed.layer.weight is layer.weight
    assert module.decoder.path.layer.weight is module.encoder.path.weight


def test_the_decoder_may_have_widths_of_its_own():
    module = make(decoder_layer_sizes=(9,))
    assert [layer.out_features for layer in module.decoder.network.layers] == [9, 4]


def test_a_linear_path_without_hidden_layers_has_no_network():
    module = make(hidden_layer_sizes=(), decoder_layer_sizes=())
    assert module.encoder.network is None and module.decoder.network is None


def test_without_a_linear_path_there_is_only_a_network(x):
    module = make(linear_path=False)
    assert module.encoder.path is None
    assert module.encode(x).abs().max() > 0


def test_a_custom_module_starts_silent_and_is_copied(x):
    encoder = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    module = make(custom=(encoder, None))
    torch.testing.assert_close(module.encode(x), module.encoder.path(x))
    assert module.encoder.network.module is not encoder


@pytest.mark.parametrize("weight_init", ["xavier", "he"])
def test_weights_come_from_the_generator_alone(weight_init):
    draws = [
        linear(3, 2, weight_init=weight_init, rng=torch.Generator().manual_seed(seed)).weight
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_initial_weights_have_the_variance_that_their_authors_ask_for():
    rng = torch.Generator().manual_seed(0)
    xavier = linear(300, 100, weight_init="xavier", rng=rng).weight.var()
    he = linear(300, 100, weight_init="he", rng=rng).weight.var()
    torch.testing.assert_close(xavier.item(), 2 / 400, rtol=0.05, atol=0)
    torch.testing.assert_close(he.item(), 2 / 300, rtol=0.05, atol=0)


def test_dropout_keeps_the_mean_and_needs_a_generator():
    x = torch.ones(200, 200)
    assert torch.equal(dropout(x, 0.3, None), x)
    dropped = dropout(x, 0.3, torch.Generator().manual_seed(0))
    assert abs((dropped == 0).float().mean() - 0.3) < 0.01
    assert abs(dropped.mean() - 1) < 0.01
    assert torch.isfinite(dropout(x, 1 - 1e-9, torch.Generator().manual_seed(0))).all()


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.5, 0.9])
def test_units_are_dropped_at_the_rate_and_apart_from_each_other(rate):
    rows = torch.ones(40_000, 3, dtype=torch.float64)
    parts = masks(rows, [5, 2, 7], rate, torch.Generator().manual_seed(0))
    assert [part.shape for part in parts] == [(40_000, 5), (40_000, 2), (40_000, 7)]
    dropped = (torch.hstack(parts) == 0).double()
    spread = (rate * (1 - rate)) ** 0.5
    torch.testing.assert_close(
        dropped.mean(dim=0), torch.full((14,), rate).double(), atol=5 * spread / 200, rtol=0
    )
    correlations = torch.corrcoef(dropped.T) - torch.eye(14)
    assert rate < 0.05 or correlations.abs().max() < 5 / 200
    kept = torch.hstack(parts).amax().item()
    assert kept == pytest.approx(1 / (1 - rate), rel=1e-3)


def test_a_coder_adds_its_paths(x):
    rng = torch.Generator().manual_seed(0)
    path, network = linear(4, 2, rng=rng), make(linear_path=False).encoder.network
    torch.testing.assert_close(Coder(path, network)(x), path(x) + network(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layer_normalisation_does_not_depend_on_the_unit(dtype):
    norm = NORMALIZATIONS["layer"](4, device="cpu").to(dtype)
    x = torch.tensor([[1.0, -2.0, 3.0, 0.5]], dtype=dtype) * 2.0**40
    plain = torch.nn.LayerNorm(4, dtype=dtype)
    assert torch.equal(norm(x / 2.0**40), plain(x / 2.0**40))
    huge = x * 2.0 ** (60 if dtype == torch.float32 else 800)
    torch.testing.assert_close(norm(huge), norm(x))
