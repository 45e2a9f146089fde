"""The check of gradients: passes what torch derives, and names what is wrong."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from torch import nn

from skae import SparseAutoencoder
from skae.inspection import check_gradients
from skae.nn import ACTIVATIONS


class Scaled(torch.autograd.Function):
    """x w, with a backward that is `wrong` times too large in the weight's first entry."""

    @staticmethod
    def forward(ctx, x, w, wrong):
        ctx.save_for_backward(x, w)
        ctx.wrong = wrong
        return x * w

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        grad_w = (grad * x).sum(dim=0)
        grad_w[0] *= ctx.wrong
        return grad * w, grad_w, None


class Gain(nn.Module):
    def __init__(self, wrong):
        super().__init__()
        self.linear, self.wrong = nn.Linear(4, 4), wrong
        self.weight = nn.Parameter(torch.arange(1.0, 5.0))

    def forward(self, x):
        return Scaled.apply(self.linear(x), self.weight, self.wrong)


class Straight(torch.autograd.Function):
    """tanh, with the gradient of the identity."""

    @staticmethod
    def forward(ctx, x):
        return x.tanh()

    @staticmethod
    def backward(ctx, grad):
        return grad


class Forgetful(nn.Linear):
    def forward(self, x):
        return x @ self.weight.data.T + self.bias


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(7, 4))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(5))
def test_passes_what_torch_derives(activation, seed, X):
    layers = nn.Linear(4, 30), ACTIVATIONS[activation](), nn.Dropout(0.5), nn.BatchNorm1d(30)
    check_gradients(nn.Sequential(*layers, nn.Linear(30, 2)), X, random_state=seed)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wrong", [-1.0, 0.0, 0.9, 1.01])
def test_names_the_parameter_and_how_far_it_is_off(wrong, seed, X):
    check_gradients(Gain(1.0), X, random_state=seed)
    with pytest.raises(AssertionError, match="The gradient of weight is wrong: along") as caught:
        check_gradients(Gain(wrong), X, random_state=seed)
    said, true = (float(number.rstrip(".")) for number in numbers_in(str(caught.value)))
    assert said != true


def numbers_in(text):
    return text.split(" it is ")[1].replace("but the function has a slope of ", "").split(", ")


def test_says_how_far_off_in_words(X):
    """Twice the gradient everywhere is twice the slope."""
    module = Lambda(lambda x: Doubled.apply(x))
    with pytest.raises(AssertionError, match="The gradient of the input is wrong") as caught:
        check_gradients(module, X, random_state=0)
    said, true = (float(number.rstrip(".")) for number in numbers_in(str(caught.value)))
    assert said == pytest.approx(2 * true, rel=1e-4)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 3 * x

    @staticmethod
    def backward(ctx, grad):
        return 6 * grad


def test_names_the_layer_among_others(X):
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), Forgetful(6, 3), nn.Tanh(), nn.Linear(3, 2))
    with pytest.raises(AssertionError, match=r"gradient of 2\.weight .* it is 0, but"):
        check_gradients(module, X, random_state=0)


def test_an_error_of_the_input_is_one_of_all_layers_before(X):
    module = nn.Sequential(nn.Linear(4, 6), Lambda(Straight.apply))
    with pytest.raises(AssertionError, match=r"gradient of 0\.weight is wrong"):
        check_gradients(module, X, random_state=0)
    with pytest.raises(AssertionError, match="gradient of the input is wrong"):
        check_gradients(Lambda(Straight.apply), X, random_state=0)


@pytest.mark.parametrize("Estimator", public_estimators())
def test_the_losses_of_all_autoencoders_have_the_gradients_that_they_train_by(Estimator, blobs):
    module = tiny(Estimator, early_stopping=False).fit(blobs).module_.autoencoder
    check_gradients(module, blobs, random_state=0)


def test_a_step_is_learnt_through_by_what_is_not_its_derivative(blobs):
    model = tiny(SparseAutoencoder, sparsity="jump_relu", early_stopping=False).fit(blobs)
    with pytest.raises(AssertionError, match="gradient of log_threshold is wrong"):
        check_gradients(model.module_.autoencoder, blobs, random_state=0)


def test_finds_what_is_wrong_in_a_loss(blobs):
    fitted = tiny(public_estimators()[0], encoder=Forgetful(4, 2), init="random").fit(blobs)
    module = fitted.module_.autoencoder
    with pytest.raises(AssertionError, match=r"gradient of encoder\.network\.module\.weight is"):
        check_gradients(module, blobs, random_state=0)


@pytest.mark.parametrize("random_state", [None, 0])
def test_changes_neither_the_module_nor_a_global_generator(random_state, X):
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.3))
    before = deepcopy(module.state_dict())
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    with torch.no_grad():
        check_gradients(module, X, random_state=random_state)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert module.training and all(p.grad is None for p in module.parameters())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]) and tensor.dtype == before[name].dtype


def test_noise_that_evaluation_does_not_switch_off_stays_the_same(X):
    check_gradients(Lambda(lambda x: x * torch.rand_like(x)), X, random_state=0)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: x[:3], r"makes a torch.float64 of shape \(3, 4\) of 7 rows"),
        (lambda x: x.float(), "makes a torch.float32 of shape"),
        (lambda x: (x, x), "a coder gives a tensor"),
        (lambda x: x.sqrt(), "gives NaN or infinity"),
    ],
)
def test_refuses_what_is_no_coder(function, sentence, X):
    with pytest.raises(ValueError, match=sentence):
        check_gradients(Lambda(function), X, random_state=0)


def test_refuses_what_is_no_module(X):
    with pytest.raises(TypeError, match=r"is not a torch.nn.Module; pass what"):
        check_gradients(public_estimators()[0](), X)
    with pytest.raises(ValueError, match="contains NaN"):
        check_gradients(nn.Linear(4, 2), np.full((3, 4), np.nan))
