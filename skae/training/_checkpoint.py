"""Keeping a fit in a file while it goes on, so that it survives the death of its process."""

import json
import os
import warnings
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from skae.training._run import Run

SECONDS = 10.0
"""How much of a fit is lost at most, where writing takes no more than a tenth of a second."""

SHARE = 0.01
"""Share of the time that is spent on writing, at most."""

KIND = "skae checkpoint 2"
"""What the file says of itself."""


class Checkpoint:
    """Is shown each run of a fit where it begins, before its epochs and at its end.

    This one keeps nothing.
    """

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *error: Any) -> None:
        """Called at the end of the fit, or of its attempt."""

    def random_state(self, random_state: np.random.RandomState) -> np.random.RandomState:
        """The one that the fit began with, of which this is the one it would begin with now."""
        return random_state

    def resume(self, run: Run) -> None:
        """Take a run that begins to where it stood before."""

    def save(self, run: Run) -> None:
        """Keep a run, if it is time for it."""

    def finish(self, run: Run) -> None:
        """Keep what came of a run, when the next one is saved."""


class CheckpointFile(Checkpoint):
    """Keeps all runs of a fit in a file, and takes them from it where it exists.

    Parameters
    ----------
    path : str or os.PathLike
        The file. It is replaced as a whole, so that it is never torn, and removed once all runs
        that were begun are finished.
    identity : dict of str to str
        What makes the fit the same as another, by names that a user knows.

    Raises
    ------
    ValueError
        When the context is entered and the file holds a fit that is another, or something else.
    RuntimeError
        When another fit, here or in another process, has the file.
    """

    def __init__(self, path: str | os.PathLike, identity: dict[str, str]):
        self.path, self.identity = Path(path), identity
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.lock = FileLock(f"{self.path}.lock")
        self.content: dict[str, Any] = {"runs": []}
        self.past: list[dict] = []
        self.unfinished = False

    def __enter__(self) -> "CheckpointFile":
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"checkpoint={str(self.path)!r} stands in a folder that does not exist; create it."
            )
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise RuntimeError(
                f"Another fit is writing checkpoint={str(self.path)!r} just now; give each fit a "
                "path of its own."
            ) from None
        try:
            if self.path.exists():
                self._read()
        except BaseException:
            self.lock.release()
            raise
        self.due = monotonic() + SECONDS
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None and not self.unfinished:
            self.path.unlink(missing_ok=True)
        if not self.path.exists():
            Path(self.lock.lock_file).unlink(missing_ok=True)
        self.lock.release()

    def random_state(self, random_state: np.random.RandomState) -> np.random.RandomState:
        state: Any = random_state.get_state(legacy=True)
        name, key, *rest = state
        now = [name, key.tolist(), *rest]
        begun = self.content.setdefault("random_state", now)
        if begun != now:  # numpy's global one, which has moved on or is that of another process
            random_state = np.random.RandomState()
            name, key, *rest = begun
            random_state.set_state((name, np.asarray(key, dtype=np.uint32), *rest))
        return random_state

    def resume(self, run: Run) -> None:
        self.unfinished = True
        if self.past:
            run.load_state_dict(self.past.pop(0))

    def save(self, run: Run) -> None:
        if monotonic() >= self.due:
            self._write(self.content["runs"] + [run.state_dict()])

    def finish(self, run: Run) -> None:
        self.unfinished = False
        state = run.state_dict()
        best = {"module": state["record"]["_weights"], "optimizers": []}
        self.content["runs"].append(state | best)

    def _write(self, runs: list[dict]) -> None:
        begun = monotonic()
        try:
            with open(self.part, "wb") as file:
                file.write(packed({**self.content, "runs": runs, "identity": self.identity}))
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.part, self.path)
        except OSError as error:
            self.part.unlink(missing_ok=True)
            warnings.warn(
                f"checkpoint={str(self.path)!r} could not be written, and the fit goes on without: "
                f"{error}",
                RuntimeWarning,
                stacklevel=2,
            )
        now = monotonic()
        self.due = now + max(SECONDS, (now - begun) / SHARE)

    def _read(self) -> None:
        name = f"checkpoint={str(self.path)!r}"
        content = unpacked(self.path)
        if content is None:
            raise ValueError(f"{name} is a file of another kind; pass another path.")
        theirs = content.pop("identity")
        differences = [
            f"{key} was {theirs.get(key)} and is now {self.identity.get(key)}"
            for key in theirs | self.identity
            if theirs.get(key) != self.identity.get(key)
        ]
        if differences:
            raise ValueError(
                f"{name} holds another fit, which was not finished: {'; '.join(differences)}. "
                "Delete the file to start afresh, or pass another path."
            )
        self.past, self.content = content.pop("runs"), {**content, "runs": []}


def packed(tree: Any) -> bytes:
    """A safetensors file of some dictionaries and lists of numbers, texts and tensors."""
    tensors: dict[str, Tensor] = {}

    def put(tensor: Tensor) -> dict[str, str]:
        name = str(id(tensor))
        if name not in tensors:
            tensors[name] = tensor.detach().cpu().contiguous().clone()
        return {"tensor": name}

    return save(tensors, {"kind": KIND, "tree": json.dumps(tree, default=put)})


def unpacked(path: Path) -> Any:
    """What `packed` was given, with the keys of dictionaries as strings; None of other files."""
    if not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = load(path.read_bytes())  # read, not mapped: the file will be replaced
    except SafetensorError:
        return None
    if metadata.get("kind") != KIND:
        return None

    def get(entry: dict) -> Any:
        return tensors[entry["tensor"]] if entry.keys() == {"tensor"} else entry

    return json.loads(metadata["tree"], object_hook=get)
