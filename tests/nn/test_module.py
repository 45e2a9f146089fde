"""The module: what its loss is made of, and units and bases that undo themselves."""

import torch
from test_networks import make

from skae.nn import Autoencoder, Canonical, CodeMap, CodeOrder


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
        def corrupt(self, x, rng):
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
    error = module.reconstruction_error(x, torch.Generator(), x.mean(dim=0))
    torch.testing.assert_close(error, 0.5 * (x - x.mean(dim=0)).square().sum(dim=1))


def test_units_and_basis_change_codes_but_not_reconstructions():
    module, x = make(), torch.randn(7, 4, dtype=torch.float64)
    basis = torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    location, scale = torch.arange(4).double(), torch.tensor(5.0, dtype=torch.float64)
    center = torch.tensor([0.3, -0.2], dtype=torch.float64)
    code_map = CodeMap(center, basis, torch.linalg.inv(basis))
    canonical = Canonical(module, location, scale, code_map)
    inner = (x - location) / scale
    torch.testing.assert_close(canonical.encode(x), (module.encode(inner) - center) @ basis)
    torch.testing.assert_close(canonical(x), module.decode(module.encode(inner)) * scale + location)


def test_an_order_permutes_and_rescales_and_undoes_it():
    z = torch.arange(6.0).reshape(2, 3)
    code_map = CodeOrder(torch.tensor([2, 0, 1]), torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(code_map(z)[0], torch.tensor([2.0, 0.0, 4.0]))
    torch.testing.assert_close(code_map.undo(code_map(z)), z)


def test_a_canonical_module_is_rebuilt_from_its_tensors():
    x = torch.randn(7, 4, dtype=torch.float64)
    for code_map in (
        CodeMap(torch.ones(2).double(), 2 * torch.eye(2).double(), torch.eye(2).double() / 2),
        CodeOrder(torch.tensor([1, 0]), torch.ones(2).double()),
    ):
        module = Canonical(make(), torch.ones(4).double(), torch.tensor(2.0).double(), code_map)
        again = Canonical.of(make(), dict(module.state_dict()))
        torch.testing.assert_close(again(x), module(x))
