"""Priors, discrepancies against a double loop, and whose turn moves what."""

from itertools import permutations
from math import cos, exp

import pytest
import torch
from test_networks import PLAIN
from torch.func import jacrev, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from skae.nn import PRIORS, AdversarialAutoencoder, WassersteinAutoencoder, coders, discriminator
from skae.nn._priors import MAX_ROWS, SCALES, squared_mmd, to_prior
from skae.training import Trainer
from skae.training._rows import Rows

SETTINGS = {"n_components": 2, "n_features": 4, "prior": "gaussian", "prior_weight": 0.5}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n=9):
    return torch.randn(n, 4, generator=generator(1), dtype=torch.float64)


def wasserstein(**settings):
    parts = coders(4, 2, **PLAIN | {"linear_path": False}, rng=generator())
    return WassersteinAutoencoder(*parts, **SETTINGS | settings)


def adversarial(tied_weights=False, **settings):
    parts = coders(4, 2, **PLAIN | {"tied_weights": tied_weights}, rng=generator())
    adversary = discriminator(2, (8,), generator())
    return AdversarialAutoencoder(*parts, discriminator=adversary, **SETTINGS | settings)


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("prior", PRIORS)
def test_priors_have_mean_zero_and_covariance_one(prior, n_components):
    z = PRIORS[prior]((200_000, n_components), generator())
    torch.testing.assert_close(z.mean(dim=0), z.new_zeros(n_components), atol=0.02, rtol=0)
    eye = torch.eye(n_components, dtype=z.dtype)
    torch.testing.assert_close(z.T @ z / len(z), eye, atol=0.02, rtol=0)
    assert z.dtype == torch.float64


def test_the_mixture_is_of_one_gaussian_on_each_side_of_each_axis():
    """By its characteristic function along an axis and along a diagonal."""
    z = PRIORS["mixture"]((100_000, 2), generator())
    radius, noise = 1.5**0.5, exp(-0.5 * 2**2 * 0.25)
    along = noise * (0.5 + 0.5 * cos(2 * radius))
    across = noise * cos(2**0.5 * radius)
    assert abs(float((2 * z).cos().mean()) - along) < 0.01
    assert abs(float((2**0.5 * z.sum(dim=1)).cos().mean()) - across) < 0.01
    assert abs(float((2**0.5 * z.sum(dim=1)).sin().mean())) < 0.01


def by_double_loop(a, b):
    def k(p, q):
        c = 2 * len(p)
        return sum(s * c / (s * c + float((p - q).square().sum())) for s in SCALES) / len(SCALES)

    def mean(pairs):
        values = [k(p, q) for p, q in pairs]
        return sum(values) / len(values)

    across = mean((p, q) for p in a for q in b)
    return mean(permutations(a, 2)) + mean(permutations(b, 2)) - 2 * across


def test_the_discrepancy_is_that_of_a_double_loop():
    a, b = rows(7)[:, :3], 0.5 + 2 * rows(14)[7:, :3]
    found = squared_mmd(a, b[:5])
    assert abs(float(found) - by_double_loop(a, b[:5])) < 1e-12


def test_the_discrepancy_is_without_bias():
    """Small samples of one distribution are no more alike or different than none at all."""
    rng = generator()
    found = torch.stack(
        [
            squared_mmd(*torch.randn(2, 4, 3, generator=rng, dtype=torch.float64))
            for _ in range(1000)
        ]
    )
    assert abs(found.mean()) < 4 * found.std() / 1000**0.5
    assert (found < 0).any()


def test_a_row_alone_has_no_discrepancy():
    z = torch.ones(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(to_prior(z, "gaussian", generator()), z)
    assert torch.equal(gradient, torch.zeros(1, 2))


def test_distances_do_not_cancel_in_half_precision():
    a, b = torch.randn(2, 50, 3, generator=generator())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(squared_mmd(a, b), squared_mmd(a.double(), b.double()).float())
        whole = to_prior(a.bfloat16(), "gaussian", generator())
    assert whole.dtype == torch.float32


def test_of_many_codes_some_are_compared():
    z = rows(3 * MAX_ROWS + 1)[:, :2]
    some = z[::4]
    expected = squared_mmd(some, PRIORS["uniform"](some.shape, generator()))
    torch.testing.assert_close(to_prior(z, "uniform", generator()), expected)


def test_the_charge_couples_rows_and_is_in_the_held_out_error():
    module, x = wasserstein().eval(), rows()
    z, plain = module.encode(x), module.reconstruction_error(x, generator())
    expected = 0.5 * 4 * squared_mmd(z, PRIORS["gaussian"](z.shape, generator()))
    terms = module.loss(x, generator())
    torch.testing.assert_close(terms["discrepancy"], expected)
    torch.testing.assert_close(module.error(x, generator()), plain + expected)
    assert module.couples_rows and not adversarial().couples_rows


def test_held_out_rows_are_judged_whatever_the_adversary_says():
    module, x = adversarial().eval(), rows()
    expected = module.error(x, generator())
    with torch.no_grad():
        module.discriminator.layers[-1].bias.add_(7.0)
    torch.testing.assert_close(module.error(x, generator()), expected)
    judge = wasserstein(prior_weight=1.0)
    torch.testing.assert_close(
        expected - module.reconstruction_error(x, generator()),
        judge.discrepancy(module.encode(x), generator()).expand(9),
    )


@pytest.mark.parametrize("tied_weights", [False, True])
@pytest.mark.parametrize("turn", [0, 1])
def test_no_turn_moves_the_weights_of_the_other(turn, tied_weights):
    module = adversarial(tied_weights).float()
    with torch.no_grad():  # so that both have something to say to each other
        module.discriminator.layers[-1].weight.fill_(0.3)
    before = {name: w.clone() for name, w in module.named_parameters()}
    chosen = module.phases()[0][turn]
    module.phases = lambda: [[chosen]]
    settings = {"solver": "adamw", "learning_rate": "constant", "learning_rate_init": 0.01}
    trainer = Trainer(batch_size=9, alpha=0.01, momentum=0.9, **settings)
    trainer.run(module, Rows(rows().float()), n_epochs=2, rng=generator())
    moved = {name for name, w in module.named_parameters() if not torch.equal(w, before[name])}
    own = {name for name in before if name.startswith("discriminator") == (turn == 0)}
    assert moved <= own and len(moved) > len(own) / 2


def test_the_coders_turn_wants_to_fool_the_adversary():
    """Its gradient pulls codes to where the adversary takes them for draws."""
    module = adversarial().eval()
    with torch.no_grad():
        for layer in module.discriminator.layers:
            layer.weight.abs_()
        module.discriminator.layers[-1].weight.fill_(0.3)
    z = rows()[:, :2].requires_grad_()
    charge = module.penalty(rows(), z, generator())["adversarial"]
    (gradient,) = torch.autograd.grad(charge.sum(), z)
    assert charge.shape == (9,) and (gradient < 0).all()


def test_the_adversary_is_charged_for_its_slopes():
    module, x = adversarial(), rows()
    with torch.no_grad():
        module.discriminator.layers[-1].weight.fill_(0.3)
    terms = module.discrimination(x, generator())
    z = module.encode(x)
    both = torch.cat([z, PRIORS["gaussian"](z.shape, generator())])
    slopes = vmap(jacrev(lambda code: module.discriminator(code[None])[0, 0]))(both)
    torch.testing.assert_close(terms["temper"], 0.5 * slopes.square().sum(dim=1).mean())
    odds = module.discriminator(both)[:, 0]
    truth = torch.cat([torch.zeros(9), torch.ones(9)]).double()
    expected = 2 * binary_cross_entropy_with_logits(odds, truth)
    torch.testing.assert_close(terms["discriminator"], expected)


def test_rows_that_do_not_teach_do_not_teach_the_adversary():
    """A row far from all others has the largest error and is left out."""
    found = []
    for size in (1e2, 1e4):
        module, x = adversarial(trim=0.1), rows(10)
        x[3] = size
        with torch.no_grad():
            module.discriminator.layers[-1].weight.fill_(0.3)
        loss = module.discrimination(x, generator())["discriminator"]
        found.append(torch.autograd.grad(loss, module.discriminator.layers[0].weight)[0])
    assert torch.equal(*found) and found[0].any()
