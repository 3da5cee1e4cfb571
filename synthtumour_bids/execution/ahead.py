"""Libraries that are loaded while other processes work, because loading takes seconds."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LOGGER = logging.getLogger(__name__)

# A signal's exception in the middle of an import leaves Python's import lock taken: the thread
# waits for it for ever.
SECONDS_TO_END = 10.0


@contextmanager
def loaded_ahead(modules: Sequence[str]) -> Iterator[None]:
    """Import modules in a thread during the block; they are there when it ends.

    What cannot be imported is told where it is needed. A block that ends with an exception waits
    no longer than `SECONDS_TO_END`.

    Parameters
    ----------
    modules
        Their full names.
    """
    thread = threading.Thread(target=_load, args=(modules,), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        thread.join(SECONDS_TO_END)
        raise
    thread.join()


def _load(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, it raises it again
            LOGGER.debug("%s could not be loaded ahead: %s", module, error)
            return
