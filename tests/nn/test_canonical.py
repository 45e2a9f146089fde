"""Units and bases that undo themselves."""

import torch
from test_networks import make

from skae.nn import Canonical, CodeMap, CodeOrder


def test_units_and_basis_change_codes_but_not_reconstructions():
    module, x = make(), torch.randn(7, 4, dtype=torch.float64)
    basis = torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    location, scale = torch.arange(4).double(), torch.tensor(5.0, dtype=torch.float64)
    center = torch.tensor([0.3, -0.2], dtype=torch.float64)
    code_map = CodeMap(center=center, basis=basis, basis_inverse=torch.linalg.inv(basis))
    canonical = Canonical(module, location, scale, code_map, None, None)
    inner = (x - location) / scale
    torch.testing.assert_close(canonical.encode(x), (module.encode(inner) - center) @ basis)
    torch.testing.assert_close(canonical(x), module.decode(module.encode(inner)) * scale + location)


def test_an_order_permutes_and_rescales_and_undoes_it():
    z = torch.arange(6.0).reshape(2, 3)
    code_map = CodeOrder(order=torch.tensor([2, 0, 1]), width=torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(code_map(z)[0], torch.tensor([2.0, 0.0, 4.0]))
    torch.testing.assert_close(code_map.undo(code_map(z)), z)


def test_a_canonical_module_is_rebuilt_from_its_tensors():
    x = torch.randn(7, 4, dtype=torch.float64)
    half = torch.eye(2).double()
    for code_map in (
        CodeMap(center=torch.ones(2).double(), basis=2 * half, basis_inverse=half / 2),
        CodeOrder(order=torch.tensor([1, 0]), width=torch.ones(2).double()),
    ):
        module = Canonical(
            make(), torch.ones(4).double(), torch.tensor(2.0).double(), code_map, None, None
        )
        again = Canonical.of(make(), dict(module.state_dict()))
        torch.testing.assert_close(again(x), module(x))
