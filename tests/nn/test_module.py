"""The module: what its loss is made of, and units and bases that undo themselves."""

import torch
from test_networks import make

from skae.nn import Autoencoder


def test_the_loss_is_the_mean_error_of_the_uncorrupted_rows():
    module = make()
    x = torch.randn(7, 4, dtype=torch.float64)
    loss = module.loss(x, torch.Generator())
    assert list(loss) == ["reconstruction"]
    rng = torch.Generator()
    torch.testing.assert_close(loss["reconstruction"], module.error(x, rng).mean())
    torch.testing.assert_close(module.error(x, rng), module.reconstruction_error(x, rng))


def test_a_variant_adds_named_terms_and_noise():
    class Variant(Autoencoder):
        def corrupt(self, x, rng, weight=None):
            return 0 * x, None

        def penalty(self, x, z):
            return {"size": z.square().sum(dim=1).mean()}

    plain = make()
    variant = Variant(plain.encoder, plain.decoder)
    x = torch.ones(3, 4, dtype=torch.float64)
    loss = variant.loss(x, torch.Generator())
    assert set(loss) == {"reconstruction", "size"}
    z = plain.encode(0 * x)
    torch.testing.assert_close(loss["size"], z.square().sum(dim=1).mean())
    expected = plain.compare(plain.decoder(z), x).mean()
    torch.testing.assert_close(loss["reconstruction"], expected)
    charged = variant.error(x, torch.Generator()).mean()
    torch.testing.assert_close(charged, sum(loss.values()))


def test_the_error_of_saying_the_mean_is_the_baseline():
    module, x = make(), torch.rand(5, 4, dtype=torch.float64)
    error = module.reconstruction_error(x, torch.Generator(), mean=x.mean(dim=0))
    torch.testing.assert_close(error, 0.5 * (x - x.mean(dim=0)).square().sum(dim=1))
