"""All that changes while a module is trained, in one place, so that it can be kept."""

from collections.abc import Sequence
from typing import Any

from torch import Generator

from skae.training._memory import Portion
from skae.training._player import Player
from skae.training._stopping import Record


class Run:
    """Where the training of a module stands, before an epoch.

    Parameters
    ----------
    module : nn.Module
        What is trained.
    record : Record
        Of what has happened.
    generators : sequence of torch.Generator
        All that random numbers come from.
    portion : Portion
        Rows that gradients are computed of at once.

    Attributes
    ----------
    phase, epoch : int
        Which is next; the epoch within its phase.
    share : float
        Of the learning rate that divergences have left.
    players : list of Player
        One for each turn of the phase.
    """

    def __init__(
        self, module: Any, record: Record, generators: Sequence[Generator], portion: Portion
    ):
        self.module, self.record, self.generators = module, record, generators
        self.portion = portion
        self.phase, self.epoch, self.share = 0, 0, 1.0
        self.players: list[Player] = []
        self._moments: list[dict] = []

    def use(self, players: list[Player]) -> None:
        """Take the players of a phase, with the moments they had where a state has been loaded."""
        self.players = players
        for player, moments in zip(players, self._moments, strict=False):
            numbered = {int(number): moment for number, moment in moments.items()}
            state = player.optimizer.state_dict() | {"state": numbered}
            player.optimizer.load_state_dict(state)
        self._moments = []

    def next_phase(self) -> None:
        """Go on to the phase that follows, with a rate of its own."""
        self.phase, self.epoch, self.share = self.phase + 1, 0, 1.0

    def state_dict(self) -> dict[str, Any]:
        """Everything, as dictionaries and lists of numbers and of the tensors in use."""
        return {
            "position": [self.phase, self.epoch, self.share],
            "n_rows": self.portion.n_rows,
            "record": self.record.state_dict(),
            "module": self.module.state_dict(),
            "optimizers": [p.optimizer.state_dict()["state"] for p in self.players],
            "generators": [generator.get_state() for generator in self.generators],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where a run stood; its optimisers follow when players are taken.

        Parameters
        ----------
        state : dict
            From `state_dict`, perhaps with its integer keys as strings.
        """
        self.phase, self.epoch, self.share = state["position"]
        self.portion.n_rows, self._moments = state["n_rows"], state["optimizers"]
        self.record.load_state_dict(state["record"])
        self.module.load_state_dict(state["module"])
        for generator, numbers in zip(self.generators, state["generators"], strict=True):
            generator.set_state(numbers)
