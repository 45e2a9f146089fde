"""The module: what its loss is made of, and units and bases that undo themselves."""

import pytest
import torch
from conftest import public_estimators, tiny
from test_networks import make

import skae
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

        def penalty(self, x, z, rng):
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


def gradient_with_outliers(module, X, size):
    """Of the loss on rows of which six, a tenth, are planted."""
    x = torch.tensor(X)
    x[:6] = size * torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    if hasattr(module, "idle"):
        module.idle.zero_()
    module.zero_grad()
    sum(module.loss(x, torch.Generator().manual_seed(0)).values()).backward()
    return torch.cat([w.grad.ravel() for w in module.parameters() if w.grad is not None])


TRIMMED = [
    # where hidden cells alone count, an outlier of which none is hidden has no error
    *((Estimator, {"emphasis": 0.0}) for Estimator in public_estimators()),
    (skae.VAETransformer, {"n_importance_samples": 3}),
    (skae.VAETransformer, {"free_bits": 0.1}),
    (skae.SparseAutoencoder, {"sparsity": "l1"}),
    (skae.SparseAutoencoder, {"sparsity": "jump_relu"}),
]


@pytest.mark.parametrize(("Estimator", "settings"), TRIMMED)
def test_trimmed_it_does_not_depend_on_how_large_outliers_are(Estimator, settings, blobs):
    """In no term: what is left out of the reconstructions is not charged for its code either."""
    gradients = {}
    for trim in (0.1, 0.09, 0.0):  # of 60 rows 6, 5 and none are left out
        model = tiny(Estimator, trim=trim, dropout=0.0, early_stopping=False, **settings)
        module = model.fit(blobs).module_.autoencoder.train()
        gradients[trim] = [gradient_with_outliers(module, blobs, size) for size in (1e2, 1e4)]
    assert torch.equal(*gradients[0.1]) and gradients[0.1][0].norm() > 0
    for trim in (0.09, 0.0):
        small, large = gradients[trim]
        assert large.norm() > 10 * small.norm()


def test_trim_leaves_out_the_rows_with_the_largest_errors():
    module, errors = make(), torch.tensor([5.0, 1.0, 9.0, 2.0, 3.0])
    expected = {0.0: [5, 1, 9, 2, 3], 0.05: [5, 1, 9, 2, 3], 0.2: [5, 1, 2, 3], 0.49: [1, 2, 3]}
    for trim, kept in expected.items():
        module.trim = trim
        assert set(errors[module.teaching(errors)].tolist()) == set(kept)
        assert module.couples_rows == (trim > 0)
        assert errors[:1][module.teaching(errors[:1])].tolist() == [5]
