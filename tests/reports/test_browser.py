"""Reports in a real browser, opened from a folder and without network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame

from synthtumour_bids.execution.usage import Usage
from synthtumour_bids.ledger import Failure, Identity, Stop
from synthtumour_bids.reports.group_page import Trouble, write_group_page
from synthtumour_bids.reports.usage_plot import write_usage_plot
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import participant_report, scan_report, tables
from synthtumour_bids.steps.training_report import write_training_page
from tests.builders.browser import PATIENCE_MS, SOFTWARE_WEBGL, chromium, visit
from tests.builders.jobs import make_job, mark_preprocessed
from tests.builders.reports import make_head, segmented, task_of
from tests.builders.training import NASTY, write_training


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output with the page of one scan, which was segmented once, and failed when tried again."""
    job, scan = segmented(tmp_path_factory.mktemp("reports"), make_head())
    mark_preprocessed(job, scan, fingerprint="p", template="")
    scan_report.report_scan(task_of(job, scan))
    job.ledger.mark_failure(Failure(Step.SEGMENT, Identity.of(scan), scan.role, NASTY))
    assert participant_report.write_pages(job) == []
    tables.write(job)
    with Usage(job.settings.output_dir, interval=0.01) as usage, usage.during("train"):
        time.sleep(0.1)
    write_usage_plot(usage.path)
    return job.settings.output_dir


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page of a training that ended the run."""
    job = make_job(tmp_path_factory.mktemp("training"), tumours=3, tumourfree=0)
    write_training(job)
    job.ledger.mark_stop(Stop(Step.TRAIN, NASTY))
    write_training_page(job)
    (job.settings.output_dir / "group.html").touch()
    return job.layout.training_page


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Browser]]:
    with chromium() as launching:
        yield launching


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Browser:
    return launch(*SOFTWARE_WEBGL)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["sub-tumour0.html", "group.html", "resources.html"])
def test_pages_open_from_a_folder(browser: Browser, out: Path, name: str, width: int) -> None:
    opened = visit(browser, out / name, width)
    assert opened.broken_pictures() == []
    assert opened.overflow == 0
    assert NASTY in opened.page.inner_text("main") or name == "resources.html"
    assert opened.page.locator("img:not([alt]), img[alt='']").count() == 0
    assert opened.wrong == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_training_report_opens_from_a_folder(
    browser: Browser, trained: Path, width: int
) -> None:
    opened = visit(browser, trained, width)
    assert opened.broken_pictures() == []
    assert opened.overflow == 0
    assert opened.page.inner_text("main").count(NASTY) == 3
    opened.page.locator("summary").first.click()
    assert opened.page.get_by_text("volume ml").first.is_visible()
    assert (
        opened.page.locator("svg polyline").count() == 9
    )  # three of two networks and one reliability
    assert opened.wrong == []


def shown(frame: Frame, colour: str) -> int:
    """Pixels of the canvas that are clearly more red than blue (orange), or than grey is."""
    return int(
        frame.evaluate(
            """(colour) => {
              view.drawScene();
              const gl = view.gl, [w, h] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
              const pixels = new Uint8Array(4 * w * h);
              gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
              let count = 0;
              for (let i = 0; i < pixels.length; i += 4) {
                const [r, g, b] = pixels.subarray(i, i + 3);
                const coloured = Math.max(r, g, b) - Math.min(r, g, b) > 30;
                count += colour === "orange" ? r > b + 60 : coloured;
              }
              return count;
            }""",
            colour,
        )
    )


def slide(frame: Frame, name: str, value: float) -> None:
    frame.locator(f"#{name}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


def test_the_interactive_view_draws_mask_and_probability(browser: Browser, out: Path) -> None:
    opened = visit(browser, out / "sub-tumour0.html")
    element = opened.page.locator("iframe")
    element.scroll_into_view_if_needed()
    frame = element.element_handle().content_frame()
    assert frame is not None
    frame.wait_for_selector("html[data-state=ready]", state="attached", timeout=PATIENCE_MS)
    with_mask = shown(frame, "orange")
    slide(frame, "mask", 0)
    assert with_mask > 500
    assert shown(frame, "orange") < with_mask / 10
    slide(frame, "probability", 1)
    coloured = shown(frame, "any")
    slide(frame, "threshold", 0.95)  # the tumour's probability is 0.9
    assert shown(frame, "any") < coloured - 1000  # the colour bar stays
    before = frame.evaluate("[...view.scene.crosshairPos]")
    frame.evaluate("view.scene.crosshairPos = [0.1, 0.1, 0.1]")
    frame.click("button.lesion")
    assert frame.evaluate("[...view.scene.crosshairPos]") == pytest.approx(before)
    assert opened.wrong == []


def test_without_webgl_a_sentence_stands_in_its_place(
    launch: Callable[..., Browser], out: Path
) -> None:
    page = out / "sub-tumour0" / "figures" / "sub-tumour0_desc-viewer_FLAIR.html"
    opened = visit(launch("--disable-3d-apis"), page)
    opened.page.wait_for_selector("html[data-state=sentence]", state="attached")
    assert "WebGL2" in opened.page.inner_text("#sentence")


def test_a_thousand_participants(browser: Browser, tmp_path: Path) -> None:
    rows = [
        {
            "participant_id": f"sub-{number:04}",
            "scan": f"sub-{number:04}_FLAIR",
            "role": "tumour",
            "status": "segmented" if number % 10 else "failed",
            "n_scans": 1,
            "volume_mL": None if number % 10 == 0 else float(number * 37 % 1000),
            "brain_volume_mL": 1400.0 + number % 7,
            "junior_senior_dice": 0.9,
            "volume_error_mL": float(number % 11) - 5,
            "qc_flags": ["low_agreement"] if number % 4 == 0 else [],
        }
        for number in range(1000)
    ]
    troubles = [Trouble("sub-0000_FLAIR", "preprocess", NASTY)]
    scans = [row for row in rows if row["volume_mL"] is not None]
    write_group_page(tmp_path / "group.html", rows, scans, troubles)
    opened = visit(browser, tmp_path / "group.html")
    metrics = opened.page.context.new_cdp_session(opened.page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
    opened.page.reload()
    spent = {one["name"]: one["value"] for one in metrics.send("Performance.getMetrics")["metrics"]}
    assert spent["TaskDuration"] < 3  # seconds of the page's thread, however busy the machine is

    volumes = "[...document.querySelectorAll('tbody tr')].map(row => row.cells[4].dataset.key)"
    for order in (False, True):
        opened.page.click("th:nth-child(5) button")
        values = opened.page.evaluate(volumes)
        numbers = [float(value) for value in values[:900]]
        assert numbers == sorted(numbers, reverse=order)
        assert set(values[900:]) == {""}  # what has no value comes last
    opened.page.check("#flagged")
    opened.page.select_option("#status", "failed")
    assert opened.page.inner_text("#shown") == "50 shown"
    opened.page.fill("#words", "sub-002")
    assert opened.page.locator("tbody tr:visible").count() == 1
    assert opened.wrong == []
