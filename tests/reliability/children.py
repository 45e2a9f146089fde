"""What processes do that are interrupted, killed or forked; each starts with torch imported."""

import multiprocessing
import os
import signal
import threading
import warnings
from contextlib import contextmanager

import numpy as np
import torch
from conftest import tiny

from skae import AutoencoderTransformer
from skae.training import CheckpointFile, Trainer, _checkpoint

PRELOADED = ["pytest", "sklearn.datasets", "sklearn.decomposition", "torch._dynamo", "skae"]

SECONDS = 60
"""How long a test waits before it calls a process hung."""


@contextmanager
def child(function, *args):
    """A process that runs a function of a connection, and the other end of that connection."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    here, there = context.Pipe()
    process = context.Process(target=function, args=(there, *args))
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def told(connection):
    """What the process says next."""
    assert connection.poll(SECONDS), "the process hangs"
    return connection.recv()


def killed_after(connection, n_epochs, X, parameters):
    """Fit, and die by SIGKILL when the fit has been kept before so many epochs."""
    _checkpoint.SECONDS, _checkpoint.SHARE = 0.0, np.inf
    kept, save = [], CheckpointFile.save

    def save_and_die(self, run):
        save(self, run)
        kept.append(run.epoch)
        if len(kept) == n_epochs:
            os.kill(os.getpid(), signal.SIGKILL)

    CheckpointFile.save = save_and_die
    tiny(AutoencoderTransformer, **parameters).fit(X)
    connection.send("not killed")


def interrupted(connection, X, parameters):
    """Fit for minutes unless a signal comes, and tell what is left then."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    epoch, begun = Trainer._epoch, []

    def counted(self, *args):
        begun.append(args)
        if len(begun) == 3:  # garbage may be collected in the first one, which takes a while here
            connection.send("training")
        return epoch(self, *args)

    Trainer._epoch = counted
    model = tiny(AutoencoderTransformer, max_iter=10**6, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    connection.send(([str(w.message) for w in caught], model))


def forked_after_training(connection, X):
    """Compute on two threads, fork, and fit in the child as in the parent."""
    torch.set_num_threads(2)
    settings = {
        "max_iter": 1,
        "hidden_layer_sizes": (256, 256),
        "batch_size": len(X),
        "early_stopping": False,
    }
    expected = tiny(AutoencoderTransformer, **settings).fit(X).transform(X)
    assert torch.get_num_threads() == 2
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        Z = tiny(AutoencoderTransformer, **settings).fit(X).transform(X)
        os.write(writer, b"the same" if np.array_equal(Z, expected) else b"something else")
        os._exit(0)
    connection.send(pid)
    connection.send(os.read(reader, 99))
    os.waitpid(pid, 0)


def first_of_two_ranks(connection, X):
    """Fit where torchrun's words for its first process stand, and tell the codes."""
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29512"}
    connection.send(tiny(AutoencoderTransformer).fit(X).transform(X))


def holds(connection, path):
    """Hold a checkpoint as a fit does, until told to let go."""
    with CheckpointFile(path, {}):
        connection.send("holding")
        connection.recv()


def mapped(connection, path):
    """Fit a file that is mapped to memory, and tell by how much the process grew at most."""
    from skae.autoencoders import _streaming as streaming
    from skae.training import _stream

    streaming.LARGE, streaming.SAMPLE, _stream.BUFFER = 10**6, 2**18, 2**18
    X = np.load(path, mmap_mode="r")
    tiny(AutoencoderTransformer).fit(np.asarray(X[:1000]))  # what is imported late is there now
    before, peak, done = anonymous(), [0], threading.Event()

    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    settings = {"max_iter": 1, "early_stopping": False, "batch_size": 10_000}
    model = tiny(AutoencoderTransformer, **settings).fit(X)
    done.set()
    watcher.join()
    connection.send((peak[0] - before, model.n_samples_seen_))


def anonymous():
    """Bytes of memory that is no file's."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("RssAnon"))
