"""What nnU-Net needs around it: environment variables, threads, silence and a device."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import distributed as dist

from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.execution.pool import processes_can_talk
from synthtumour_bids.execution.temporary import sockets_fit

LOGGER = logging.getLogger(__name__)

# nnU-Net looks for trainers that are not its own in this folder.
TRAINER_FOLDER = Path(__file__).parent

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the mount that torch passes batches through
MAX_LOADER_WORKERS = 12


class _DebugLines(io.TextIOBase):
    """A text stream whose lines become debug records."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                LOGGER.debug("nnU-Net: %s", line.rstrip())
        return len(text)


@contextlib.contextmanager
def nnunet_environment(folder: Path, *, n_processes: int = 1) -> Iterator[None]:
    """Point nnU-Net at one working folder, and its prints at the log, for one block.

    nnU-Net reads its folders from environment variables whenever it needs them, so that several
    datasets can be worked on in turn. The variables and ``sys.stdout`` belong to the process: do
    not enter this from two threads at once.

    Parameters
    ----------
    folder
        Base of ``nnUNet_raw``, ``nnUNet_preprocessed`` and ``nnUNet_results``.
    n_processes
        Processes that nnU-Net may start. Never passed on as 0, which nnU-Net's planner hands to
        ``torch.set_num_threads``.
    """
    wanted = {
        "nnUNet_raw": str(folder / "nnUNet_raw"),
        "nnUNet_preprocessed": str(folder / "nnUNet_preprocessed"),
        "nnUNet_results": str(folder / "nnUNet_results"),
        "nnUNet_extTrainer": str(TRAINER_FOLDER),
        "nnUNet_compile": "T" if _may_compile() else "F",
        "nnUNet_n_proc_DA": str(max(1, n_processes)),
        "nnUNet_def_n_proc": str(max(1, n_processes)),
        "nnUNet_wandb_enabled": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with quiet():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send everything printed in the block to the log, and drop other libraries' deprecations."""
    with contextlib.redirect_stdout(_DebugLines()), warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield


def _may_compile() -> bool:
    # torch.compile is nnU-Net's default and dies without a C compiler. It pays off over hours of
    # training on a GPU only, so it is used where the user's environment asks for it and can.
    asked = os.environ.get("nnUNet_compile", "F").lower() in ("true", "1", "t")  # noqa: SIM112
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    return asked and compiler is not None and torch.cuda.is_available()


@contextlib.contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, n))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resolve_device(device: str) -> torch.device:
    """Turn the user's word for a device into a torch device that is there.

    Parameters
    ----------
    device
        ``"auto"`` (CUDA, else Apple's MPS, else the CPU), ``"cuda"``, ``"cuda:N"``, ``"mps"`` or
        ``"cpu"``.

    Raises
    ------
    UnavailableError
        The device was asked for by name and is not there.
    UsageError
        Not the name of a device.
    """
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if has_mps else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    if device == "mps":
        if not has_mps:
            raise UnavailableError(
                "--device mps was asked for, but torch finds no Apple GPU on this machine. "
                "Use --device auto or --device cpu."
            )
        return torch.device("mps")
    kind, _, index = device.partition(":")
    if kind != "cuda" or (":" in device and not index.isdecimal()):
        raise UsageError(f"--device {device!r} is none of auto, cuda, cuda:N, cpu, mps.")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= found:
        raise UnavailableError(
            f"--device {device} was asked for, but torch {torch.__version__} finds {found} CUDA "
            "device(s). Check the driver and that the container was started with its GPU flag "
            "(--gpus all, --nv), or use --device auto or --device cpu."
        )
    return torch.device("cuda", int(index or 0))


def training_devices(device: str, n: int) -> list[torch.device]:
    """Devices to train on: the first `n` GPUs, or the one that the user's word means.

    Parameters
    ----------
    device
        See `resolve_device`. For ``n`` > 1 ``"auto"`` and ``"cuda"`` mean the same;
        ``"cpu"`` stands for `n` processes on this machine's cores.

    Raises
    ------
    UnavailableError
        Fewer GPUs are there, or torch cannot connect them.
    UsageError
        A single device was named, and `n` is not 1.
    """
    if n == 1:
        return [resolve_device(device)]
    if device == "cpu":
        return [torch.device("cpu")] * n
    if device not in ("auto", "cuda"):
        raise UsageError(f"--num-gpus {n} asks for {n} devices, --device {device} for one.")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < n:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise UnavailableError(
            f"--num-gpus {n} was asked for, but torch {torch.__version__} finds {found} CUDA "
            f"device(s); CUDA_VISIBLE_DEVICES is {'not set' if visible is None else repr(visible)}."
            " Check it, what the job scheduler was asked for, and that the container was started "
            "with its GPU flag (--gpus all, --nv), or use a smaller --num-gpus."
        )
    if not (dist.is_available() and dist.is_nccl_available()):
        raise UnavailableError(
            f"--num-gpus {n} needs NCCL, which torch {torch.__version__} was built without. "
            "Install torch from PyPI, on Linux, or leave --num-gpus out."
        )
    return [torch.device("cuda", index) for index in range(n)]


def loader_workers(nprocs: int, device: torch.device, batch_bytes: int) -> int:
    """Processes that prepare training batches beside the training itself.

    A CPU is busy with the network, which one worker easily keeps fed; a GPU needs many. Batches
    travel through shared memory: where it is too small for them (Docker gives 64 MB by default),
    batches are made in the training process instead, because workers would be killed. The same
    holds where the path of the temporary folder is too long for the sockets of workers.
    """
    if nprocs <= 1 or not sockets_fit() or not processes_can_talk():
        return 0
    workers = 1 if device.type == "cpu" else min(nprocs - 1, MAX_LOADER_WORKERS)
    if SHARED_MEMORY.is_dir():
        free = shutil.disk_usage(SHARED_MEMORY).free
        room = free // (4 * max(1, batch_bytes))  # two waiting, one in use, one being made
        if room < workers:
            LOGGER.warning(
                "%s has %.0f MB free, enough for %d of %d data workers; a larger one "
                "(docker --shm-size or --ipc=host) makes training faster.",
                SHARED_MEMORY,
                free / 1e6,
                room,
                workers,
            )
            workers = int(room)
    return workers
