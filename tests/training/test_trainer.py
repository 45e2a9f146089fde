"""The loop: turns, phases, schedules, and what it does when things go wrong."""

import pytest
import torch
from torch import nn

from skae.nn import Turn
from skae.training import LEARNING_RATES, SOLVERS, HeldOut, Observer, Rows, Trainer, generator

SETTINGS = {
    "batch_size": 8,
    "solver": "adamw",
    "learning_rate": "constant",
    "learning_rate_init": 0.05,
    "alpha": 0.0,
    "momentum": 0.9,
}


class TwoPlayers(nn.Module):
    """Two numbers that walk to the mean of the data, in phases and turns as told."""

    def __init__(self, phases):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.plan = phases
        self.seen = []

    def distance(self, name):
        def loss(x, rng, weight):
            self.seen.append(name)
            return {name: (self.a + self.b - x).square().mean()}

        return loss

    def phases(self):
        return [[Turn([getattr(self, n)], self.distance(n)) for n in turns] for turns in self.plan]

    is_likelihood = couples_rows = is_capturable = False

    def error(self, x, rng, weight=None):
        return self.reconstruction_error(x, rng)

    def reconstruction_error(self, x, rng, weight=None, mean=None):
        x_hat = self.a + self.b if mean is None else mean
        return (x_hat - x).square().sum(dim=1)


class ThreePhases(TwoPlayers):
    """Both numbers move in each, and the loss has the phase's name."""

    def __init__(self):
        super().__init__([])

    def phases(self):
        return [[Turn([self.a, self.b], self.distance(name))] for name in "abc"]


class Cliff(TwoPlayers):
    """Its loss is not a number where steps are too large."""

    def phases(self):
        def loss(x, rng, weight):
            fallen = torch.where(self.a.detach().abs() > 2, torch.nan, 1.0)
            return {"a": (fallen * (self.a - x)).square().mean()}

        return [[Turn([self.a], loss)]]


@pytest.fixture
def x():
    return torch.ones(20, 1)


def run(
    module, x, n_epochs=1, rng=0, held_out=None, stop=lambda r: False, observer=None, **changes
):
    trainer = Trainer(**SETTINGS | changes)
    return trainer.run(
        module,
        Rows(x),
        n_epochs=n_epochs,
        rng=generator(rng),
        held_out=held_out,
        stop=stop,
        observer=observer,
    )


def test_a_turn_moves_only_its_own_parameters(x):
    module = TwoPlayers([["a"]])
    run(module, x)
    assert module.a != 0 and module.b == 0


def test_turns_alternate_on_each_batch_and_phases_follow_each_other(x):
    module = TwoPlayers([["a", "b"], ["b"]])
    record = run(module, x, 2)
    assert module.seen == ["a", "b"] * 3 + ["b"] * 3
    assert [set(losses) for losses in record.losses] == [{"a", "b"}, {"b"}]


def test_phases_share_the_epochs_and_the_last_ones_come_first(x):
    for n_epochs, phases in ((1, "c"), (2, "bc"), (3, "abc"), (5, "abbcc")):
        record = run(ThreePhases(), x, n_epochs)
        assert [next(iter(losses)) for losses in record.losses] == list(phases)


def test_each_phase_has_a_schedule_of_its_own(x):
    record = run(ThreePhases(), x, 6, learning_rate="exponential")
    rates = [steps["learning_rate"] for steps in record.steps]
    assert rates[0] == rates[2] == rates[4] > rates[1] == rates[3] == rates[5]


@pytest.mark.parametrize("who", ["observer", "stop"])
def test_what_ends_a_phase_early_ends_training(x, who):
    class Content(Observer):
        def epoch_ends(self, record):
            return len(record.losses) == 1  # and not again

    enough = {"observer": Content()} if who == "observer" else {"stop": lambda r: r.losses[0:1]}
    assert len(run(ThreePhases(), x, 6, **enough).losses) == 1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("learning_rate", LEARNING_RATES)
def test_every_solver_learns_under_every_schedule(solver, learning_rate, x):
    module = TwoPlayers([["a"]])
    record = run(module, x, 40, solver=solver, learning_rate=learning_rate)
    assert record.losses[-1]["a"] < 0.5 * record.losses[0]["a"]


def test_one_cycle_rises_to_one_and_falls_to_zero():
    rate = LEARNING_RATES["one_cycle"]
    assert rate(0.0) == pytest.approx(1 / 25)
    assert rate(0.1) == pytest.approx(1)
    assert rate(1.0) == pytest.approx(0)
    assert all(LEARNING_RATES[name](0.0) == 1 for name in set(LEARNING_RATES) - {"one_cycle"})


def test_batches_differ_by_one_row_at_most():
    sizes = []

    class Counting(TwoPlayers):
        def phases(self):
            def loss(x, rng, weight):
                sizes.append(len(x))
                return {"a": (self.a - x).square().mean()}

            return [[Turn([self.a], loss)]]

    run(Counting([]), torch.ones(17, 1))
    assert sorted(sizes) == [5, 6, 6]


def test_the_loss_of_an_epoch_is_a_mean_over_rows():
    module = TwoPlayers([["a"]])
    x = torch.arange(17.0)[:, None]
    record = run(module, x, learning_rate_init=1e-12)
    assert record.losses[0]["a"] == pytest.approx(float(x.square().mean()), rel=1e-4)


def test_the_best_held_out_weights_come_back(x):
    module = TwoPlayers([["a"]])
    held_out = HeldOut(Rows(torch.full((4, 1), 0.3)), torch.zeros(1))
    record = run(module, x, 60, held_out=held_out)
    assert record.best == record.scores.index(max(record.scores)) > 0
    assert record.best < len(record.losses), "training went on past the best"
    assert module.a.item() == pytest.approx(0.3, abs=0.1)
    assert len(record.scores) == len(record.losses) + 1


def test_the_start_comes_back_where_training_only_harms(x):
    module = TwoPlayers([["a"]])
    record = run(module, x, 5, held_out=HeldOut(Rows(torch.zeros(4, 1)), torch.ones(1)))
    assert record.best == 0 and module.a == 0


def test_a_divergence_brings_the_best_weights_back_and_a_lower_rate(x):
    module = TwoPlayers([["a"]])
    poisoned = iter([False, True] + [False] * 100)

    class Poisoned(TwoPlayers):
        def phases(self):
            def loss(x, rng, weight):
                factor = float("nan") if next(poisoned) else 1.0
                return {"a": factor * (self.a - x).square().mean()}

            return [[Turn([self.a], loss)]]

    module = Poisoned([])
    record = run(module, x, 3)
    assert record.divergences == 1 and record.ended == ""
    assert len(record.losses) == 3 and torch.isfinite(module.a)


def test_three_divergences_end_the_run_with_good_weights(x):
    class Poisoned(TwoPlayers):
        def phases(self):
            return [[Turn([self.a], lambda x, rng, w: {"a": torch.nan * (self.a - x).mean()})]]

    module = Poisoned([])
    record = run(module, x, 9)
    assert record.ended == "diverged" and record.losses == [] and module.a == 0


def test_ctrl_c_keeps_the_best_weights(x):
    class Impatient(Observer):
        def epoch_ends(self, record):
            if len(record.losses) == 2:
                raise KeyboardInterrupt

    module = TwoPlayers([["a"]])
    record = run(module, x, 9, observer=Impatient())
    assert record.ended == "interrupted" and len(record.losses) == 2 and module.a > 0


def test_weight_decay_leaves_vectors_alone(x):
    class Decaying(nn.Module):
        couples_rows = False

        def __init__(self):
            super().__init__()
            self.matrix, self.vector = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1))

        def phases(self):
            def loss(x, rng, weight):
                return {"zero": 0 * (self.matrix.sum() + self.vector.sum())}

            return [[Turn([self.matrix, self.vector], loss)]]

    module = Decaying()
    run(module, x, alpha=1.0)
    assert module.vector == 1 and module.matrix < 1


def test_bfloat16_multiplies_in_bfloat16():
    seen = []

    class Multiplies(nn.Module):
        couples_rows = False

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def phases(self):
            def loss(x, rng, weight):
                seen.append(self.linear(x).dtype)
                return {"size": self.linear(x).float().square().mean()}

            return [[Turn(list(self.parameters()), loss)]]

    for precision in ("float32", "bfloat16"):
        run(Multiplies(), torch.ones(4, 4), precision=precision)
    assert seen == [torch.float32, torch.bfloat16]


def test_patience_counts_epochs_without_improvement(x):
    module = TwoPlayers([["a"]])
    held_out = HeldOut(Rows(torch.zeros(4, 1)), torch.ones(1))
    record = run(module, x, 50, held_out=held_out, stop=lambda r: r.stale(3, 0.0))
    assert len(record.losses) == 3


def test_a_divergence_lowers_the_rate_until_the_loss_stays_finite(x):
    module = Cliff([])
    record = run(module, x, 2, learning_rate_init=5.0)
    assert record.divergences == 1 and record.ended == ""
    assert 0 < module.a < 2


def test_no_two_turns_of_a_phase_share_a_parameter(x):
    with pytest.raises(ValueError, match="two turns of a phase"):
        run(TwoPlayers([["a", "a"]]), x)
    run(TwoPlayers([["a"], ["a"]]), x, 2)
