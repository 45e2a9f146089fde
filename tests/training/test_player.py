"""Whoever moves many parameters moves them as torch's optimisers and clipping would one by one."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn

from skae.nn import Autoencoder, Stack, Turn, coders
from skae.training import SOLVERS
from skae.training._player import Player, side_by_side

SETTINGS = {"lr": 0.05, "momentum": 0.9}


def autoencoder(seed):
    rng = torch.Generator().manual_seed(seed)
    parts = coders(
        4,
        2,
        hidden_layer_sizes=(6,),
        decoder_layer_sizes=(6,),
        activation="relu",
        normalization="layer",
        dropout=0.0,
        weight_init="he",
        tied_weights=False,
        linear_path=False,
        custom=(None, None),
        rng=rng,
    )
    return Autoencoder(*parts)


@pytest.fixture
def x():
    return torch.randn(9, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def one_by_one(module, solver, alpha):
    """What a step does, by torch's own means."""
    matrices = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": alpha},
        {"params": others, "weight_decay": 0.0},
    ]
    return SOLVERS[solver](groups, **SETTINGS)


@pytest.mark.parametrize("longest", [0.5, 1e3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_steps_are_those_of_separate_parameters(solver, longest, x):
    module, alone = autoencoder(0), autoencoder(0)
    ((turn,),) = module.phases()
    player = Player(turn, partial(SOLVERS[solver], **SETTINGS), alpha=0.1)
    optimizer = one_by_one(alone, solver, alpha=0.1)
    for batch in x.unbind(dim=1):
        player.forget()
        turn.loss(batch, None, None)["reconstruction"].backward()
        norm = player.step(0.01, longest)
        optimizer.zero_grad()
        alone.loss(batch, None, None)["reconstruction"].backward()
        torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(alone.parameters(), longest))
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()
        for ours, theirs in zip(module.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_members_of_a_stack_move_as_each_alone(alpha, x):
    members = [autoencoder(seed) for seed in range(3)]
    stack = Stack(members)
    solver = partial(SOLVERS["adamw"], **SETTINGS)
    ((turn,),) = stack.phases()
    together = Player(turn, solver, alpha)
    factors = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.float64)
    (factors * turn.loss(x, torch.Generator())["reconstruction"]).sum().backward()
    norms = together.step(0.01, 0.5)
    for i, member in enumerate(members):
        ((own,),) = member.phases()
        alone = Player(own, solver, alpha)
        (factors[i] * own.loss(x[:, i], None, None)["reconstruction"]).backward()
        torch.testing.assert_close(norms[i], alone.step(0.01, 0.5))
        for ours, theirs in zip(stack.stacked, own.parameters, strict=True):
            torch.testing.assert_close(ours[i], theirs.detach())


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_parameters_keep_values_and_share_memory_with_their_vector(shape):
    module = nn.ParameterList([torch.randn(shape, generator=torch.Generator().manual_seed(0))] * 2)
    before = deepcopy(module)
    vector = side_by_side(list(module))
    assert all(torch.equal(a, b) for a, b in zip(module, before, strict=True))
    vector.data += 1
    vector.grad += 2
    for parameter, old in zip(module, before, strict=True):
        torch.testing.assert_close(parameter.detach(), old.detach() + 1)
        torch.testing.assert_close(parameter.grad, torch.full(shape, 2.0))


def test_only_matrices_decay():
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.fill_(1.0), module.bias.fill_(1.0)
    turn = Turn(list(module.parameters()), lambda x, rng, weight: {})
    Player(turn, partial(SOLVERS["adamw"], **SETTINGS), alpha=0.1).step(0.5, 1.0)
    torch.testing.assert_close(module.weight.detach(), torch.full((2, 2), 0.95))
    torch.testing.assert_close(module.bias.detach(), torch.ones(2))
