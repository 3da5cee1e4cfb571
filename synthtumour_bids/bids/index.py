"""The index of a dataset's images, made by pybids and kept as narrow as the run needs."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.description import DESCRIPTION_FILE
from synthtumour_bids.bids.folders import survey
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS, datatype
from synthtumour_bids.errors import DataError, UsageError

LOGGER = logging.getLogger(__name__)


def open_index(
    root: Path,
    suffixes: Collection[str],
    *,
    subjects: Collection[str] | None = None,
    database: Path | None = None,
    but: Collection[Path] = (),
) -> Any:
    """Index the images of a dataset.

    Names alone are read, no metadata. Everything that cannot be asked for is left out, as
    listing the folders of a large dataset on a network drive takes minutes.

    Parameters
    ----------
    root
        The dataset.
    suffixes
        Of the images that will be asked for.
    subjects
        Labels of the only subjects to index; ``None`` for all.
    database
        Folder of a pybids database. One that is there is used as it is; a new one is made of the
        images of all subjects, so that it serves any later run.
    but
        Files and folders to leave out; a new database leaves out all that cannot be read.

    Returns
    -------
    A ``bids.BIDSLayout``.

    Raises
    ------
    DataError
        When the dataset's description cannot be read, or is none.
    UsageError
        When the database is of another dataset, or broken.
    """
    from bids.layout import BIDSLayout, BIDSLayoutIndexer

    _check_description(root)
    if database is None:
        ignore = _all_but(subjects, {datatype(suffix) for suffix in suffixes}, suffixes)
        ignore += [_below(path.relative_to(root)) for path in but]
        indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=ignore)
        return BIDSLayout(root, validate=False, config=_config(root), indexer=indexer)
    try:
        there = (database / "layout_index.sqlite").is_file()
    except OSError as error:
        raise UsageError(_unusable_database(database, error)) from error
    if not there:
        _make_database(root, database)
    return _open_database(root, database)


def _config(root: Path) -> list[dict[str, Any]]:
    """Entities as pybids knows them, looked for below the dataset's root alone.

    It looks for them in absolute paths, where a folder above may be called ``pet`` or ``run-2``.
    """
    content = _entities()
    above = rf"^{re.escape(str(root.absolute()))}(?s:.*?)"
    for entity in content["entities"]:
        entity["pattern"] = f"{above}(?:{entity['pattern']})"
    return [content]


def entity_names() -> dict[str, str]:
    """Names of the entities that can be asked for, by themselves and as file names have them."""
    names: dict[str, str] = {}
    for entity in _entities()["entities"]:
        name, short = entity["name"], re.search(r"\+([a-z]+)-\(", entity["pattern"])
        names |= {name: name, **({short[1]: name} if short else {})}
    return names


def _entities() -> dict[str, Any]:
    from bids.config import get_option

    content: dict[str, Any] = json.loads(
        Path(get_option("config_paths")["bids"]).read_text(encoding="utf-8")
    )
    return content


def _check_description(root: Path) -> None:
    """Read the dataset's description as pybids does, which does so unguarded."""
    from bids.exceptions import BIDSValidationError
    from bids.layout.validation import validate_derivative_path, validate_root

    path = root / DESCRIPTION_FILE
    try:
        _, description = validate_root(root, validate=False)
        if description and description.get("DatasetType") == "derivative":
            validate_derivative_path(root)
    except (BIDSValidationError, FileNotFoundError):  # which it does not mind
        return
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}). Mend its permissions."
        raise DataError(msg) from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        msg = (
            f"{path} does not hold what BIDS has there, such as "
            '{"Name": "My study", "BIDSVersion": "1.10.0"}: correct it. '
            f"({error})"
        )
        raise DataError(msg) from error


def _all_but(
    subjects: Collection[str] | None, folders: Collection[str], suffixes: Collection[str]
) -> list[re.Pattern[str]]:
    """Patterns of what not to index, for paths such as ``/sub-01/ses-1/anat/x.nii.gz``."""
    labels = "[^/]+" if subjects is None else f"(?:{'|'.join(map(re.escape, sorted(subjects)))})"
    any_folder = "|".join(sorted(folders))
    any_suffix = "|".join(sorted(suffixes)) or "[^_/]+"
    return [
        re.compile(rf"^/(?!sub-{labels}(?:/|$))"),
        re.compile(rf"^/[^/]+/(?!(?:ses-[^/]+|{any_folder})(?:/|$))"),
        re.compile(rf"^/[^/]+/ses-[^/]+/(?!(?:{any_folder})(?:/|$))"),
        re.compile(rf"/(?:{any_folder})/(?!sub-[^/]+_(?:{any_suffix})\.nii(?:\.gz)?$)"),
        re.compile("[\ud800-\udfff]"),  # in another encoding: a database cannot hold it
    ]


def _below(relative: Path) -> re.Pattern[str]:
    return re.compile(rf"^/{re.escape(relative.as_posix())}(?:/|$)")


def _make_database(root: Path, database: Path) -> None:
    """Make it under another name first: jobs that start at once must not fill the same one."""
    from bids.layout import BIDSLayout, BIDSLayoutIndexer

    LOGGER.info("Indexing %s into %s.", root, database)
    ignore = _all_but(None, ("anat", "dwi"), ())
    for one in survey("", root, ("FLAIR", "dwi"), None).refused:
        ignore.append(_below(one.path.relative_to(root)))
        LOGGER.warning(
            "%s The database %s is made without it: delete the database when that is mended.",
            one.message,
            database,
        )
    new = database.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}-{database.name}")
    try:
        new.parent.mkdir(parents=True, exist_ok=True)
        indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=ignore)
        BIDSLayout(root, validate=False, config=_config(root), indexer=indexer, database_path=new)
        database.mkdir(exist_ok=True)
        # The arguments first: a database counts as there when its index is.
        for file in sorted(new.iterdir(), key=lambda file: file.suffix == ".sqlite"):
            file.replace(database / file.name)
    except OSError as error:
        raise UsageError(_unusable_database(database, error)) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _unusable_database(database: Path, error: OSError) -> str:
    return f"The database folder {database} (--bids-database-dir) cannot be used: {error}."


def _open_database(root: Path, database: Path) -> Any:
    from bids.layout import BIDSLayout
    from sqlalchemy.exc import SQLAlchemyError

    advice = "Delete it, or name another folder with --bids-database-dir."
    try:
        layout = BIDSLayout(root, validate=False, database_path=database)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SQLAlchemyError) as error:
        msg = f"The database in {database} cannot be used ({error}). {advice}"
        raise UsageError(msg) from error
    if Path(layout.root).resolve() != root.resolve():
        msg = f"The database in {database} is of {layout.root}, not of {root}. {advice}"
        raise UsageError(msg)
    return layout


def query(layout: Any, suffixes: Collection[str], filters: Mapping[str, Any]) -> list[Path]:
    """Images of these suffixes that pass the filters.

    Returns
    -------
    Paths relative to the dataset's root, sorted.

    Raises
    ------
    UsageError
        When a filter names an entity that BIDS does not have.
    """
    from bids.layout import Query
    from sqlalchemy.exc import SQLAlchemyError

    words = {None: Query.NONE, "*": Query.ANY}

    def translate(value: Any) -> Any:
        if isinstance(value, list):
            return [translate(item) for item in value]
        return words.get(value, value)

    constraints: dict[str, Any] = {
        "datatype": sorted({datatype(suffix) for suffix in suffixes}),
        **{entity: translate(value) for entity, value in filters.items()},
        "suffix": list(suffixes),
        "extension": list(IMAGE_EXTENSIONS),
    }
    try:
        found = layout.get(return_type="filename", **constraints)
    except (ValueError, TypeError, OverflowError, SQLAlchemyError) as error:
        msg = f"A filter of the file of --bids-filter-file cannot be used: {error}"
        raise UsageError(msg) from error
    root = Path(layout.root)
    return sorted(Path(path).relative_to(root) for path in found)
