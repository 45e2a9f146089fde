"""Recurrent coders: they stop where a series does."""

import pytest
import torch

from skae.nn import RecurrentAutoencoder, recurrent_coders
from skae.nn._recurrence import recurrent_layer

PLAIN = {
    "sequence_shape": (6, 2),
    "recurrence": "gru",
    "hidden_layer_sizes": (5,),
    "decoder_layer_sizes": (5,),
    "activation": "silu",
    "normalization": None,
    "dropout": 0.0,
    "weight_init": "xavier",
    "tied_weights": False,
    "linear_path": True,
    "custom": (None, None),
}
KINDS = pytest.mark.parametrize("recurrence", ["gru", "lstm"])


def make(n_components=3, **settings):
    rng, settings = torch.Generator().manual_seed(0), PLAIN | settings
    n_features = torch.Size(settings["sequence_shape"]).numel()
    return RecurrentAutoencoder(*recurrent_coders(n_features, n_components, **settings, rng=rng))


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def missing_from(step, x):
    """Cells that are known, where channels of two go as far as some step."""
    known = torch.ones_like(x, dtype=torch.bool)
    known[:, 2 * step :] = False
    return known


@KINDS
@pytest.mark.parametrize("widths", [(5,), (7, 5)])
def test_a_series_shorter_by_padding_gives_the_same_code(recurrence, widths):
    ways = {"recurrence": recurrence, "hidden_layer_sizes": widths, "linear_path": False}
    module, x = make(**ways), random(4, 12)
    short = make(**ways, sequence_shape=(4, 2))
    short.encoder.load_state_dict(module.encoder.state_dict())
    padded = module.encode(module.with_length(x, missing_from(4, x)))
    torch.testing.assert_close(padded, short.encode(x[:, :8]))
    assert (padded - module.encode(x)).abs().max() > 0.01


@KINDS
def test_what_fills_the_padding_changes_nothing(recurrence):
    module, x = make(recurrence=recurrence, linear_path=False), random(4, 12)
    known = missing_from(4, x)
    other = torch.where(known, x, 1e6)
    codes = [module.encode(module.with_length(rows, known)) for rows in (x, other)]
    assert torch.equal(*codes)


def test_a_gap_on_the_way_is_read_and_any_channel_makes_a_step():
    module, x = make(), random(3, 12)
    known = torch.ones(3, 12, dtype=torch.bool)
    known[0, 2:10] = False  # the last step is known
    known[1, 7:] = False  # the fourth step has one channel
    known[2] = False
    assert module.with_length(x, known)[:, 12].tolist() == [6, 4, 0]


def test_a_series_without_a_step_has_the_code_of_the_first_state():
    module, x = make(linear_path=False), random(2, 12)
    nothing = torch.zeros_like(x, dtype=torch.bool)
    z = module.encode(module.with_length(x, nothing))
    torch.testing.assert_close(z, module.encoder.network.head.bias.expand(2, 3))


def test_training_reads_as_far_as_inference():
    """The weights of cells tell the loss where a series ends."""
    module, x = make(linear_path=False), random(4, 12)
    known, rng = missing_from(4, x), torch.Generator()
    other = torch.where(known, x, 1e6)
    for score in (module.loss, module.error, module.reconstruction_error):
        found = [score(rows, rng, known.double()) for rows in (x, other)]
        found = [sum(f.values()) if isinstance(f, dict) else f for f in found]
        assert torch.equal(*found)


@KINDS
@pytest.mark.parametrize("tied_weights", [False, True])
@pytest.mark.parametrize("normalization", [None, "layer", "batch"])
def test_every_network_starts_as_its_linear_path(recurrence, tied_weights, normalization):
    ways = {"tied_weights": tied_weights, "normalization": normalization}
    module, x = make(recurrence=recurrence, **ways).eval(), random(7, 12)
    axes, mean = torch.linalg.qr(random(12, 3))[0].T, x.mean(dim=0)
    module.start_at(mean, axes)
    seen = module.with_length(x, missing_from(2, x))
    for rows in (x, seen):
        torch.testing.assert_close(module.encode(rows), (x - mean) @ axes.T)
    torch.testing.assert_close(module.decode(module.encode(x)), mean + (x - mean) @ axes.T @ axes)


@KINDS
def test_weights_are_as_many_as_a_hand_counts(recurrence):
    gates = {"gru": 3, "lstm": 4}[recurrence]
    module = make(recurrence=recurrence)
    encoder = gates * (5 * 2 + 5 * 5 + 2 * 5) + 5 * 3 + 3
    decoder = 3 * 5 + 5 + gates * (5 * 5 + 5 * 5 + 2 * 5) + 5 * 2 + 2
    paths = 2 * 12 * 3 + 3 + 12
    assert sum(p.numel() for p in module.parameters()) == encoder + decoder + paths


def test_steps_are_written_in_order_by_the_code_alone():
    """A longer series begins as a shorter one does: no step sees what comes after, or the row."""
    module, short = (make(sequence_shape=(n, 2), linear_path=False) for n in (6, 4))
    short.decoder.load_state_dict(module.decoder.state_dict())
    z = random(4, 3)
    torch.testing.assert_close(module.decode(z)[:, :8], short.decode(z))


@KINDS
def test_weights_come_from_the_generator_alone(recurrence):
    before = torch.get_rng_state()
    layers = [
        recurrent_layer(
            recurrence, 2, 4, weight_init="he", rng=torch.Generator().manual_seed(seed)
        ).state_dict()
        for seed in (0, 0, 1)
    ]
    assert torch.equal(before, torch.get_rng_state())
    for name in ("weight_ih_l0", "weight_hh_l0"):
        first, same, other = (layer[name] for layer in layers)
        assert torch.equal(first, same) and not torch.equal(first, other)
    gate = layers[0]["weight_hh_l0"][4:8]
    torch.testing.assert_close(gate @ gate.T, torch.eye(4, dtype=torch.float64))
    forget = layers[0]["bias_ih_l0"][4:8]
    assert (forget == (recurrence == "lstm")).all()


def test_modules_of_the_users_are_shown_rows_alone():
    module, x = make(custom=(torch.nn.Linear(12, 3), None)), random(4, 12)
    assert torch.equal(module.with_length(x, missing_from(4, x)), x)
    assert module.encode(x).shape == (4, 3)


@KINDS
def test_what_is_exported_computes_the_same(recurrence, monkeypatch):
    ways = {"recurrence": recurrence, "hidden_layer_sizes": (4, 5), "linear_path": False}
    module, x = make(**ways), random(4, 12)
    expected = module.decode(module.encode(x))
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    monkeypatch.setattr({"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[recurrence], "forward", None)
    torch.testing.assert_close(module.decode(module.encode(x)), expected)
