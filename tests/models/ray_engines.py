"""A scripted engine that Ray actors can make by name (tests/models/test_engine_ray.py, the conformance suite)."""

import os
from typing import Any

import ray

from s1_models.driver import EngineError
from s1_models.forcing import Request
from tests.scripted_engine import ScriptedEngine, random_writer

FACTORY = "tests.models.ray_engines:Scripted"


class _Picky(ScriptedEngine):
    """Refuses a request whose prefix holds the token 999."""

    def submit(self, key: Any, request: Request) -> None:
        if 999 in request.prefix:
            raise EngineError("999 is no token of this model")
        super().submit(key, request)


class Scripted:
    """What an engine's owner is to an actor: the engine, its facts, and methods to call on shares of a list."""

    def __init__(self, stop_rate: float = 0.0, **arguments: Any) -> None:
        failure = arguments.pop("failure", None)
        write = random_writer(3, 60, stop_rate, [0])
        self.engine = _Picky(
            write, context_window=256, known_ids=50, failure=EngineError(failure) if failure else None, **arguments
        )
        self.facts = {"made_of": "script"}

    def prompts_asked(self, items: list[int]) -> list[set[int]]:
        """For each item the first tokens of all prefixes this replica was asked to go on with."""
        return [{request.prefix[0] for request in self.engine.history} for _ in items]

    def process_ids(self, items: list[int]) -> list[int]:
        return [os.getpid() for _ in items]

    def nodes(self, items: list[int]) -> list[str]:
        return [str(ray.get_runtime_context().get_node_id()) for _ in items]
