"""How fast is a server asked that takes only so many requests a second, and what survives an hour of faults?

    python -m benchmarks.bench_servers limits [--questions 1000] [--rate 5] [--report NAME]
    python -m benchmarks.bench_servers soak [--seconds 1800] [--report NAME]

limits: `s1_openai`'s engine and `s1_chat` ask a scripted server on loopback that answers 429 beyond `rate` a second,
with and without Retry-After. soak: both ask again and again through a proxy that spoils one reply in ten in ten ways,
says 429 and 500 for seconds at a time, and is stopped and started; every answer is compared with what was to be said.
The last line of the output is JSON.
"""

import argparse
import json
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web
from lm_eval.api.instance import Instance

from benchmarks.report import write_report
from s1_models.driver import Job, run_jobs
from s1_models.engines.chat.lm import S1Chat
from s1_models.engines.openai.completions import Dialect
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.patience import Patience
from s1_models.forcing import Budget, BudgetForcing, Marks
from tests.fault_proxy import BusyProxy, FaultProxy
from tests.scripted_chat import Said, ScriptedChat, question_of
from tests.scripted_engine import ScriptedEngine, random_writer
from tests.scripted_server import InThread, ScriptedServer

MARKS = Marks((20,), (21,), (21, 22), (23,), (7,), frozenset({8}), frozenset({9}), frozenset({7}))
WRITE = random_writer(1, 7, 0.1, [8, 9])
PATIENCE = {"timeout_seconds": 5.0, "max_downtime_seconds": 120.0}


def megabytes() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def jobs(count: int, waits: int) -> list[Job]:
    budget = Budget(num_waits=waits, max_answer_tokens=20, max_thinking_tokens=None if waits else 0)
    return [Job(BudgetForcing(budget, MARKS, 300), (n % 6, n), f"question {n}") for n in range(count)]


def by_token_ids(url: str, count: int, waits: int) -> dict[str, Any]:
    """Asks the questions; says how many answers are not what they were to be."""
    connection = Connection(url, patience=Patience(**PATIENCE))
    engine = OpenAIEngine(connection, Dialect("m", True, True, lambda _: (), lambda _: "", 10**9), 300)
    try:
        sessions = run_jobs(jobs(count, waits), engine, max_in_flight=64)
    finally:
        connection.close()
    right = run_jobs(jobs(count, waits), ScriptedEngine(WRITE, 300))
    return {"asked": count, "wrong": sum(one != other for one, other in zip(sessions, right, strict=True))}


def by_chat(url: str, count: int) -> dict[str, Any]:
    lm = S1Chat(base_url=url, model="m", memo="off", timeout=5, max_downtime=120, num_concurrent=64)
    asked = [
        Instance("generate_until", {}, (f"question {n}", {"max_gen_toks": 60}), n, ("t", n, 1)) for n in range(count)
    ]
    try:
        replies = lm.generate_until(asked, disable_tqdm=True)
    finally:
        lm.connection.close()
    wrong = sum(reply.answer != f"It is {n}." for n, reply in enumerate(replies))
    return {"asked": count, "wrong": wrong + count - lm.costs()["this_run"]["replies"]}


def answer(body: dict[str, Any]) -> Said:
    return Said(f"It is {question_of(body).split()[-1]}.", "hm hm")


def limited(upstream: str, rate: int, retry_after: str) -> BusyProxy:
    headers = {"Retry-After": retry_after} if retry_after else {}

    def says_no(through: list[float]) -> web.Response | None:
        full = len(through) >= rate and proxy.seconds - through[-rate] < 1.0
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers) if full else None

    proxy = BusyProxy(upstream, says_no)
    return proxy


def measure_limits(questions: int, rate: int) -> list[dict[str, Any]]:
    completions, chat = ScriptedServer(WRITE, 300), ScriptedChat(answer)
    rows = []
    for name, upstream, ask in (
        ("token ids", completions.url, lambda url: by_token_ids(url, questions, 0)),
        ("chat", chat.url, lambda url: by_chat(url, questions)),
    ):
        for retry_after in ("", "1"):
            proxy = limited(upstream, rate, retry_after)
            began = time.perf_counter()
            row = ask(proxy.url)
            seconds = time.perf_counter() - began
            rows.append(
                {
                    "way": f"{name}{', Retry-After: 1' if retry_after else ''}",
                    **row,
                    "let through": len(proxy.through),
                    "refused": len(proxy.refused),
                    "seconds": round(seconds, 1),
                    "least": round(questions / rate, 1),
                }
            )
            proxy.close()
            print(rows[-1], flush=True)
    completions.close()
    chat.close()
    return rows


class Weather:
    """A proxy whose faults change every few seconds: fair, spoiled replies, only 503, only 429, away."""

    def __init__(self, upstream: str, seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self.spells: Counter[str] = Counter()
        self._upstream = upstream
        self._random = random.Random(seed)
        self._proxy: InThread = self._fault(0.1)
        self.url, self._port = self._proxy.url, self._proxy.port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)
        self._thread.start()

    def _fault(self, rate: float, faults: tuple[str, ...] | None = None) -> FaultProxy:
        given = {} if faults is None else {"faults": faults}
        port = getattr(self, "_port", 0)
        return FaultProxy(self._upstream, rate, seed=self._random.randrange(10**6), stall_seconds=8, port=port, **given)

    def _change(self) -> None:
        kinds = {"spoiled": (0.1, None), "worse": (0.4, None), "only 500": (1.0, ("500",)), "only 429": (1.0, ("429",))}
        while not self._ended.wait(self._random.uniform(2, 8)):
            kind = self._random.choice([*kinds, "fair", "spoiled", "away"])
            self.spells[kind] += 1
            self._close()
            if kind == "away":
                self._ended.wait(self._random.uniform(1, 6))
            rate, faults = kinds.get(kind, (0.0, None))
            self._proxy = self._fault(rate, faults)

    def _close(self) -> None:
        self.injected += getattr(self._proxy, "injected", Counter())
        self._proxy.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._close()


def soak(seconds: float) -> dict[str, Any]:
    completions, chat = ScriptedServer(WRITE, 300), ScriptedChat(answer)
    weathers = [Weather(completions.url, 1), Weather(chat.url, 2)]
    began, before = time.perf_counter(), megabytes()
    told: dict[str, Any] = {"passes": 0, "asked": 0, "wrong": 0}
    ways: list[Callable[[], dict[str, Any]]] = [
        lambda: by_token_ids(weathers[0].url, 200, 2),
        lambda: by_chat(weathers[1].url, 200),
    ]
    early = 0.0
    while time.perf_counter() - began < seconds:
        for ask in ways:
            row = ask()
            told["asked"] += row["asked"]
            told["wrong"] += row["wrong"]
        told["passes"] += 1
        early = early or megabytes()
    for weather in weathers:
        weather.close()
    faults = sum((weather.injected for weather in weathers), Counter[str]())
    spells = sum((weather.spells for weather in weathers), Counter[str]())
    completions.close()
    chat.close()
    lasted = round(time.perf_counter() - began)
    memory = {"mb_before": before, "mb_after_one_pass": early, "mb_after": megabytes()}
    return {**told, "seconds": lasted, "faults": dict(faults), "spells": dict(spells), **memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("limits", "soak"))
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--report", help="write benchmarks/reports/servers_WHAT_NAME.md")
    options = parser.parse_args()
    if options.what == "limits":
        rows = measure_limits(options.questions, options.rate)
        heads = list(rows[0])
        lines = [f"A scripted server that takes {options.rate} requests a second; one request a question.", ""]
        lines += [" | ".join(["", *heads, ""]).strip(), " | ".join(["", *["---"] * len(heads), ""]).strip()]
        lines += [" | ".join(["", *(str(row[head]) for head in heads), ""]).strip() for row in rows]
        lines += [
            "",
            "wrong: answers that are missing, doubled or another question's. least: questions / rate, in seconds.",
        ]
        result: Any = rows
    else:
        result = soak(options.seconds)
        lines = [
            f"{result['asked']:,} questions, {result['passes']} passes, {result['seconds']} s: {result['wrong']} lost, "
            "doubled or wrong.",
            f"Faults in single replies: {result['faults']}.",
            f"Spells of seconds: {result['spells']} (away: the proxy is stopped).",
            f"Largest memory, servers and client in one process: {result['mb_before']} MB before, "
            f"{result['mb_after_one_pass']} MB after one pass, {result['mb_after']} MB at the end.",
        ]
    if options.report:
        write_report(f"servers_{options.what}_{options.report}", f"Servers: {options.what}", lines)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
