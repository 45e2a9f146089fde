"""Layer-wise phases: what moves in each, and what it learns."""

import pytest
import torch
from test_networks import PLAIN

from skae.nn import StackedAutoencoder, coders
from skae.nn._corruptions import MeanMasking
from skae.training import Rows, Trainer, generator

TRAINER = Trainer(
    batch_size=8,
    solver="adamw",
    learning_rate="constant",
    learning_rate_init=0.01,
    alpha=0.1,
    momentum=0.9,
)


def make(corruption=None, **settings):
    rng = torch.Generator().manual_seed(0)
    widths = {"hidden_layer_sizes": (6, 5, 5), "decoder_layer_sizes": (5, 5, 6)}
    both = coders(4, 2, **PLAIN | widths | {"activation": "tanh"} | settings, rng=rng)
    return StackedAutoencoder(*both, corruption=corruption).eval()


@pytest.fixture
def x():
    return torch.randn(24, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def moved(module, x, phase):
    """Names of the weights that a phase alone changes."""
    alone = module.phases()[phase]
    module.phases = lambda: [alone]
    before = {name: w.clone() for name, w in module.named_parameters()}
    TRAINER.run(module, Rows(x), n_epochs=3, rng=generator(0))
    return {name for name, w in module.named_parameters() if not torch.equal(w, before[name])}


@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("normalization", [None, "layer", "batch"])
@pytest.mark.parametrize("tied_weights", [True, False])
def test_each_phase_moves_its_own_layer_only(linear_path, normalization, tied_weights, x):
    settings = {"linear_path": linear_path, "normalization": normalization}
    for i in range(4):
        names = moved(make(tied_weights=tied_weights, **settings), x, i)
        layers = {name.split(".")[3] for name in names if name.startswith("encoder.network")}
        mirror = {name.split(".")[3] for name in names if name.startswith("decoder.network")}
        assert layers == {str(i)} and mirror == {str(3 - i)}
        assert not any("path" in name for name in names)
        parts = {name.split(".")[2] for name in names}
        assert parts == ({"layers"} if normalization is None else {"layers", "norms"})


def test_the_last_phase_moves_everything(x):
    module = make()
    assert len(module.phases()) == 5
    assert moved(module, x, 4) == dict(make().named_parameters()).keys()


def test_layers_with_a_shortcut_give_back_their_input_from_the_start(x):
    module = make(residual=True)
    assert module.layer_loss(2, x, None)["reconstruction"] == 0
    assert module.layer_loss(1, x, None)["reconstruction"] > 0
    gains = {name for name, w in module.named_parameters() if any(w is p for p in module.pair(2))}
    assert {"encoder.network.joins.2.gains", "decoder.network.joins.1.gains"} <= gains


@pytest.mark.parametrize("sizes", [(), (3,)])
@pytest.mark.parametrize("linear_path", [True, False])
def test_a_network_of_one_layer_has_no_phases_of_its_own(sizes, linear_path):
    module = make(hidden_layer_sizes=sizes, decoder_layer_sizes=sizes, linear_path=linear_path)
    assert len(module.phases()) == (3 if sizes else 1)


def test_a_layer_learns_to_give_back_the_clean_input_from_the_spoilt_one(x):
    """By hand for the second of four layers: tanh networks without norms."""
    zero = torch.zeros(4, dtype=torch.float64)
    noise = MeanMasking((0.5, 0.5), zero, zero, zero, zero)
    module = make(noise, linear_path=False)
    down, up = module.encoder.network.layers, module.decoder.network.layers
    seen, _ = noise(x, torch.Generator().manual_seed(7))
    code = torch.tanh(down[1](torch.tanh(down[0](seen))))
    error = torch.tanh(up[2](code)) - torch.tanh(down[0](x))
    terms = module.layer_loss(1, x, torch.Generator().manual_seed(7))
    torch.testing.assert_close(sum(terms.values()), 0.5 * error.square().sum() / len(x))


def test_beside_a_linear_path_the_first_layer_learns_what_it_leaves(x):
    module = make()
    start = module.error(x, torch.Generator()).mean()
    torch.testing.assert_close(module.layer_loss(0, x, None)["reconstruction"], start)
    module.encoder.path.weight.data.copy_(torch.eye(4)[:2])
    module.encoder.path.bias.data.zero_()
    module.decoder.path.weight.data.copy_(torch.eye(4)[:, :2])
    module.decoder.path.bias.data.zero_()
    left = 0.5 * x[:, 2:].square().sum(dim=1).mean()
    torch.testing.assert_close(module.layer_loss(0, x, None)["reconstruction"], left)


def test_beside_a_linear_path_the_innermost_layer_is_shown_its_code(x):
    module = make()
    inner = module.input_of(3, x)
    back = module.decoder.network.layer(0, module.encode(x))
    expected = 0.5 * (back - inner).square().sum(dim=1).mean()
    torch.testing.assert_close(module.layer_loss(3, x, None)["reconstruction"], expected)


def test_only_known_cells_and_rows_that_teach_count_in_the_first_phase(x):
    module, known = make(), torch.ones_like(x)
    known[:, 1] = 0
    terms = module.layer_loss(0, x, None, known)
    error = module.error(x, torch.Generator(), known)
    torch.testing.assert_close(terms["reconstruction"], error.mean())
    module.trim = 0.25
    terms = module.layer_loss(0, x, None, known)
    torch.testing.assert_close(terms["reconstruction"], error.sort().values[:18].mean())
