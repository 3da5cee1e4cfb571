"""Networks of runs that somebody handed on (--model, --teacher): nothing hostile gets through."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthtumour_bids.errors import UnavailableError, UnusableScanError
from synthtumour_bids.job import networks_in
from synthtumour_bids.layout import Network as Name
from synthtumour_bids.segmentation.model_card import CARD, CHECKPOINT, NEEDED, weights_fingerprint
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.settings import Method, Settings
from synthtumour_bids.steps.given_networks import with_networks
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY
from synthtumour_bids.synthesis.fabrication.gan_state import GanState
from tests.builders.starters import write_untrained

Attack = Callable[[Path], object]
TEXTS = (CARD, "plans.json", "dataset.json")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("whole")
    for name in Name:
        write_untrained(models / name, name=name)
    return models


@pytest.fixture
def models(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "models"))


def use(models: Path) -> None:
    settings = with_networks(Settings(models / "bids", models / "new", model=models))
    assert isinstance(settings.model, Path)
    for model in networks_in(settings.model).values():
        Network(model.folder, device="cpu", mirroring=True)


def teach(models: Path) -> None:
    with_networks(
        Settings(models / "bids", models / "new", method=Method.FABRICATION, teacher=models)
    )


@pytest.mark.parametrize("name", Name)
@pytest.mark.parametrize(
    "odd", [{"BorderRefinement": {"foo": 1}}, {"Enclosed": "abc"}, {"Enclosed": 1e300}]
)
def test_what_cards_tell_of_masks_is_checked(name: str, odd: dict[str, Any], models: Path) -> None:
    change(CARD, **odd)(models / name)
    with pytest.raises(UnavailableError, match=rf"cannot be used \(.*{next(iter(odd))}"):
        use(models)


# ---------------------------------------------------------------------- attacks


def change(file: str, **changes: Any) -> Attack:
    def attack(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **changes}))

    return attack


def change_network(**changes: Any) -> Attack:
    def attack(folder: Path) -> None:
        plans = json.loads((folder / "plans.json").read_text())
        plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"].update(changes)
        (folder / "plans.json").write_text(json.dumps(plans))

    return attack


def change_checkpoint(edit: Callable[[dict[str, Any]], Any]) -> Attack:
    def attack(folder: Path) -> None:
        content = torch.load(folder / CHECKPOINT, weights_only=True)
        edited = edit(content)
        torch.save(content if edited is None else edited, folder / CHECKPOINT)
        tell_of_weights(folder)

    return attack


def put_checkpoint(data: bytes) -> Attack:
    def attack(folder: Path) -> None:
        (folder / CHECKPOINT).write_bytes(data)
        tell_of_weights(folder)

    return attack


def tell_of_weights(folder: Path) -> None:
    change(CARD, Fingerprint=weights_fingerprint(folder))(folder)


def put(file: str, data: bytes) -> Attack:
    return lambda folder: (folder / file).write_bytes(data)


def lead_out(file: str) -> Attack:
    def attack(folder: Path) -> None:
        outside = folder.parents[1] / "outside"
        (folder / file).rename(outside)
        (folder / file).symlink_to(outside)

    return attack


def pipe(file: str) -> Attack:
    def attack(folder: Path) -> None:
        (folder / file).unlink()
        os.mkfifo(folder / file)

    return attack


def compress(folder: Path) -> None:
    """Few bytes that torch would make many of."""
    data = (folder / CHECKPOINT).read_bytes()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(folder / CHECKPOINT, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    tell_of_weights(folder)


def fill(value: float) -> Callable[[dict[str, Any]], None]:
    def edit(content: dict[str, Any]) -> None:
        for tensor in content["network_weights"].values():
            tensor.fill_(value)

    return edit


def each(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], None]:
    def edit(content: dict[str, Any]) -> None:
        weights = content["network_weights"]
        weights.update({name: change(weight) for name, weight in weights.items()})

    return edit


BAD_CARDS: tuple[dict[str, Any], ...] = (
    *({"Schema": 3}, {"Schema": [2]}, {"Template": "MNI305"}, {"Name": 7}, {"Fingerprint": 7}),
    *({"Lesion": "abscess"}, {"Lesion": ["glioma"]}, {"Contrast": "CT"}, {"Contrast": ["FLAIR"]}),
    *({"MoreContrasts": ["T1w"]}, {"MoreContrasts": ["CT"]}, {"MoreContrasts": 7}),
    *({"Method": "alchemy"}, {"Method": ["synthtumour"]}, {"Preset": "best"}, {"Preset": [1]}),
    *({"Resolution": 1.0}, {"Resolution": -4}, {"Resolution": "4"}, {"Resolution": 10**400}),
    *({"Classes": 7}, {"Classes": [{"index": 0, "name": "x"}]}, {"Classes": [{"name": "x"}]}),
    *({"Classes": [{"index": 1, "name": "x"}, {"index": 2, "name": "y"}]}, {"Profile": ["fast"]}),
    *({"Seed": "one"}, {"Training": 7}, {"Versions": ["ab"]}, {"HeldOut": [7]}, {"Files": 7}),
    *({"Files": {"plans.json": "0" * 64}}, {"BestEpoch": -1}, {"TrainingSeconds": None}),
)
ATTACKS: dict[str, Attack] = {
    "popen": change_network(nonlin="subprocess.Popen", nonlin_kwargs={"args": ["true"]}),
    "system": change_network(nonlin="os.system"),
    "features": change_network(features_per_stage=[10**6, 8]),
    **{f"deep {f}": put(f, b'{"a":' * 10**5 + b"1" + b"}" * 10**5) for f in TEXTS},
    **{f"large {f}": put(f, b'{"a":"' + b"x" * 2_000_000 + b'"}') for f in TEXTS},
    **{f"list {f}": put(f, b"[1]") for f in TEXTS},
    **{f"bytes {f}": put(f, b"\xff\xfe\0") for f in TEXTS},
    **{f"nan {f}": put(f, b'{"a": NaN}') for f in TEXTS},
    **{f"link {f}": lead_out(f) for f in NEEDED},
    **{f"pipe {f}": pipe(f) for f in NEEDED},
    **{f"card {one}": change(CARD, **one) for one in BAD_CARDS},
    "no weights": change_checkpoint(lambda content: content.pop("network_weights") and None),
    "weights in a list": change_checkpoint(lambda content: content.update(network_weights=[1])),
    "a list": change_checkpoint(lambda content: [1]),
    "other settings": change_checkpoint(lambda content: content.update(init_args=7)),
    "axis 5": change_checkpoint(
        lambda content: content.update(inference_allowed_mirroring_axes=(5,))
    ),
    "axes of text": change_checkpoint(
        lambda content: content.update(inference_allowed_mirroring_axes="abc")
    ),
    "nan weights": change_checkpoint(fill(torch.nan)),
    "infinite weights": change_checkpoint(fill(torch.inf)),
    "double": change_checkpoint(each(torch.Tensor.double)),
    "without memory": change_checkpoint(each(lambda tensor: tensor.to("meta"))),
    "shorter": change_checkpoint(each(lambda tensor: tensor[:1].clone())),
    "more": change_checkpoint(
        lambda content: content["network_weights"].update(x=torch.zeros(1).expand(10**9))
    ),
    "compressed": compress,
    "empty": put_checkpoint(b""),
    "no archive": put_checkpoint(b"\x80\x04N."),
    "other weights": put(CHECKPOINT, b"other"),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_nothing_of_a_hostile_network_gets_through(attack: Attack, models: Path) -> None:
    attack(models / Name.SENIOR)
    with pytest.raises(UnavailableError) as caught:
        use(models)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900


def test_whole_ones_do(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    use(models)
    teach(models)
    assert "have no checksums in model.json" in caplog.text


def test_an_answer_that_is_no_number_is_no_mask(models: Path) -> None:
    change_checkpoint(fill(1e38))(models / Name.SENIOR)  # finite, but not what comes of it
    network = Network(models / Name.SENIOR, device="cpu", mirroring=False)
    image = np.random.default_rng(0).random((1, 16, 16, 16), np.float32)
    with pytest.raises(UnusableScanError, match="other things than numbers"):
        network.probabilities(image, (4.0,) * 3)


@pytest.mark.parametrize("place", ["checkpoint", "weights"])
def test_nothing_is_executed(place: str, models: Path, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    if place == "checkpoint":
        put_checkpoint(pickle.dumps(Trap(trap)))(models / Name.SENIOR)
    else:
        change_checkpoint(lambda c: c["network_weights"].update(x=Trap(trap)))(models / Name.SENIOR)
    with pytest.raises(UnavailableError):
        use(models)
    assert not trap.exists()


@pytest.mark.parametrize("name", ["popen", "card {'Preset': 'best'}", "link plans.json"])
def test_a_teacher_goes_through_the_same_door(name: str, models: Path) -> None:
    ATTACKS[name](models / Name.SENIOR)
    with pytest.raises(UnavailableError):
        teach(models)


# ---------------------------------------------------------------------- the GAN of fabrication


@pytest.fixture(scope="module")
def saved_gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gan") / "fabricator.pt"
    state = GanState(1, 2, SLOPPY, torch.device("cpu"))
    state.record(0.0, (None,))
    Fabricator.of(state).save(path, "recipe")
    return path


def without_numbers(content: dict[str, Any]) -> None:
    for weights in content["networks"].values():
        for tensor in weights.values():
            tensor.fill_(torch.nan)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["settings"].update(generator=[10**6] * 4),
        lambda c: c["settings"].update(generator=[4] * 1000),
        lambda c: c["settings"].update(generator="os.system"),
        lambda c: c["settings"].update(evil="os.system"),
        lambda c: c.update(contrasts=10**9),
        lambda c: c.update(classes="2"),
        lambda c: c.update(networks=7),
        lambda c: c.pop("thresholds") and None,
        without_numbers,
        lambda c: c["networks"]["generator"].clear(),
        lambda c: [1],
    ],
)
def test_a_hostile_gan_is_not_used(
    edit: Callable[[dict[str, Any]], Any], saved_gan: Path, tmp_path: Path
) -> None:
    content = torch.load(saved_gan, weights_only=True)
    edited = edit(content)
    torch.save(content if edited is None else edited, tmp_path / "fabricator.pt")
    assert Fabricator.load(saved_gan) is not None
    assert Fabricator.load(tmp_path / "fabricator.pt") is None


def test_a_gan_executes_nothing(saved_gan: Path, tmp_path: Path) -> None:
    content = torch.load(saved_gan, weights_only=True)
    trap = tmp_path / "executed"
    torch.save({**content, "history": [Trap(trap)]}, tmp_path / "fabricator.pt")
    assert Fabricator.load(tmp_path / "fabricator.pt") is None
    state = GanState(1, 2, SLOPPY, torch.device("cpu"))
    assert not state.load(tmp_path / "fabricator.pt", "recipe")
    assert not trap.exists()
