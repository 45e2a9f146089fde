"""The module: what its loss is made of, and units and bases that undo themselves."""

import torch
from test_networks import make

from skae.nn import Autoencoder, Canonical


def test_the_loss_is_the_mean_error_of_the_uncorrupted_rows():
    module = make()
    x = torch.randn(7, 4, dtype=torch.float64)
    loss = module.loss(x, torch.Generator())
    assert list(loss) == ["reconstruction"]
    torch.testing.assert_close(loss["reconstruction"], module.error(x).mean())


def test_a_variant_adds_named_terms_and_noise():
    class Variant(Autoencoder):
        def corrupt(self, x, rng):
            return 0 * x

        def penalty(self, x, z):
            return {"size": z.square().sum(dim=1).mean()}

    plain = make()
    variant = Variant(plain.encoder, plain.decoder)
    x = torch.ones(3, 4, dtype=torch.float64)
    loss = variant.loss(x, torch.Generator())
    assert set(loss) == {"reconstruction", "size"}
    z = plain.encode(0 * x)
    torch.testing.assert_close(loss["size"], z.square().sum(dim=1).mean())
    expected = plain.reconstruction.error(plain.decoder(z), x).mean()
    torch.testing.assert_close(loss["reconstruction"], expected)


def test_units_and_basis_change_codes_but_not_reconstructions():
    module, x = make(), torch.randn(7, 4, dtype=torch.float64)
    basis = torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    location, scale = torch.arange(4).double(), torch.tensor(5.0, dtype=torch.float64)
    center = torch.tensor([0.3, -0.2], dtype=torch.float64)
    canonical = Canonical(module, location, scale, center, basis, torch.linalg.inv(basis))
    inner = (x - location) / scale
    torch.testing.assert_close(canonical.encode(x), (module.encode(inner) - center) @ basis)
    torch.testing.assert_close(canonical(x), module.decode(module.encode(inner)) * scale + location)
