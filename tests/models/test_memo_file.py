"""The memo's file: foreign files, damage, a full disk, several processes, growth; and what identifies a model."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1_models.driver import Job, run_jobs
from s1_models.forcing import Budget, BudgetForcing, Marks, Phase, Reply, Request, Session
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.memo.memo import Memo
from s1_models.memo.packing import pack, unpack
from s1_models.memo.store import Known, Mark, MemoError, Store
from tests.scripted_engine import ScriptedEngine, random_writer

ROOT = Path(__file__).parents[2]
END, EOS = 8, 9
MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({END, EOS}), frozenset({EOS}), frozenset({7}))
MODEL = {"weights": "one"}


def jobs(questions: int = 40, num_waits: int = 3) -> list[Job]:
    policy = BudgetForcing(Budget(num_waits=num_waits, max_answer_tokens=20), MARKS, 300)
    return [Job(policy, (n % 7, n // 7), f"question {n}", (("temperature", 0.0),)) for n in range(questions)]


def fresh(order_seed: int = 0) -> ScriptedEngine:
    return ScriptedEngine(random_writer(1, 7, 0.1, [END, EOS]), 300, order_seed=order_seed)


def run(path: Path, order_seed: int = 0) -> list[Session]:
    with Memo(fresh(order_seed), path, MODEL) as memo:
        return run_jobs(jobs(), memo)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memo.sqlite"


@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 300), max_size=200).map(tuple))
def test_tokens_of_any_size_come_back(tokens: tuple[int, ...]) -> None:
    assert tuple(unpack(pack(tokens))) == tokens


def test_a_continuation_only_grows(path: Path) -> None:
    store = Store(path)
    with store.transaction():
        first = store.extend(b"key", Mark(), (1, 2), False, 0)
        assert store.extend(b"key", Mark(), (1, 2, 3), False, 0) == store.find(b"key").mark
        assert store.extend(b"key", first, (1, 9, 9, 9), True, 0) is None, "another process stored something else"
        assert store.extend(b"key", None, (1,), False, 0) == store.find(b"key").mark
        store.extend(b"key", None, (1, 2, 3, 4), True, 0)
        assert store.extend(b"key", None, (1, 2, 3, 4, 5), False, 0) is None
    assert (store.find(b"key").tokens, store.find(b"key").finished) == ((1, 2, 3, 4), True)
    store.close()


def test_an_engine_that_began_again_corrects_its_own_beginning_only(path: Path) -> None:
    store = Store(path)
    with store.transaction():
        known = store.extend(b"key", Mark(), (1, 2), False, 0)
        mine = store.extend(b"key", known, (1, 2, 3), False, 0)
        store.extend(b"key", mine, (1, 2, 8, 9), True, 0, base=2)
    assert store.find(b"key").tokens == (1, 2, 8, 9)
    store.close()


def test_processes_may_create_one_memo_at_once(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from s1_models.memo.store import Mark, Store
for trial in range(20):
    begin = time.time() + 0.03
    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            while time.time() < begin:
                pass
            store = Store(f"{tmp_path}/{{trial}}.sqlite")
            with store.transaction():
                store.extend(bytes([child]), Mark(), (1, 2), True, 0)
            store.close()
            os._exit(0)
        children.append(pid)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    for trial in range(20):
        store = Store(tmp_path / f"{trial}.sqlite")
        assert all(store.find(bytes([child])).finished for child in range(4))
        store.close()


# Files that are no memo.


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (n INTEGER)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(MemoError, match="file of another program"):
        Store(path)
    assert path.read_bytes() == before


def test_a_memo_of_another_schema_is_named(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(MemoError, match="memo of schema 99, this version reads schema 2"):
        Store(path)


def test_what_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("notes of mine, kept beside the results " * 9)
    with pytest.raises(MemoError, match="not an SQLite file"):
        Store(path)
    assert path.read_text().startswith("notes of mine")


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(MemoError, match=r"cannot be used .*unable to open"):
        Store(tmp_path)
    with pytest.raises(MemoError, match="there is no memo at"):
        Store(tmp_path / "none.sqlite", read_only=True)


def test_a_memo_is_read_where_nothing_can_be_written() -> None:
    def read() -> None:
        with pytest.raises(MemoError, match="readonly database"):
            Store(path)
        with Memo(fresh(), path, MODEL, read_only=True) as memo:
            assert run_jobs(jobs(), memo) == first
            assert memo.generated_tokens == 0

    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        path = Path(name) / "memo.sqlite"
        first = run(path)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        as_an_ordinary_user(read)
        path.parent.chmod(0o755)


def as_an_ordinary_user(work: Callable[[], None]) -> None:
    """Runs it in a child process that file permissions bind, as they do not bind root."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setuid(65534)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


# Damage.


def test_a_torn_file_is_a_clear_error_or_gives_right_results(path: Path) -> None:
    expected = run(path)
    whole = path.read_bytes()
    draw = random.Random(5)
    errors = []
    for trial in range(30):
        torn = bytearray(whole)
        cut = draw.randrange(len(torn))
        if trial % 3 == 0:
            torn = torn[:cut]  # the end was never written
        elif trial % 3 == 1:
            torn[cut:] = bytes(len(torn) - cut)  # the file grew, its content did not come
        else:
            torn[cut : cut + 64] = draw.randbytes(64)
        path.write_bytes(torn)
        for side in ("-wal", "-shm"):
            Path(f"{path}{side}").unlink(missing_ok=True)
        try:
            sessions = run(path, trial)
        except MemoError as error:
            errors.append(str(error))
        else:
            assert sessions == expected
    assert all((str(path) in error and "damaged" in error) or "not an SQLite file" in error for error in errors), errors
    assert len(errors) < 25


def test_a_torn_log_costs_its_last_writes_only(path: Path, tmp_path: Path) -> None:
    memo = Memo(fresh(), path, MODEL)
    expected = run_jobs(jobs(), memo)
    copies = {}
    for name in (path.name, f"{path.name}-wal"):  # as a kill leaves them: never closed
        copies[name] = (tmp_path / name).read_bytes()
    memo.close()
    draw = random.Random(6)
    for trial in range(5):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / path.name).write_bytes(copies[path.name])
        log = copies[f"{path.name}-wal"]
        (folder / f"{path.name}-wal").write_bytes(log[: draw.randrange(len(log))])
        assert run(folder / path.name, trial) == expected


def test_a_full_disk_costs_a_warning_and_not_the_run(path: Path) -> None:
    # A limit on the size of files is the operating system's own refusal to write more; it needs a process of its own.
    program = f"""
import logging, resource, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import importlib.util
spec = importlib.util.spec_from_file_location("file_tests", {__file__!r})
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
logging.basicConfig(level="WARNING")
path = Path({str(path)!r})
expected = tests.run_jobs(tests.jobs(), tests.fresh())
memo = tests.Memo(tests.fresh(), path, tests.MODEL, flush_seconds=0.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
assert tests.run_jobs(tests.jobs(), memo) == expected
assert memo._unwritten
if "mended" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
memo.close()
"""
    for mended in ("mended", "full"):
        path.unlink(missing_ok=True)
        ran = subprocess.run([sys.executable, "-c", program, mended], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr.count("cannot be used (") == 1, ran.stderr
        assert "The run goes on" in ran.stderr
        assert ("is written again; nothing of this run is missing" in ran.stderr) == (mended == "mended")
        assert ("replies of this run are not in the memo" in ran.stderr) == (mended == "full")
        with Memo(fresh(), path, MODEL) as memo:
            assert run_jobs(jobs(), memo) == run_jobs(jobs(), fresh())
            assert (memo.generated_tokens == 0) == (mended == "mended")


# Several processes, growth.


def test_two_processes_share_one_memo(path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import importlib.util
spec = importlib.util.spec_from_file_location("file_tests", {__file__!r})
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
expected = tests.run_jobs(tests.jobs(120), tests.fresh())
print("ready", flush=True)
sys.stdin.readline()
with tests.Memo(tests.fresh(int(sys.argv[1])), Path({str(path)!r}), tests.MODEL, flush_seconds=0.0) as memo:
    assert tests.run_jobs(tests.jobs(120), memo, max_in_flight=4) == expected
"""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, str(n)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for n in range(3)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        complaints = [process.communicate("go\n", timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], complaints
    assert "cannot be used" not in "".join(complaints)
    with Memo(fresh(), path, MODEL) as memo:
        run_jobs(jobs(120), memo)
        assert memo.generated_tokens == 0


def test_what_another_process_stores_is_seen_within_a_moment_and_stays(path: Path) -> None:
    ours, theirs = Store(path), Store(path)
    assert ours.find(b"key").tokens == ()
    with theirs.transaction():
        theirs.extend(b"key", Mark(), (1, 2), True, 0)
        theirs.extend(b"another", Mark(), (7,), True, 0)
    with ours.transaction():
        overlooked = ours.find(b"key").mark
        assert ours.extend(b"key", overlooked, (1, 9, 9), True, 0) is None, "what was first stays"
    time.sleep(0.15)
    assert ours.find(b"another").tokens == (7,)
    assert ours.find(b"key").tokens == (1, 2)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("tokens", [40, 130, 340, 400, 680, 1000, 3000])
def test_a_token_takes_less_than_eight_bytes_however_long_the_replies_are(path: Path, tokens: int) -> None:
    store, draw = Store(path), random.Random(0)
    with store.transaction():
        for key in range(60):
            ids = tuple(draw.randrange(150_000) for _ in range(tokens))  # which cannot be compressed
            store.extend(key.to_bytes(12), Mark(), ids, True, 0)
    store.close()
    assert path.stat().st_size < 8 * 60 * tokens


def test_a_token_takes_less_than_eight_bytes(path: Path) -> None:
    with Memo(ScriptedEngine(random_writer(1, 300, 0.08, [END, EOS]), 300), path, MODEL) as memo:
        run_jobs(jobs(200, num_waits=4), memo)
        generated, segments = memo.generated_tokens, 200 * 6
    assert generated / segments < 25, "short segments are the costly ones"
    assert path.stat().st_size < 8 * generated


# What identifies a model.


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(200)))
    return folder


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_is_its_files_wherever_it_lies(tmp_path: Path, name: str) -> None:
    model = make_model(tmp_path / "one")
    first = fingerprint_model(str(model))
    assert fingerprint_model(str(make_model(tmp_path / "two"))) == first
    (model / "README.md").write_text("a model")
    assert fingerprint_model(str(model)) == first
    content = bytearray((model / name).read_bytes())
    content[1] ^= 1
    (model / name).write_bytes(content)
    assert fingerprint_model(str(model)) != first


def test_a_large_file_is_known_by_its_size_time_and_samples(tmp_path: Path) -> None:
    model = make_model(tmp_path / "one")
    weights = model / "model.safetensors"
    with weights.open("wb") as file:
        file.truncate(70 * 2**20)
    first = fingerprint_model(str(model))
    facts = weights.stat()
    with weights.open("r+b") as file:
        file.seek(35 * 2**20)
        file.write(b"x")
    assert fingerprint_model(str(model)) != first
    os.utime(weights, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert fingerprint_model(str(model)) == first, "so large a file is sampled: its time tells what samples do not"


def test_a_name_on_the_hub_is_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    references = tmp_path / "models--made--up" / "refs"
    references.mkdir(parents=True)
    (references / "main").write_text("a" * 40)
    assert fingerprint_model("made/up") == "made/up@" + "a" * 40
    assert fingerprint_model("made/up", "b" * 40) == "made/up@" + "b" * 40
    with pytest.raises(MemoError, match="cannot be told which weights made/up has"):
        fingerprint_model("made/up", "v2")


def test_a_row_that_was_changed_is_not_believed(path: Path) -> None:
    store = Store(path)
    with store.transaction():
        mark = store.extend(b"key", Mark(), (1, 2), False, 0)
        store.extend(b"key", mark, (1, 2, 3, 4), True, 0)
        store._db.execute("UPDATE segments SET finished = 0 WHERE start = 2")
    assert store.find(b"key") == Known((1, 2), False, 0, store.find(b"key").seal)
    with store.transaction():
        # A row that is whole by itself, but of another beginning: its first row was replaced by another one's.
        store.extend(b"same", Mark(), (1, 2), False, 0)
        store.extend(b"same", store.find(b"same").mark, (1, 2, 3, 4), True, 0)
        store._db.execute("DELETE FROM segments WHERE key = ? AND start = 0", (b"same",))
        store.extend(b"same", Mark(), (8, 9), False, 0)
    assert store.find(b"same").tokens == (8, 9)
    with store.transaction():
        assert store.extend(b"key", None, (1, 2, 3, 4), True, 0) is not None
    assert store.find(b"key").finished
    store.close()


# Files of version 0.1.0.


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A memo that version 0.1.0 wrote (commit 6cf2abc) with the engines below."""
    path = tmp_path / "memo.sqlite"
    path.write_bytes((ROOT / "tests/models/version_0_1_0/memo.sqlite").read_bytes())
    return path


def former_jobs(num_waits: int, sampling: tuple[tuple[str, object], ...] = (("temperature", 0.0),)) -> list[Job]:
    policy = BudgetForcing(Budget(num_waits=num_waits, max_answer_tokens=20), MARKS, 600)
    return [Job(policy, (n, n + 1), f"question {n}", sampling) for n in range(8)]


def former_engine() -> ScriptedEngine:
    return ScriptedEngine(random_writer(1, 2000, 0.02, [END, EOS]), 600)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_memo_of_version_0_1_0_answers(former: Path, read_only: bool) -> None:
    with Memo(former_engine(), former, MODEL, read_only=read_only) as memo:
        for waits in (0, 3):
            assert run_jobs(former_jobs(waits), memo) == run_jobs(former_jobs(waits), former_engine())
        assert memo.generated_tokens == 0
        sampled = (("seed", 5), ("temperature", 1.0))
        run_jobs(former_jobs(1, sampled), memo)
        assert memo.generated_tokens > 0, "its seeds were made by another rule: they are not hit"
    with Memo(former_engine(), former, MODEL) as memo:  # and once more, in the schema of today
        run_jobs(former_jobs(3), memo)
        assert memo.generated_tokens == 0


def test_replies_of_version_0_1_0_with_dropped_ids_and_long_ones_are_read(former: Path) -> None:
    def ask(limit: int, weights: str, engine: ScriptedEngine, stop: frozenset[int]) -> tuple[Reply, int]:
        sampling = (("temperature", 0.0),)
        with Memo(engine, former, {"weights": weights}) as memo:
            memo.submit(0, Request((1, 2), limit, stop, Phase.THINKING, sampling=sampling))
            ((_, reply),) = memo.poll()
            return reply, memo.generated_tokens

    dropping = ScriptedEngine(random_writer(3, 60, 0.0, [0]), 300, known_ids=50)
    reply, generated = ask(40, "two", dropping, frozenset())
    assert (len(reply.tokens), reply.dropped, generated) == (32, 8, 0)
    assert ask(20, "two", dropping, frozenset())[1] == 20, "it was not noted where ids had been dropped"
    long = ScriptedEngine(random_writer(1, 150_000, 0.0, [END]), 2000)
    for limit in (900, 100, 450):
        reply, generated = ask(limit, "three", long, frozenset({END}))
        assert (len(reply.tokens), generated) == (limit, 0)


@pytest.mark.parametrize(("length", "most"), [(300, 2.05), (2000, 1.6), (20_000, 1.2)])
def test_text_takes_as_little_as_zlib_makes_of_it(length: int, most: float) -> None:
    """Bytes per token of words drawn as words are (Zipf's law), from a large vocabulary."""
    draw = random.Random(1)
    words = [draw.randrange(150_000) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(3000)]
    sentences = [tuple(draw.choices(words, weights, k=12)) for _ in range(40)]
    tokens: list[int] = []
    while len(tokens) < length:
        tokens += draw.choice(sentences)[: draw.randint(3, 12)]
    packed = pack(tuple(tokens[:length]))
    assert tuple(unpack(packed)) == tuple(tokens[:length])
    assert len(packed) / length < most
    assert len(packed) <= len(zlib.compress(array("I", tokens[:length]).tobytes())) + 1


def test_a_memo_that_is_deleted_or_replaced_while_it_is_used_is_said_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Memo(fresh(), path, MODEL, flush_seconds=0.0) as memo:
        run_jobs(jobs(5), memo)
        assert "deleted" not in caplog.text
        path.unlink()
        assert run_jobs(jobs(20), memo) == run_jobs(jobs(20), fresh())
        Store(path).close()  # another one in its place is none of ours
        run_jobs(jobs(30), memo)
    assert caplog.text.count(f"the memo {path} was deleted or replaced while this run uses it") == 1
