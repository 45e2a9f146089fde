"""The ladder: what its costs are, what goes up and what comes down."""

import pytest
import torch
from test_networks import PLAIN

from skae.nn import CORRUPTIONS, Autoencoder, LadderAutoencoder, coders
from skae.nn._ladder import Lateral

WIDTHS = {"hidden_layer_sizes": (6, 5), "decoder_layer_sizes": (5, 6), "normalization": "layer"}


def noise():
    columns = torch.zeros(4, dtype=torch.float64)
    return CORRUPTIONS["gaussian"]((0.5, 0.5), columns, columns, columns, columns)


def make(weights=(1.0,), level=0.3, n_classes=0, kind=LadderAutoencoder, random=True, **settings):
    rng = torch.Generator().manual_seed(0)
    both = coders(4, 2, **PLAIN | WIDTHS | settings, rng=rng)
    own = {"n_features": 4, "layer_weights": weights, "noise_level": level}
    own |= {"classification_weight": 0.5, "labelled_share": 0.5}
    module = kind(*both, corruption=noise(), **own if kind is LadderAutoencoder else {})
    if n_classes:
        module.end_in(n_classes, 2, rng)
    if random:
        for coder in both:
            for w in coder.parameters():
                w.data.normal_(generator=rng)
    return module.eval()


def seeded():
    return torch.Generator().manual_seed(7)


@pytest.fixture
def x():
    return torch.randn(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def told(x, labels):
    return torch.cat([x, torch.tensor(labels, dtype=x.dtype)[:, None]], dim=1)


def gradient(module, x):
    for w in module.parameters():
        w.grad = None
    sum(module.loss(x, seeded()).values()).backward()
    return torch.cat(
        [w.grad.flatten() for c in (module.encoder, module.decoder) for w in c.parameters()]
    )


@pytest.mark.parametrize("linear_path", [True, False])
def test_without_any_weight_it_is_a_denoising_autoencoder(x, linear_path):
    """To the bit: loss, gradient, and the error that chooses the number of epochs."""
    ladder = make((0.0,), 0.0, linear_path=linear_path)
    plain = make(kind=Autoencoder, linear_path=linear_path)
    assert ladder.loss(x, seeded()) == plain.loss(x, seeded())
    assert torch.equal(ladder.error(x, seeded()), plain.error(x, seeded()))
    assert torch.equal(gradient(ladder, x), gradient(plain, x))


def test_with_the_lowest_weight_alone_it_denoises_the_row_along_the_ladder(x):
    """With connections that are silent, as at the start, that is the same task once more."""
    ladder, plain = make((3.0, 0.0), 0.0), make(kind=Autoencoder)
    terms, error = ladder.loss(x, seeded()), plain.loss(x, seeded())["reconstruction"]
    assert list(terms) == ["reconstruction", "layer_0"]
    torch.testing.assert_close(terms["layer_0"], 3 * error)
    torch.testing.assert_close(gradient(ladder, x), 4 * gradient(plain, x))


def test_a_row_that_comes_from_the_side_as_it_is_is_estimated_as_it_is(x):
    ladder = make((1.0, 0.0), 0.0)
    ladder.laterals[0].e.data.fill_(1.0)  # all is taken from the side
    row = ladder.descend(x, ladder.climb(x), seeded())[0]
    torch.testing.assert_close(row, x)


def test_costs_of_hidden_layers_by_hand(x):
    ladder = make((0.0, 2.0, 3.0), 0.0)
    for lateral in ladder.laterals:
        lateral.e.data.normal_(generator=seeded())
    terms = ladder.loss(x, seeded())
    seen, _ = ladder.corrupt(x, seeded())
    clean, noisy = ladder.climb(x), ladder.climb(seen)
    _, low, high = ladder.descend(seen, noisy, seeded())
    for i, (weight, z_hat, z) in enumerate(zip((2, 3), (low, high), clean.layers, strict=True)):
        expected = weight * 4 * 0.5 * (z_hat - z).square().mean(dim=1).mean()
        torch.testing.assert_close(terms[f"layer_{i + 1}"], expected)


def test_the_last_weight_is_that_of_all_layers_above():
    assert make((2.0,)).layer_weights == [2.0, 2.0, 2.0]
    assert make((2.0, 1.0)).layer_weights == [2.0, 1.0, 1.0]
    assert make((2.0, 1.0, 0.5, 4.0)).layer_weights == [2.0, 1.0, 0.5]


def test_a_lateral_connection_brings_what_is_not_expected():
    lateral, rng = Lateral(3), seeded()
    u, z, expected = torch.randn(3, 5, 3, dtype=torch.float64, generator=rng)
    assert torch.equal(lateral(u, z, expected), u)  # silent at first
    for w in lateral.parameters():
        w.data.normal_(generator=rng)
    assert torch.equal(lateral(u, expected, expected), u)
    a, b, c, d, e = (getattr(lateral, name) for name in "abcde")
    gain = a / (1 + (-b * u - c).exp()) + d * u + e
    torch.testing.assert_close(lateral(u, z, expected), u + gain * (z - expected))


def test_noise_at_every_layer_in_training_alone(x):
    module = make((1.0,), 0.5)
    clean, noisy = module.climb(x), module.climb(x, seeded())
    assert all((a != b).all() for a, b in zip(clean.layers, noisy.layers, strict=True))
    assert torch.equal(clean.code, module.encoder(x)) and torch.equal(clean.code, module.encode(x))
    many = x[:1].expand(20_000, 4)
    first = module.climb(many, seeded()).layers[0] - module.climb(many).layers[0]
    assert abs(float(first.detach().std()) - 0.5) < 0.01


def test_with_classes_nothing_but_their_probabilities_comes_down(x):
    """What is told from the side has no gain yet, so that rows of one class have one estimate."""
    ladder = make((1.0,), 0.0, n_classes=3)
    noisy = ladder.climb(x)
    other = noisy._replace(code=noisy.code + 1)
    estimates = ladder.descend(x, noisy, seeded())
    for a, b in zip(estimates, ladder.descend(x, other, seeded()), strict=True):
        assert torch.equal(a, b)
    ladder.classes.writer.weight.data.zero_()
    for estimate in ladder.descend(x, noisy, seeded()):
        torch.testing.assert_close(estimate, estimate[:1].expand_as(estimate))


def test_classes_are_counted_where_they_are_told_and_rows_where_not(x):
    ladder = make((1.0, 0.1), 0.0, n_classes=3)
    labels = [-1, 2, -1, 0, -1, -1, -1, -1, -1]
    terms = ladder.loss(told(x, labels), seeded())
    seen, _ = ladder.corrupt(x, seeded())
    log_p = ladder.logits(seen).log_softmax(dim=1)
    expected = -0.5 * 4 * (log_p[1, 2] + log_p[3, 0]) / 2
    torch.testing.assert_close(terms["classification"], expected)
    plain = torch.tensor(labels) < 0
    error = ladder.compare(ladder.output(ladder.encode(seen)), x)[plain].mean()
    torch.testing.assert_close(terms["reconstruction"], error)


def test_held_out_rows_judge_by_probabilities_of_those_with_a_label(x):
    ladder = make((1.0,), 0.3, n_classes=3)
    labels = [-1, 2, -1, 0, -1, -1, -1, -1, -1]
    extra = ladder.error(told(x, labels), seeded()) - ladder.error(x, seeded())
    p = ladder.logits(x).softmax(dim=1)
    assert (extra[[0, 2, 4, 5, 6, 7, 8]] == 0).all()
    miss = (p[1] - torch.eye(3, dtype=x.dtype)[2]).square().sum()
    torch.testing.assert_close(extra[1], 0.5 * 4 * miss / 2 / 0.5)  # twice as rare as it counts
    same = ladder.reconstruction_error(told(x, labels), seeded())
    assert torch.equal(same, ladder.reconstruction_error(x, seeded()))


@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("settings", [{}, {"hidden_layer_sizes": (), "decoder_layer_sizes": ()}])
def test_every_weight_gets_a_gradient(x, n_classes, settings):
    module = make((1.0, 0.5), n_classes=n_classes, **settings).train()
    for w in module.parameters():
        w.data.normal_(generator=seeded())
    rows = told(x, [0, 1, 2, -1, -1, -1, -1, -1, -1]) if n_classes else x
    sum(module.loss(rows, seeded()).values()).backward()
    for w in module.parameters():
        assert w.grad.isfinite().all()
    silent = [name for name, w in module.named_parameters() if not w.grad.abs().max() > 0]
    assert all("bias" in name for name in silent)  # of scores that are normalised by batch
