"""Convolutional coders: equivariance, adjoints, sizes of every parity, weights that are counted."""

import pytest
import torch
from torch.nn import functional as F

from skae.nn import Autoencoder, convolutional_coders
from skae.nn._maps import Maps, enlarged

PLAIN = {
    "image_shape": (8, 8),
    "channels": (3, 5),
    "kernel_size": 3,
    "downsampling": "stride",
    "upsampling": "transpose",
    "hidden_layer_sizes": (),
    "decoder_layer_sizes": (),
    "activation": "silu",
    "normalization": None,
    "dropout": 0.0,
    "weight_init": "xavier",
    "tied_weights": False,
    "linear_path": True,
    "custom": (None, None),
}


def make(n_features=64, n_components=4, **settings):
    rng = torch.Generator().manual_seed(0)
    return Autoencoder(
        *convolutional_coders(n_features, n_components, **PLAIN | settings, rng=rng)
    ).eval()


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def maps_of(module, image):
    """What the encoder's last convolution makes of an image, of shape (height, width, channels)."""
    network, x = module.encoder.network, image.flatten()[None]
    for layer in network.layers[:-1]:
        x = network.activation(layer(x))
        size = layer.maps_out
    return x.unflatten(1, size)[0]


@pytest.mark.parametrize("downsampling", ["stride", "pool"])
@pytest.mark.parametrize("side", [48, 45])
def test_maps_move_with_the_image(downsampling, side):
    """By a cell for the product of the strides, but near the border."""
    module = make(side * side, image_shape=(side, side), downsampling=downsampling)
    image = random(side, side)
    moved = torch.roll(image, (4, -8), dims=(0, 1))
    before, after = maps_of(module, image), maps_of(module, moved)
    inner = slice(4, -4)
    torch.testing.assert_close(
        after[inner, inner], torch.roll(before, (1, -2), dims=(0, 1))[inner, inner]
    )
    other = maps_of(module, torch.roll(image, (2, 0), dims=(0, 1)))
    assert (other - torch.roll(before, (1, 0), dims=(0, 1)))[inner, inner].abs().max() > 0.01


def test_weights_are_as_many_as_a_hand_counts():
    """Kernels and offsets, the map of 2 x 2 x 5 cells to 4 components, the same back, paths."""
    module = make()
    kernels = 3 * 1 * 9 + 5 * 3 * 9
    encoder = kernels + 3 + 5 + 20 * 4 + 4
    decoder = kernels + 3 + 1 + 4 * 20 + 20
    paths = 2 * 64 * 4 + 4 + 64
    assert sum(p.numel() for p in module.parameters()) == encoder + decoder + paths
    tied = sum(p.numel() for p in make(tied_weights=True).parameters())
    assert tied == encoder + (3 + 1 + 20) + 64 * 4 + 4 + 64


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 9), (1, 1), (9, 4, 3), (1, 6, 2), (2, 1)])
@pytest.mark.parametrize("downsampling", ["stride", "pool"])
@pytest.mark.parametrize("upsampling", ["transpose", "nearest"])
@pytest.mark.parametrize("tied_weights", [False, True])
def test_every_size_starts_as_its_linear_path(shape, downsampling, upsampling, tied_weights):
    n_features = torch.Size(shape).numel()
    ways = {"downsampling": downsampling, "upsampling": upsampling, "tied_weights": tied_weights}
    module = make(n_features, 1, image_shape=shape, kernel_size=5, **ways)
    x = random(6, n_features)
    axes = torch.linalg.qr(random(n_features, 1))[0].T
    mean = x.mean(dim=0)
    module.start_at(mean, axes)
    torch.testing.assert_close(module.encode(x), (x - mean) @ axes.T)
    torch.testing.assert_close(module.decode(module.encode(x)), mean + (x - mean) @ axes.T @ axes)
    assert module.decoder.network(module.encode(x)).shape == x.shape


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 9), (1, 1), (9, 4, 3)])
def test_the_way_back_is_the_transpose(shape):
    """<W x, y> = <x, W' y> for a convolution and its tied layer."""
    layers = make(torch.Size(shape).numel(), image_shape=shape, tied_weights=True)
    down, up = layers.encoder.network.layers[0], layers.decoder.network.layers[-1]
    assert up.layer is down
    x, y = random(3, down.in_features), random(3, down.out_features)
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())


def test_rows_hold_images_line_by_line_with_channels_last():
    layer = make(72, image_shape=(6, 4, 3)).encoder.network.layers[0]
    images = random(2, 6, 4, 3)
    expected = F.conv2d(images.permute(0, 3, 1, 2), layer.weight, layer.bias, 2, padding=1)
    torch.testing.assert_close(layer(images.flatten(1)), expected.permute(0, 2, 3, 1).flatten(1))


def test_a_signal_is_an_image_of_height_one():
    layer = make(9, image_shape=None).encoder.network.layers[0]
    assert layer.weight.shape == (3, 1, 1, 3) and layer.maps_out == (1, 5, 3)
    x = random(2, 9)
    expected = F.conv1d(x[:, None], layer.weight[:, :, 0], layer.bias, 2, padding=1)
    torch.testing.assert_close(layer(x), expected.mT.flatten(1))


def test_repeated_cells_are_those_of_torch():
    for shape in [(8, 8), (7, 5), (1, 3)]:
        size = Maps(*shape, 2)
        half = size.halved(2)
        maps = random(2, *half)
        expected = F.interpolate(maps.permute(0, 3, 1, 2), shape, mode="nearest")
        found = enlarged(maps, size)
        torch.testing.assert_close(found.permute(0, 3, 1, 2), expected)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 9), (1, 1)])
@pytest.mark.parametrize("downsampling", ["stride", "pool"])
@pytest.mark.parametrize("upsampling", ["transpose", "nearest"])
def test_what_is_exported_computes_the_same(shape, downsampling, upsampling, monkeypatch):
    ways = {"downsampling": downsampling, "upsampling": upsampling, "linear_path": False}
    module = make(torch.Size(shape).numel(), 2, image_shape=shape, **ways)
    x = random(3, torch.Size(shape).numel())
    expected = module.decode(module.encode(x))
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    for name in ("conv2d", "conv_transpose2d"):
        monkeypatch.setattr(F, name, None)
    torch.testing.assert_close(module.decode(module.encode(x)), expected)


@pytest.mark.parametrize("normalization, over", [("layer", 2), ("batch", (0, 1))])
def test_normalisation_is_that_of_places_or_channels(normalization, over):
    module = make(normalization=normalization, hidden_layer_sizes=(6,), decoder_layer_sizes=(6,))
    norms, x = module.encoder.network.norms.train(), 3 + random(9, 16 * 3)
    assert [norm.norm.weight.shape for norm in norms] == [(3,), (5,), (6,)]
    maps = norms[0](x).unflatten(1, (16, 3))
    torch.testing.assert_close(maps.mean(dim=over), torch.zeros_like(maps.mean(dim=over)))
    torch.testing.assert_close(
        maps.var(dim=over, correction=0), torch.ones_like(maps.mean(dim=over)), rtol=0.01, atol=0
    )
    sum(module.loss(random(9, 64), torch.Generator()).values()).backward()


def test_silent_networks_get_gradients_all_the_same():
    for tied_weights in (False, True):
        module = make(tied_weights=tied_weights)
        sum(module.loss(random(9, 64), torch.Generator()).values()).backward()
        assert module.encoder.network.layers[-1].weight.grad.abs().max() > 0
        assert module.decoder.network.layers[-1].bias.grad.abs().max() > 0


def test_modules_of_the_users_stand_behind_a_gain():
    module = make(custom=(torch.nn.Linear(64, 4), None))
    assert module.encoder.network.gain == 0
    x = random(3, 64)
    torch.testing.assert_close(module.encode(x), module.encoder.path(x))
