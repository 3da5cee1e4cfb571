"""Pages hold together, and the commands in them are commands of this version."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from synthtumour_bids import synthesis
from synthtumour_bids.__main__ import main
from synthtumour_bids.bids.filters import read_filters
from synthtumour_bids.cli.fetch import build_parser as fetch_parser
from synthtumour_bids.cli.parser import build_parser
from synthtumour_bids.demo.__main__ import build_parser as demo_parser
from synthtumour_bids.dicom.__main__ import build_parser as dicomseg_parser
from synthtumour_bids.errors import EXIT_DONE
from synthtumour_bids.settings import Role
from synthtumour_bids.starter.__main__ import build_parser as starter_parser
from synthtumour_bids.synthesis import fabrication
from tests.builders.datasets import make, table
from tests.docs import markdown
from tests.docs.markdown import PAGES, ROOT
from tests.docs.pages import run_page

PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "synthtumour-bids": build_parser,
    "synthtumour-demo": demo_parser,
    "synthtumour-dicomseg": dicomseg_parser,
    "synthtumour-fetch": fetch_parser,
    "synthtumour-starter": starter_parser,
}
COMMANDS = [(page, command) for page in PAGES for command in markdown.commands(page)]


DRY_RUNS = [(page, command) for page, command in COMMANDS if "--dry-run" in command]


def name_of(value: object) -> str:
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in markdown.links(page):
        target = (page.parent / link.path).resolve() if link.path else page
        assert target.exists(), link.path
        if link.heading:
            assert link.heading in markdown.headings(target), f"{link.path}#{link.heading}"


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"([\w/]+\.md)$", text, re.MULTILINE))
    there = {page.relative_to(ROOT).as_posix().removeprefix("docs/") for page in PAGES}
    assert listed == there - {"README.md"} | {"index.md"}
    assert yaml.safe_load(text)["strict"]


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    public = {*synthesis.__all__, *fabrication.__all__} - {"fabrication"}
    assert set(re.findall(r"^ +- (\w+)$", text, re.MULTILINE)) == public


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 12
    assert len(DRY_RUNS) == 2
    assert {command[0] for _, command in COMMANDS} == set(PARSERS)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=name_of)
def test_commands_are_understood(page: Path, command: list[str]) -> None:
    program, *words = command
    parser = PARSERS[program]()
    for action in parser._actions:  # their folders are not here
        if action.type is not None and re.match("existing|atlas|deriv|model", action.type.__name__):
            action.type = Path
    if "--" in words:
        words = words[: words.index("--")]
    prints = {"--help", "--print-completion"} & set(words)
    with pytest.raises(SystemExit, match=r"^0$") if prints else nullcontext():
        parser.parse_args(words)


@pytest.mark.parametrize(("page", "command"), DRY_RUNS, ids=name_of)
def test_dry_runs_say_what_pages_say(
    page: Path, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "tumours", *(f"sub-{n:02d}_FLAIR.nii.gz" for n in range(1, 6)))
    make(tmp_path / "healthy", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")
    presurgical = make(tmp_path / "ds004199", *(f"sub-{n}_acq-a_FLAIR.nii.gz" for n in range(1, 4)))
    table(presurgical, "sub-1\thc", "sub-2\thc", "sub-3\tfcd")
    words = [word.replace("/data", str(tmp_path)) for word in command[1:]]
    assert main(words) == EXIT_DONE
    said = capsys.readouterr()
    assert "5 tumour and 2 tumour-free scans" in said.out
    assert ("fcd" in said.err + said.out) == ("/ds004199" in " ".join(words))


def test_the_python_of_the_questions_runs(tmp_path: Path) -> None:
    probability = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 10, 10)
    image = nib.Nifti1Image(probability, np.diag((1.0, 1.0, 2.0, 1.0)))
    nib.save(image, tmp_path / "sub-01_label-L_probseg.nii.gz")
    names = run_page(ROOT / "docs" / "faq.md", tmp_path)
    made = nib.load(tmp_path / "sub-01_label-L_desc-strict_mask.nii.gz")
    assert np.array_equal(made.affine, image.affine)
    assert np.count_nonzero(made.get_fdata()) == np.count_nonzero(probability >= 0.7)
    assert names["stricter"].any()


def test_the_python_of_the_demo_runs_with_fewer_heads(tmp_path: Path) -> None:
    asked, fewer = (
        "n_tumourfree=8, n_tumour=5, resolution=2.0",
        "n_tumourfree=1, n_tumour=2, resolution=6.0",
    )
    text = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    assert asked in text
    page = tmp_path / "demo.md"
    page.write_text(text.replace(asked, fewer), encoding="utf-8")
    cohort = run_page(page, tmp_path)["cohort"]
    truth = tmp_path / cohort.truth_dir
    assert len(list(truth.rglob("*_label-L_mask.nii.gz"))) == 4  # one comes twice


def test_the_files_that_pages_show_are_taken(tmp_path: Path) -> None:
    shown = {
        page: list(markdown.blocks(ROOT / "docs" / page, "json"))
        for page in ("priors.md", "inputs.md")
    }
    (tmp_path / "priors.json").write_text(*shown["priors.md"])
    (tmp_path / "filters.json").write_text(*shown["inputs.md"])
    priors = synthesis.load_priors("glioma", "FLAIR", tmp_path / "priors.json")
    assert priors != synthesis.load_priors("glioma", "FLAIR")
    assert read_filters(tmp_path / "filters.json").suffixes(Role.TUMOUR, "FLAIR") == ("T2w",)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_name_what_is_there(page: Path) -> None:
    for block in markdown.blocks(page, "python"):
        tree, modules = ast.parse(block, page.name), {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("synthtumour_bids"):
                found = importlib.import_module(str(node.module))
                modules |= {one.name: getattr(found, one.name) for one in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = modules.get(node.value.id)
                assert module is None or hasattr(module, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of)
def test_files_of_the_repository_are_there(page: Path) -> None:
    for path in markdown.paths(page):
        assert any(ROOT.glob(path)), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_of_benchmarks_are_there(page: Path) -> None:
    of_app = {word for action in build_parser()._actions for word in action.option_strings}
    for path, options in markdown.benchmarks(page):  # some hand what they are given to the app
        source = (ROOT / path).read_text(encoding="utf-8")
        assert [one for one in options if f'"{one}"' not in source and one not in of_app] == [], (
            path
        )
