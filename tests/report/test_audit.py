"""Classes of failure, and the audit page: what is in it, and how it behaves in a real browser."""

import json
import re
import shutil
import subprocess

import pytest

from s1_contract.outcomes import Outcome
from s1_report import audit as audit_module
from s1_report.audit import embedded, write_audit
from s1_report.cli import main
from s1_report.collect import collect
from s1_report.failures import Failure, Judged, failures, is_loop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PWN = "document.documentElement.dataset.pwned=1"
HOSTILE = f"</script><script>{PWN}</script><img src=x onerror={PWN}><!--"


def trace(answer="", **usage):
    spans = [{"phase": "thinking", "forced": False, "text": "a thought"}]
    spans.append({"phase": "answering", "forced": False, "text": answer})
    return {"cut_off": 0, "answer_cut_off": 0, "thinking_limit": 1000, "spans": spans, **usage}


@pytest.mark.parametrize(
    ("text", "reference", "correct", "outcome", "trace", "expected"),
    [
        ("Final Answer: 7", "7", True, Outcome.CORRECT, trace(), ()),
        ("Final Answer: 8", "7", False, Outcome.INCORRECT, trace(), (Failure.WRONG,)),
        ("Final Answer: 8", "7", False, Outcome.INCORRECT, trace(cut_off=1), (Failure.TRUNCATED,)),
        ("Final Answer: 8", "7", False, Outcome.INCORRECT, trace(answer_cut_off=1), (Failure.ANSWER_TRUNCATED,)),
        ("<think>so", "7", False, Outcome.NO_ANSWER, None, (Failure.NO_END, Failure.NO_ANSWER)),
        ("<think>so</think> 8", "7", False, Outcome.INCORRECT, None, (Failure.WRONG,)),
        (
            r"so it is $\frac{1}{2}$, I think.",
            r"\dfrac{1}{2}",
            False,
            Outcome.INCORRECT,
            trace(r"so it is $\frac{1}{2}$, I think."),
            (Failure.MISSED,),
        ),
        ("<think>is it 7?</think>so it is 7, I think.", "7", False, Outcome.INCORRECT, None, (Failure.MISSED,)),
        ("<think>is it 7?</think>It is 8.", "7", False, Outcome.INCORRECT, None, (Failure.WRONG,)),
        ("<think>7</think>8", "7", False, Outcome.INCORRECT, trace("8"), (Failure.WRONG,)),
        ("Final Answer: ]", "7", False, Outcome.UNREADABLE, trace(), (Failure.UNREADABLE,)),
        ("Final Answer: x^9", "7", False, Outcome.TIMED_OUT, trace(), (Failure.TIMED_OUT,)),
        ("<|channel|>analysis so", "7", False, Outcome.NO_ANSWER, None, (Failure.NO_END, Failure.NO_ANSWER)),
        ("<thinking>so", "7", False, None, None, (Failure.NO_END,)),
        ("it is 17, I think.", "7", False, Outcome.INCORRECT, trace(), (Failure.WRONG,)),
        ("Final Answer: 8", "7", False, Outcome.INCORRECT, trace(thinking_limit=10), (Failure.OVERLONG_PROMPT,)),
    ],
)
def test_failures_are_told_apart(text, reference, correct, outcome, trace, expected):
    assert failures(Judged(text, reference, correct, outcome, trace, asked_limit=1000)) == expected


def test_a_loop_is_a_piece_that_follows_itself_to_the_end():
    assert is_loop("Let me see. " + "Wait, no. " * 6)
    assert is_loop("so " + "-" * 60)
    assert is_loop("x" * 500 + "I should check the second case again, where y is negative. " * 40)
    assert not is_loop("Wait, no. " * 30 + "So the answer is 4.")
    assert not is_loop("-" * 20)
    assert not is_loop("")


def test_embedded_text_cannot_end_its_element():
    value = {"text": HOSTILE + "\u2028 & é"}
    text = embedded(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def write_page(folder, title, tmp_path):
    (page, *_) = write_audit(collect(folder).runs, title, tmp_path / "audit.html")
    return page


def blocks_of(page):
    found = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page, flags=re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def test_the_page_loads_nothing_and_holds_every_answer(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1, 0], [0, 0]]}, waits={"aime24": 2})
    page = write_page(folder, "Run", tmp_path).read_text()
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    contents = blocks_of(page)
    assert [answer["id"] for answer in contents["answers"]] == ["0.0", "0.1", "1.0", "1.1"]
    first, second = (contents["part0"][answer["part"][1]] for answer in contents["answers"][:2])
    assert [span["forced"] for span in first["spans"]] == [True, False, True, False, True, False, True, False]
    assert second["verdict"]["reason"] == "integers"


def test_a_large_run_becomes_a_page_and_a_folder_of_parts(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_module, "ONE_FILE", 1_000)
    monkeypatch.setattr(audit_module, "PART", 2_000)
    folder = run_folder("run", {"aime24": [[1], [0]] * 10}, waits={"aime24": 1})
    page, parts = write_audit(collect(folder).runs, "Run", tmp_path / "audit.html")
    contents = blocks_of(page.read_text())
    assert contents["head"]["parts"] == parts.name == "audit_parts"
    texts = {}
    for file in parts.iterdir():
        number, body = re.fullmatch(r"audit_part\((\d+),(.*)\)\n", file.read_text(), flags=re.DOTALL).groups()
        texts[int(number)] = json.loads(body)
    assert len(texts) > 3
    read = [texts[part][place]["verdict"]["answer"] for part, place in (one["part"] for one in contents["answers"])]
    assert read == [answer["answer"] for answer in contents["answers"]]


def test_memory_does_not_grow_with_the_run(run_folder, tmp_path):
    """Peak of Python's memory for four times the answers: the texts are written as they are read."""
    import tracemalloc

    peaks = []
    for questions in (100, 400):
        folder = run_folder(f"run{questions}", {"aime24": [[1]] * questions}, text="so " * 3_000)
        runs = collect(folder).runs
        tracemalloc.start()
        write_audit(runs, "Run", tmp_path / "audit.html")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0], peaks


def test_a_task_without_verdicts_shows_what_its_filter_took_for_the_answer(run_folder, tmp_path):
    folder = run_folder("plain", {"gsm8k": [[1], [0]]}, plain=True)
    answers = blocks_of(write_page(folder, "Run", tmp_path).read_text())["answers"]
    assert all("Final Answer" in answer["answer"] for answer in answers)


def test_the_command_writes_one_file_also_for_output_of_other_models(run_folder, tmp_path, monkeypatch, capsys):
    folder = run_folder("plain", {"gsm8k": [[1], [0]]}, plain=True)
    monkeypatch.setattr("sys.argv", ["s1-report", "audit", str(folder), "--output", str(tmp_path / "audit.html")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert '"runs": ["nano on gsm8k"]' in (tmp_path / "audit.html").read_text()
    assert "wrote" in capsys.readouterr().out


def browse(page, fragment="", *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]
    done = subprocess.run(
        [*command, *options, f"file://{page}{fragment}"], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


@needs_chromium
def test_hostile_text_is_shown_as_text_in_chromium(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1]]}, waits={"aime24": 1}, text=HOSTILE, prompt=HOSTILE)
    page = write_page(folder, HOSTILE, tmp_path)
    dom = browse(page, "#0")
    root = re.search(r"<html[^>]*>", dom).group()
    assert 'data-ready="' in root
    assert "pwned" not in root
    shown = dom.split('id="head"')[0]
    assert "<img" not in shown
    # Twice as sampled thinking, once as the prompt; the title and the list hold it as well.
    assert shown.count("&lt;img src=x onerror=") >= 3
    assert 'class="span forced">Wait' in shown


@needs_chromium
def test_the_page_can_be_read_with_the_keyboard_in_chromium(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1], [0], [1]]})
    page = write_page(folder, "Keys", tmp_path)
    keys = """<script>for (const key of ["ArrowDown", "j", "ArrowDown", "ArrowUp"])
      (document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    </script></body>"""
    page.write_text(page.read_text().replace("</body>", keys))
    dom = browse(page)
    assert re.search(r'<tr class="answer open" data-number="1" tabindex="0"', dom)
    assert "<h1>nano on aime24 (num_waits=0): question 1</h1>" in dom


@needs_chromium
def test_500_questions_with_4_repeats_open_in_two_seconds_in_chromium(run_folder, tmp_path):
    sentence = "Let x be the number of marbles; then 3x + 4 = 19, so x = 5. Wait, is that so? "
    outcomes = [[int((index + repeat) % 3 > 0) for repeat in range(4)] for index in range(500)]
    folder = run_folder("run", {"math500": outcomes}, waits={"math500": 1}, text=sentence * 50)
    page = write_page(folder, "Large", tmp_path)
    assert page.stat().st_size > 15_000_000
    dom = browse(page)
    ready = int(re.search(r'data-ready="(\d+)"', dom).group(1))
    assert re.search(r'data-matching="(\d+)"', dom).group(1) == "2000"
    assert ready < 2000, f"{ready} ms"


LAYOUT = """<script>addEventListener("load", () => setTimeout(() => {
  const box = id => document.getElementById(id).getBoundingClientRect();
  const root = document.documentElement, detail = box("detail"), list = box("list");
  root.dataset.wide = root.scrollWidth - innerWidth;
  root.dataset.detail = Math.round(Math.min(detail.right, innerWidth) - Math.max(detail.left, 0));
  root.dataset.readable = getComputedStyle(document.getElementById("detail")).visibility;
  root.dataset.paper = getComputedStyle(document.body).backgroundColor;
  const cells = [...document.querySelectorAll("tr.answer:first-child td")];
  root.dataset.cells = Math.min(...cells.map(cell => cell.offsetWidth));
}, 100));</script></body>"""


@needs_chromium
@pytest.mark.parametrize("width", [500, 900, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_opened_answer_can_be_read_at_any_width_in_either_scheme(run_folder, tmp_path, width, scheme):
    """Headless Chromium's window is 500 pixels wide at least; 360 is looked at in an inner frame below."""
    folder = run_folder("run", {"aime24": [[1], [0]], "math500": [[0]]}, waits={"aime24": 2}, text="word " * 400)
    page = write_page(folder, "Layout", tmp_path)
    page.write_text(page.read_text().replace("</body>", LAYOUT))
    preferred = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    dom = browse(page, "#answer=1", f"--window-size={width},800", preferred, "--virtual-time-budget=2000")
    told = dict(re.findall(r'data-(\w+)="([^"]*)"', re.search(r"<html[^>]*>", dom).group()))
    assert int(told["wide"]) <= 0, "nothing sticks out sideways"
    assert int(told["detail"]) >= 300
    assert told["readable"] == "visible"
    assert int(told["cells"]) >= 40
    red = int(re.search(r"\d+", told["paper"]).group())
    assert (red < 60) is (scheme == "dark")


@needs_chromium
def test_the_page_is_usable_in_360_pixels(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1], [0]]}, waits={"aime24": 2}, text="word " * 400)
    page = write_page(folder, "Narrow", tmp_path)
    measured = LAYOUT.replace(
        "root.dataset.wide =", "root.dataset.wide = parent.document.documentElement.dataset.wide ="
    )
    inner = page.read_text().replace("</body>", measured).replace("&", "&amp;").replace('"', "&quot;")
    frame = tmp_path / "frame.html"
    frame.write_text(f'<!doctype html><iframe style="width:360px;height:700px;border:0" srcdoc="{inner}"></iframe>')
    dom = browse(frame, "", "--virtual-time-budget=2000")
    assert int(re.search(r'data-wide="(-?\d+)"', dom).group(1)) <= 0


@needs_chromium
def test_filters_and_the_open_answer_stand_in_the_address(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1], [0], [0]]})
    page = write_page(folder, "Address", tmp_path)
    dom = browse(page, "#answer=2&verdict=wrong&search=3", "--virtual-time-budget=2000")
    root = re.search(r"<html[^>]*>", dom).group()
    assert 'data-matching="1"' in root
    assert 'data-read="2"' in root


@needs_chromium
def test_parts_are_loaded_from_the_folder_beside_the_page(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_module, "ONE_FILE", 1_000)
    folder = run_folder("run", {"aime24": [[1], [0]] * 5}, waits={"aime24": 1}, text=HOSTILE)
    page, _ = write_audit(collect(folder).runs, "Parts", tmp_path / "audit.html")
    dom = browse(page, "#answer=7", "--virtual-time-budget=3000")
    root = re.search(r"<html[^>]*>", dom).group()
    assert 'data-read="7"' in root
    assert "pwned" not in root
