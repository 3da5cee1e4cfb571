"""The whole command with two tumour classes and two contrasts: real ANTs, real nnU-Net."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_DONE
from synthtumour_bids.methods.fabrication.stored_scans import StoredScan, load_lesion
from synthtumour_bids.synthesis.fabrication import coarse
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from tests.builders.cohorts import TABLE, AnnotatedCohort, write_annotated_cohort
from tests.builders.short import SHORT, SHORTEST, short_trainings

pytestmark = pytest.mark.slow
N_ANNOTATED = 11  # of them 3 are held out, as many as it takes to judge a GAN


@dataclass(frozen=True)
class Fabricated:
    cohort: AnnotatedCohort
    root: Path
    code: int

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def scratch(self) -> Path:
        return next(self.root.glob("work/*/fabrication"))

    def command(self, *more: str) -> list[str]:
        cohort = self.cohort
        return [
            *(str(cohort.bids), str(self.out), "participant", "--profile", "sloppy"),
            *("--method", "fabrication", "--annotated-dir", str(cohort.annotated)),
            *("--more-contrasts", "T1w"),
            *(
                "--semi-supervised",
                "--truth",
                str(cohort.truth),
                "--work-dir",
                str(self.root / "work"),
            ),
            *("--nprocs", "1", "--keep-work", *more),
        ]

    def json(self, name: str):
        return json.loads((self.out / name).read_text())


@pytest.fixture(scope="module")
def fabricated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabricated]:
    root = tmp_path_factory.mktemp("fabricated")
    cohort = write_annotated_cohort(root, n_tumourfree=3, n_annotated=N_ANNOTATED, n_tumour=2)
    with short_trainings(SHORTEST):
        yield Fabricated(cohort, root, main(Fabricated(cohort, root, EXIT_DONE).command()))


def test_all_unlabelled_scans_are_segmented(fabricated: Fabricated) -> None:
    assert fabricated.code == EXIT_DONE
    masks = sorted(fabricated.out.glob("sub-*/anat/sub-*_label-L_mask.nii.gz"))
    assert [path.name.split("_")[0] for path in masks if "space-" not in path.name] == [
        "sub-tumour12",
        "sub-tumour13",
    ]
    assert not list(fabricated.out.glob("derivatives/annotated/sub-*/anat/*_label-L_*"))


def test_classes_stand_beside_the_mask(fabricated: Fabricated) -> None:
    for path in fabricated.out.glob("sub-*/anat/*_desc-tumour_dseg.nii.gz"):
        classes = nib.load(path)
        mask = nib.load(path.with_name(path.name.replace("desc-tumour_dseg", "label-L_mask")))
        np.testing.assert_array_equal(classes.affine, mask.affine)
        values = np.asanyarray(classes.dataobj)
        np.testing.assert_array_equal(values > 0, np.asanyarray(mask.dataobj) > 0)
        assert set(np.unique(values)) <= {0, 1, 3}
        with path.with_name(path.name.replace(".nii.gz", ".tsv")).open() as table:
            rows = list(csv.reader(table, delimiter="\t"))
        assert rows == [line.split("\t") for line in TABLE.splitlines() if line[0] != "0"]
    assert len(list(fabricated.out.glob("sub-*/anat/*_desc-tumour_dseg.nii.gz"))) == 4


def test_output_is_valid_bids(fabricated: Fabricated) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    for folder in (fabricated.out, fabricated.out / "derivatives" / "annotated"):
        result = subprocess.run(
            [str(validator), "--ignoreWarnings", "--format", "json", str(folder)],
            capture_output=True,
            text=True,
        )
        issues = json.loads(result.stdout)["issues"]["issues"]
        assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_no_person_stands_on_both_sides(fabricated: Fabricated) -> None:
    quality = fabricated.json("models/fabricator/quality.json")
    assert quality["GanTrained"]
    samples = fabricated.json("models/fabricator/samples.json")["Samples"]
    assert len(samples) == SHORT.n_train + SHORT.n_shifted
    if quality["RefinementHelps"]:
        judged = [sample for sample in samples if not sample["HostIsAnnotated"]]
        assert quality["Judged"] == len(judged)
        assert quality["Dropped"] == sum(not sample["Accepted"] for sample in judged)
    else:
        assert quality["Judged"] is quality["Dropped"] is None
        assert not any("Accepted" in sample for sample in samples)
    assert (fabricated.out / "models" / "fabricator" / "curve.png").stat().st_size > 1000
    for key in ("Host", "Lesion"):
        sides = [
            {sample[key].split("#")[0] for sample in samples if sample["Purpose"] == purpose}
            for purpose in ("train", "validation")
        ]
        assert all(sides)
        assert not sides[0] & sides[1]


def test_models_tell_what_they_learned_from(fabricated: Fabricated) -> None:
    junior, senior = (fabricated.json(f"models/{name}/model.json") for name in ("junior", "senior"))
    assert [one["name"] for one in senior["Classes"]] == ["oedema", "core"]
    assert (junior["SemiSupervised"], senior["SemiSupervised"]) == (False, True)
    for model in (junior, senior):
        assert model["Method"] == "fabrication"
        assert (model["Contrast"], model["MoreContrasts"]) == ("FLAIR", ["T1w"])
        sides = [model[f"{side}Cases"] for side in ("Training", "Validation")]
        counts = [sum(case.startswith("annotated-") for case in side) for side in sides]
        assert counts == [N_ANNOTATED - 3, 3]
    with (fabricated.out / "models" / "pseudo_labels.tsv").open() as table:
        used = [row["used"] == "true" for row in csv.DictReader(table, delimiter="\t")]
    assert len(used) == 2
    pseudo = [case for case in senior["TrainingCases"] if case.startswith("pseudo-")]
    assert len(pseudo) == sum(used)
    report = (fabricated.out / "models" / "report.html").read_text()
    assert "Fabricated samples" in report
    assert "annotated scans (3)" in report  # of those that chose the epoch
    written = (fabricated.out / "logs" / "CITATION.md").read_text()
    learned = f"{N_ANNOTATED} annotated scans"
    for words in ("2511.18654", learned, "semi-supervised", "refined samples"):
        assert words in written


def test_samples_can_be_made_again_from_their_record(fabricated: Fabricated) -> None:
    recorded = fabricated.json("models/fabricator/samples.json")["Samples"]
    pairs = json.loads((fabricated.scratch / "pairs.json").read_text())
    files = {pair["scan"]["name"]: StoredScan.from_json(pair["scan"]) for pair in pairs}
    scans = fabricated.scratch / "scans"
    lesions = {lesion.source: lesion for lesion in map(load_lesion, scans.glob("*.npz"))}
    fabricator = Fabricator.load(fabricated.out / "models" / "fabricator" / "fabricator.pt")
    assert fabricator is not None
    mixed = [sample for sample in recorded if sample["HostIsAnnotated"]]
    assert len(mixed) == SHORT.n_train // 2 + SHORT.n_shifted // 2
    for sample in recorded[:2] + mixed[:2] + recorded[-1:]:
        stored = files[sample["Name"]].load()
        name = sample["Host"].removeprefix("bids:").split(":")[0]
        stem = Path(sample["Host"]).name.removesuffix(".nii.gz")
        where = scans / f"{name}-{stem}"
        images = tuple(Path(f"{where}_image{number}.nii") for number in range(2))
        brain = Path(f"{where}_brain.nii")
        label = Path(f"{where}_label.nii") if sample["HostIsAnnotated"] else None
        host = StoredScan(stem, images, brain, label, sample["Host"]).load()
        params = coarse.CoarseParams.from_json(sample["Parameters"])
        made = coarse.render(host, lesions[sample["Lesion"]], params)
        np.testing.assert_array_equal(made.images, stored.images)
        np.testing.assert_array_equal(made.classes, stored.classes)
        if fabricator.helps and not sample["HostIsAnnotated"]:
            assert fabricator.judge(fabricator.refine(made)).accepted == sample["Accepted"]


def test_running_again_computes_nothing(fabricated: Fabricated) -> None:
    files = [
        path
        for path in fabricated.out.rglob("*")
        if path.name.endswith((".nii.gz", ".pth", ".pt")) and path.is_file()
    ]
    times = {path: path.stat().st_mtime_ns for path in files}
    assert len(times) > 20
    assert main(fabricated.command()) == EXIT_DONE
    assert {path: path.stat().st_mtime_ns for path in files} == times


def test_the_model_segments_new_scans(fabricated: Fabricated, tmp_path: Path) -> None:
    new = tmp_path / "new"
    anat = new / "sub-99" / "anat"
    anat.mkdir(parents=True)
    shutil.copy(fabricated.cohort.bids / "dataset_description.json", new)
    scan = next(fabricated.cohort.annotated.glob("sub-*/anat/*_FLAIR.nii.gz"))
    for name in ("FLAIR", "T1w"):
        other = scan.with_name(scan.name.replace("FLAIR", name))
        shutil.copy(other, anat / f"sub-99_{name}.nii.gz")
    command = [
        *(str(new), str(tmp_path / "out"), "participant", "--model", str(fabricated.out)),
        *("--profile", "sloppy", "--work-dir", str(tmp_path / "work"), "--nprocs", "1"),
    ]
    assert main(command) == EXIT_DONE
    made = tmp_path / "out" / "sub-99" / "anat"
    assert (made / "sub-99_desc-tumour_dseg.nii.gz").is_file()
    assert (made / "sub-99_label-L_mask.nii.gz").is_file()
    assert "Tumor Fabrication" in (tmp_path / "out" / "logs" / "CITATION.md").read_text()
