"""Many modules as one."""

import pytest
import torch

from skae.nn import Autoencoder, Stack, VariationalAutoencoder, coders, embed, extract, likeness
from skae.nn import SparseAutoencoder as SparseModule
from skae.nn._corruptions import GaussianNoise


def autoencoder(seed, n_components=2, *, corruption=None, **settings):
    settings = {
        "hidden_layer_sizes": (6,),
        "decoder_layer_sizes": (6,),
        "activation": "tanh",
        "normalization": "layer",
        "dropout": 0.0,
        "weight_init": "xavier",
        "tied_weights": False,
        "linear_path": True,
        "custom": (None, None),
    } | settings
    rng = torch.Generator().manual_seed(seed)
    module = Autoencoder(*coders(4, n_components, rng=rng, **settings), corruption=corruption)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.empty_like(parameter).normal_(generator=rng), alpha=0.1)
    return module


@pytest.fixture
def x():
    return torch.randn(9, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


DEEP = {"hidden_layer_sizes": (6, 6), "decoder_layer_sizes": (6, 6)}


@pytest.mark.parametrize(
    ("settings", "layered"),
    [
        ({"normalization": "layer"}, False),
        ({"normalization": None}, True),
        ({"normalization": None, "tied_weights": True}, True),
        ({"normalization": None, "linear_path": False}, True),
        ({"normalization": None, "residual": True} | DEEP, True),
    ],
)
def test_members_are_themselves_in_loss_error_and_gradient(x, settings, layered):
    members = [autoencoder(seed, **settings) for seed in range(3)]
    stack, rng = Stack(members), torch.Generator()
    assert stack.layered == layered
    losses = stack.loss(x, rng)["reconstruction"]
    losses.sum().backward()
    for i, member in enumerate(members):
        loss = member.loss(x[:, i], rng)["reconstruction"]
        torch.testing.assert_close(losses[i], loss)
        torch.testing.assert_close(stack.error(x, rng)[i], member.error(x[:, i], rng))
        gradients = torch.autograd.grad(loss, list(member.parameters()))
        for together, alone in zip(stack.stacked, gradients, strict=True):
            torch.testing.assert_close(together.grad[i], alone)


def test_members_may_differ_in_their_noise(x):
    zero = torch.zeros(4, dtype=torch.float64)
    levels = (0.0, 0.0), (3.0, 3.0)
    members = [autoencoder(0, corruption=GaussianNoise(level, *[zero] * 4)) for level in levels]
    assert likeness(members[0]) == likeness(members[1])
    quiet, loud = Stack(members).error(x[:, [0, 0]], torch.Generator().manual_seed(0))
    torch.testing.assert_close(quiet, autoencoder(0).error(x[:, 0], None))
    assert loud.mean() > 2 * quiet.mean()


@pytest.mark.parametrize("normalization", [None, "layer"])
def test_each_member_has_its_own_dropout(x, normalization):
    members = [autoencoder(0, dropout=0.5, normalization=normalization)] * 3
    same = x[:, [0, 0, 0]]
    losses = Stack(members).loss(same, torch.Generator().manual_seed(0))["reconstruction"]
    assert len(losses.unique()) == 3


@pytest.mark.parametrize("normalization", [None, "layer"])
def test_cells_of_members_have_their_weights(x, normalization):
    members = [autoencoder(seed, normalization=normalization) for seed in range(3)]
    weight = (x > 0).to(x.dtype)
    stack, rng = Stack(members), torch.Generator()
    losses, errors = stack.loss(x, rng, weight)["reconstruction"], stack.error(x, rng, weight)
    for i, member in enumerate(members):
        alone = member.error(x[:, i], rng, weight[:, i])
        torch.testing.assert_close(errors[i], alone)
        torch.testing.assert_close(losses[i], alone.mean())


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("linear_path", [False, True])
def test_components_of_zeros_stay_zero_and_say_nothing(x, tied, linear_path):
    settings = {"tied_weights": tied, "linear_path": linear_path}
    narrow, wide = autoencoder(0, 2, **settings), autoencoder(1, 3, **settings)
    embed(narrow, wide)
    optimizers = [torch.optim.AdamW(m.parameters(), lr=0.1) for m in (narrow, wide)]
    for _ in range(5):
        for module, optimizer in zip((narrow, wide), optimizers, strict=True):
            optimizer.zero_grad()
            module.loss(x[:, 0], None)["reconstruction"].backward()
            optimizer.step()
    assert (wide.encode(x[:, 0])[:, 2:] == 0).all()
    back = autoencoder(2, 2, **settings)
    extract(wide, back)
    for own, other in zip(narrow.parameters(), back.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_only_like_modules_share_a_stack():
    assert likeness(autoencoder(0)) == likeness(autoencoder(1))
    others = {"n_components": 3}, {"activation": "relu"}, {"dropout": 0.1}, {"tied_weights": True}
    for other in others:
        assert likeness(autoencoder(0)) != likeness(autoencoder(0, **other))
    assert likeness(autoencoder(0, normalization="batch")) is None
    custom = (torch.nn.Linear(4, 2), None)
    assert likeness(autoencoder(0, custom=custom)) is None
    assert VariationalAutoencoder.stacks and not SparseModule.stacks
