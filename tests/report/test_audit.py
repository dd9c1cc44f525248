"""Classes of failure, and the audit page: what is in it, and how it behaves in a real browser."""

import json
import re
import shutil
import subprocess

import pytest

from s1_contract.outcomes import Outcome
from s1_report.audit import audit, embedded
from s1_report.cli import main
from s1_report.collect import collect
from s1_report.failures import Failure, Judged, failures, is_loop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PWN = "document.documentElement.dataset.pwned=1"
HOSTILE = f"</script><script>{PWN}</script><img src=x onerror={PWN}><!--"


def trace(**usage):
    spans = [{"phase": "thinking", "forced": False, "text": "a thought"}]
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
        (r"so it is $\frac{1}{2}$, I think.", r"\dfrac{1}{2}", False, Outcome.INCORRECT, trace(), (Failure.MISSED,)),
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


def test_the_page_loads_nothing_and_holds_every_answer(run_folder):
    folder = run_folder("run", {"aime24": [[1, 0], [0, 0]]}, waits={"aime24": 2})
    page = audit(collect(folder).runs, "Run")
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    blocks = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page)
    contents = {name: json.loads(text) for name, text in blocks}
    assert [answer["id"] for answer in contents["index"]["answers"]] == ["0.0", "0.1", "1.0", "1.1"]
    assert [span["forced"] for span in contents["d0"]["spans"]] == [True, False, True, False, True, False, True, False]
    assert contents["d1"]["verdict"]["reason"] == "integers"


def test_the_command_writes_one_file_also_for_output_of_other_models(run_folder, tmp_path, monkeypatch, capsys):
    folder = run_folder("plain", {"gsm8k": [[1], [0]]}, plain=True)
    monkeypatch.setattr("sys.argv", ["s1-report", "audit", str(folder), "--output", str(tmp_path / "audit.html")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert '"runs": ["nano on gsm8k"]' in (tmp_path / "audit.html").read_text()
    assert "wrote" in capsys.readouterr().out


def browse(page, fragment=""):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{page}{fragment}"], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


@needs_chromium
def test_hostile_text_is_shown_as_text_in_chromium(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1]]}, waits={"aime24": 1}, text=HOSTILE, prompt=HOSTILE)
    page = tmp_path / "audit.html"
    page.write_text(audit(collect(folder).runs, HOSTILE))
    dom = browse(page, "#0")
    root = re.search(r"<html[^>]*>", dom).group()
    assert 'data-ready="' in root
    assert "pwned" not in root
    shown = dom.split("<!-- DATA -->")[0].split('id="d0"')[0]
    assert "<img" not in shown
    # Twice as sampled thinking, once as the prompt; the title and the list hold it as well.
    assert shown.count("&lt;img src=x onerror=") >= 3
    assert 'class="span forced">Wait' in shown


@needs_chromium
def test_the_page_can_be_read_with_the_keyboard_in_chromium(run_folder, tmp_path):
    folder = run_folder("run", {"aime24": [[1], [0], [1]]})
    page = tmp_path / "audit.html"
    keys = """<script>for (const key of ["ArrowDown", "j", "ArrowDown", "ArrowUp"])
      (document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    </script></body>"""
    page.write_text(audit(collect(folder).runs, "Keys").replace("</body>", keys))
    dom = browse(page)
    assert re.search(r'<tr class="answer open" data-number="1" tabindex="0"', dom)
    assert "<h1>nano on aime24 (num_waits=0): question 1</h1>" in dom


@needs_chromium
def test_500_questions_with_4_repeats_open_in_two_seconds_in_chromium(run_folder, tmp_path):
    sentence = "Let x be the number of marbles; then 3x + 4 = 19, so x = 5. Wait, is that so? "
    outcomes = [[int((index + repeat) % 3 > 0) for repeat in range(4)] for index in range(500)]
    folder = run_folder("run", {"math500": outcomes}, waits={"math500": 1}, text=sentence * 50)
    page = tmp_path / "audit.html"
    page.write_text(audit(collect(folder).runs, "Large"))
    assert page.stat().st_size > 15_000_000
    dom = browse(page)
    ready = int(re.search(r'data-ready="(\d+)"', dom).group(1))
    assert re.search(r'data-matching="(\d+)"', dom).group(1) == "2000"
    assert ready < 2000, f"{ready} ms"
