"""What a server may never do: fill the memory, learn what is not for it, or have its text run the terminal"""

import asyncio
import gzip
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from lm_eval.api.instance import Instance

from s1_contract.redaction import HIDDEN, redact, redact_text
from s1_models.driver import EngineError, run_jobs
from s1_models.engines.openai.arguments import clean_header, read_headers, read_patience, read_template_arguments
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.lm import S1OpenAI
from s1_models.engines.openai.patience import Patience
from s1_models.engines.openai.transport import proxy_for, split_address
from s1_models.options import OptionError
from tests.conftest import NANO, ROOT
from tests.models.test_s1_openai import writer_of_digits
from tests.models.test_server_patience import WRITE, Dialect, jobs
from tests.scripted_server import InThread, ScriptedServer

SECRET = "s3cr3t-of-the-user"


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    closing: list[Any] = []

    def remember(resource: Any) -> Any:
        closing.append(resource)
        return resource

    yield remember
    for resource in reversed(closing):
        resource.close()


@pytest.fixture
def ask(opened: Any) -> Callable[..., None]:
    """Runs two questions against a handler, which fail; raises what the run raises."""

    def run(handler: Any, text: bool = False, **connection: Any) -> None:
        url = opened(InThread({"/v1/completions": handler})).url if callable(handler) else handler
        patience = Patience(timeout_seconds=20.0, max_retries=1, max_downtime_seconds=1.0)
        made = opened(Connection(url, patience=patience, **connection))
        dialect = Dialect("m", not text, True, lambda written: (1,) * len(written), lambda _: "", 10**9)
        run_jobs(jobs(2), OpenAIEngine(made, dialect, 300))

    return run


def stream(*pieces: bytes, times: int = 1, content_type: str = "text/event-stream", status: int = 200) -> Any:
    async def handler(_: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Type": content_type})
        await response.prepare(_)
        for _ in range(times):
            for piece in pieces:
                await response.write(piece)
        return response

    return handler


MIB = b"x" * 2**20
TEXT = b'data: {"choices":[{"index":0,"text":"%s","finish_reason":null}]}\n\n' % (b"la " * 1000)

HOSTILE = {
    "a line without an end": (stream(b"data: ", MIB, times=80), r"a line of more than 1,0\d\d,\d{3} bytes"),
    "deep JSON": (stream(b"data: " + b"[" * 100_000 + b"\n\n"), "JSON that is nested too deep: "),
    "a number of digits": (stream(b"data: " + b"9" * 50_000 + b"\n\n"), "ValueError, not JSON"),
    "an error without an end": (stream(MIB, times=700, status=500), r"500, x{80}"),
    "a refusal without an end": (stream(MIB, times=700, status=400), r"refused a request: 400, x{80}"),
    "JSON without an end": (stream(MIB, times=80, content_type="application/json"), r"a body of more than 1,0"),
    "a text without an end": (stream(TEXT, times=3000), "a text far longer than the .* tokens asked for"),
    "bytes that are no text": (stream(b"data: \xff\xfe\n\n"), "Error, not JSON"),
    "terminal commands": (stream(b"data: \x1b[2J\n\n"), r"not JSON: \\x1b\[2J"),
    "commands in an error": (stream(b'{"error":"\\u001b[2J"}', status=400), r"400, \\x1b\[2J"),
    "gzip": (stream(b"data: " + gzip.compress(b"{}" * 10**6)), "no usable reply"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_replies_are_errors_with_a_name(ask: Any, kind: str) -> None:
    handler, said = HOSTILE[kind]
    with pytest.raises(EngineError, match=said) as error:
        ask(handler, text="text" in kind)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_no_reply_fills_the_memory(opened: Any) -> None:
    """All of them at once, sixteen requests at a time, in a process that may take 250 MB more than it has."""
    routes = {f"/{number}/completions": handler for number, (handler, _) in enumerate(HOSTILE.values())}
    server = opened(InThread(routes))
    code = f"""
import resource
from s1_models.engines.openai.connection import Connection
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.patience import Patience
from s1_models.driver import EngineError, run_jobs
from tests.models.test_server_patience import Dialect, jobs
for name, text in (("VmSize", open("/proc/self/status").read()),):
    used = next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name)) * 1024
most = used + 16 * 2**20 + 250 * 10**6  # threads have stacks
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for number in range({len(routes)}):
    patience = Patience(timeout_seconds=20.0, max_retries=1, max_downtime_seconds=1.0)
    connection = Connection(f"http://127.0.0.1:{server.port}/{{number}}", patience=patience)
    dialect = Dialect("m", number % 2 == 0, True, lambda text: (1,) * len(text), lambda _: "", 10**9)
    try:
        run_jobs(jobs(16), OpenAIEngine(connection, dialect, 300))
    except EngineError as error:
        assert "MemoryError" not in str(error), error
        print(number, str(error)[:100])
    connection.close()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len(routes)


# Another host.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_neither_header_nor_prompt(ask: Any, opened: Any, status: int) -> None:
    heard: list[Any] = []

    async def listen(http: web.Request) -> web.Response:
        heard.append((dict(http.headers), await http.text()))
        return web.Response()

    other = opened(InThread({"/v1/completions": listen}))

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"http://localhost:{other.port}/v1/completions"})

    with pytest.raises(EngineError, match=r"redirects to http://localhost:\d+/v1/completions, another host"):
        ask(redirect, headers={"X-Api-Key": SECRET}, api_key=SECRET)
    assert heard == []


def test_a_redirect_on_the_same_host_is_followed(ask: Any, opened: Any) -> None:
    server = opened(ScriptedServer(WRITE, 300))

    async def slash(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/v1/completions"})

    async def loop(http: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{http.path}?again"})

    server.close()
    router = opened(
        InThread({"/old/completions": slash, "/loop/completions": loop, "/v1/completions": server._completions})
    )
    ask(f"http://127.0.0.1:{router.port}/old")
    assert server.answered
    with pytest.raises(EngineError, match="redirects"):
        ask(f"http://127.0.0.1:{router.port}/loop")


def test_likelihoods_are_asked_for_through_the_same_connection(opened: Any, nano_tokenizer: Any) -> None:
    heard: list[Any] = []

    async def listen(http: web.Request) -> web.Response:
        heard.append(await http.text())
        return web.Response()

    other = opened(InThread({"/v1/completions": listen}))
    server = opened(ScriptedServer(writer_of_digits(nano_tokenizer), 512, nano_tokenizer, root=str(NANO)))
    for concurrent in (1, 4):
        lm = S1OpenAI(base_url=server.url, num_concurrent=concurrent, header={"X-Api-Key": SECRET})
        opened(lm.connection)

        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://localhost:{other.port}/v1/completions"})

        lm.connection.base_url = opened(InThread({"/v1/completions": redirect})).url
        asked = [Instance("loglikelihood", {}, (str(number), " 5"), number, ("t", number, 1)) for number in range(3)]
        with pytest.raises(EngineError, match="another host"):
            lm.loglikelihood(asked)
    assert heard == []


# Secrets.


def test_secrets_are_known_by_name_and_by_look() -> None:
    given = {
        "base_url": "http://user:pw@host:1/v1",
        "header": {"X-Api-Key": "abc"},
        "auth_token": "abc",
        "nested": [{"api_key": "abc"}],
        "pretrained": "hf-internal-testing/tiny-random-LlamaForCausalLM",
        "max_new_tokens": 3,
        "think_end_token": "</think>",
        "tokenizer": "x",
        "header_missing": None,
    }
    assert redact(given) == {
        **given,
        "base_url": f"http://{HIDDEN}@host:1/v1",
        "header": {"X-Api-Key": HIDDEN},
        "auth_token": HIDDEN,
        "nested": [{"api_key": HIDDEN}],
    }
    for text in (
        "{'header': {'X-Api-Key': 'abc'}, 'num_waits': 2}",
        "base_url=http://h/v1,header={X-Api-Key: abc},num_waits=2",
        "api_key=abc num_waits=2",
        "Authorization: Bearer abcabcabc",
        "Incorrect API key provided: sk-abcabcabcabcabcabc.",
        "https://h/v1?api_key=abc&x=1",
    ):
        assert "abc" not in redact_text(text)
    assert redact_text("the answer is key = 3, tokens: 12") == "the answer is key = 3, tokens: 12"


@pytest.mark.timeout(600)
def test_a_run_leaves_no_secret_anywhere(opened: Any, nano_tokenizer: Any, tmp_path: Path) -> None:
    """lm_eval's own command line, then our report, our sweep, and every byte they wrote."""
    server = opened(ScriptedServer(writer_of_digits(nano_tokenizer), 1024, nano_tokenizer, root=str(NANO)))
    url = f"http://user:{SECRET}1@127.0.0.1:{server.port}/v1/completions"
    arguments = json.dumps({"base_url": url, "header": {"X-Api-Key": f"{SECRET}2"}, "num_waits": 1})
    run = ["--model", "s1_openai", "--model_args", arguments, "--tasks", "s1_nano", "--limit", "2"]
    swept = [*run[:3], arguments.replace(', "num_waits": 1', ""), *run[4:]]
    commands = [
        ["s1_models.commands.cli", "run", *run, "--log_samples", "--output_path", str(tmp_path / "out")],
        ["s1_models.commands.cli", "sweep", *swept, "--num_waits", "0,1", "--output_path", str(tmp_path / "swept")],
        ["s1_report.cli", "collect", str(tmp_path / "out"), "--output", str(tmp_path / "records")],
    ]
    printed = ""
    for module, *options in commands:
        code = f"import sys; sys.argv = {['s1', *options]!r}; from {module} import main; main()"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        printed += done.stdout + done.stderr
    assert server.asked
    assert SECRET not in printed
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("results_" in path.name for path in files)
    assert any(path.parent.parent.name == "s1_nano" or "records" in str(path) for path in files)
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_what_a_server_repeats_of_a_secret_is_not_shown(ask: Any) -> None:
    async def repeat(http: web.Request) -> web.Response:
        return web.json_response({"error": {"message": f"bad key {http.headers['X-Api-Key']}"}}, status=401)

    with pytest.raises(EngineError, match=r"401, bad key \*\*\*") as error:
        ask(repeat, headers=read_headers({"X-Api-Key": SECRET}))
    assert SECRET not in str(error.value)


def test_user_and_password_of_an_address_are_sent_and_not_shown(ask: Any, opened: Any) -> None:
    heard: list[str] = []

    async def listen(http: web.Request) -> web.Response:
        heard.append(http.headers["Authorization"])
        return web.Response(status=400)

    port = opened(InThread({"/v1/completions": listen})).port
    with pytest.raises(EngineError) as error:
        ask(f"http://user:p%40ssword@127.0.0.1:{port}/v1")
    assert heard[0] == "Basic dXNlcjpwQHNzd29yZA=="
    assert "ssword" not in str(error.value)
    assert split_address("http://u:p@[::1]:80/v1/") == ("http://[::1]:80/v1", "Basic dTpw")


# Addresses, keys and headers that cannot be right: the error names its cure.


@pytest.fixture
def serve(opened: Any, nano_tokenizer: Any) -> Callable[..., Any]:
    def build(routes: dict[str, str], **arguments: Any) -> Any:
        """routes: path -> name of a handler of a scripted server."""
        server = ScriptedServer(writer_of_digits(nano_tokenizer), 512, nano_tokenizer, root=str(NANO))
        opened(server)
        partly = opened(InThread({path: getattr(server, name) for path, name in routes.items()}))
        path = arguments.pop("path", "/v1/completions")
        lm = S1OpenAI(**{"base_url": f"http://127.0.0.1:{partly.port}{path}", "max_downtime": 1, **arguments})
        return opened(lm.connection) and lm

    return build


ALL = {"/v1/models": "_models", "/v1/completions": "_completions"}


def test_a_server_with_chat_only_is_told_apart(serve: Any) -> None:
    with pytest.raises(
        EngineError, match=r"POST http://[\d.:]+/v1/completions was answered with 404: s1_openai needs"
    ) as e:
        serve({"/v1/models": "_models"})
    assert "--model s1_chat" in str(e.value)
    with pytest.raises(OptionError, match=r"ends in /chat/completions, .*use --model s1_chat"):
        serve(ALL, path="/v1/chat/completions")


def test_an_address_without_v1_is_told_where_to_look(serve: Any) -> None:
    with pytest.raises(
        EngineError, match=r"http://[\d.:]+/models refused .* give base_url=http://[\d.:]+/v1/completions"
    ):
        serve(ALL, path="")
    with pytest.raises(OptionError, match="expected http://HOST:PORT/v1"):
        serve(ALL, base_url="127.0.0.1:8000/v1")


def test_a_server_without_a_list_needs_three_names_only(serve: Any) -> None:
    routes = {"/v1/completions": "_completions"}
    with pytest.raises(EngineError, match="give model=NAME, max_length=TOKENS and tokenizer=NAME_OR_DIRECTORY"):
        serve(routes, model="scripted")
    lm = serve(routes, model="scripted", max_length=512, tokenizer=str(NANO))
    asked = Instance("generate_until", {}, ("1 2", {"max_gen_toks": 9, "until": []}), 0, ("t", 0, 1))
    assert lm.generate_until([asked], disable_tqdm=True)[0]


def test_a_key_with_a_newline_is_a_key(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}\n")
    assert serve(ALL).connection.headers["Authorization"] == f"Bearer {SECRET}"
    with pytest.raises(OptionError, match="OPENAI_API_KEY holds a line break") as error:
        clean_header("OPENAI_API_KEY", "abc\ndef")
    assert "abc" not in str(error.value)


def test_headers_may_be_text() -> None:
    assert read_headers('{"X-A": "b", "X-C": "d"}') == {"X-A": "b", "X-C": "d"}
    assert read_headers("X-A: b:c") == {"X-A": "b:c"}
    assert read_headers(None) == read_headers("") == {}
    for wrong in ("{X-A: hidden}", "hidden", ["hidden"], {"a": ["hidden"]}):
        with pytest.raises(OptionError, match="the model arg header is not understood") as error:
            read_headers(wrong)
        assert "hidden" not in str(error.value)


def test_patience_and_template_arguments_are_read() -> None:
    assert read_patience("30", "2", None, 60) == Patience(30.0, 2, None, 60.0)
    with pytest.raises(OptionError, match="max_downtime=soon: expected a number"):
        read_patience(30, 2, None, "soon")
    with pytest.raises(OptionError, match="timeout=0: expected a number"):
        read_patience(0, 2, None, 5)
    assert read_template_arguments('{"reasoning_effort": "high"}') == {"reasoning_effort": "high"}
    with pytest.raises(OptionError, match="chat_template_args: expected names and values as JSON"):
        read_template_arguments("high")


def test_chat_template_args_reach_the_chat_template(serve: Any) -> None:
    lm = serve(ALL, chat_template_args={"reasoning_effort": "high", "enable_thinking": False})
    lm.tokenizer.chat_template = "{{ reasoning_effort }} {{ enable_thinking }} {{ messages[0].content }}"
    assert lm.apply_chat_template([{"role": "user", "content": "?"}]) == "high False ?"


def test_a_certificate_that_nobody_signed_names_the_cure(ask: Any, opened: Any, tmp_path: Path) -> None:
    making = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    made = subprocess.run(["openssl", *making.split(), *files], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = opened(ScriptedServer(WRITE, 300))
    port = _serve_tls(server, context)
    with pytest.raises(EngineError, match=r"not trusted here: give ca_cert_path=FILE .* or verify_certificate=false"):
        ask(f"https://127.0.0.1:{port}/v1")
    ask(f"https://127.0.0.1:{port}/v1", verify=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
    with pytest.raises(EngineError, match="is it an http:// address"):
        ask(server.url.replace("http:", "https:"))


def _serve_tls(server: ScriptedServer, context: ssl.SSLContext) -> int:
    """The same application on another port, with TLS; it ends with the server."""

    async def begin() -> int:
        site = web.TCPSite(server._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return int(server._runner.addresses[-1][1])

    return int(server._on_loop(begin()))


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch, ask: Any, opened: Any) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    asked: list[str] = []

    async def proxy(http: web.Request) -> web.Response:
        asked.append(str(http.url))
        return web.Response(status=400, text="so far")

    port = opened(InThread({"/{path:.*}": proxy})).port
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{SECRET}@127.0.0.1:{port}")
    with pytest.raises(EngineError, match="400, so far"):
        ask("http://models.example/v1")
    assert asked[0] == "http://models.example/v1/completions"
    assert (
        proxy_for("http://localhost:8000/v1") is proxy_for("http://127.0.0.1/v1") is proxy_for("http://[::1]/") is None
    )
    monkeypatch.setenv("NO_PROXY", "models.example")
    assert proxy_for("http://models.example/v1") is None
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://user:{SECRET}@h:1")
    with pytest.raises(OptionError, match=r"the proxy socks5://\*\*\*@h:1 is not an http:// one: set HTTPS_PROXY"):
        proxy_for("https://other.example/v1")


def test_a_connection_that_is_closed_while_a_server_talks_ends() -> None:
    async def forever(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(http)
        while True:
            await response.write(b": ping\n\n")
            await asyncio.sleep(0.01)

    server = InThread({"/v1/completions": forever})
    connection = Connection(server.url)
    engine = OpenAIEngine(connection, Dialect("m", True, True, lambda _: (), lambda _: "", 9), 300)
    engine.submit(1, jobs(1)[0].policy.request(jobs(1)[0].policy.begin((1,))))  # type: ignore[arg-type]
    closing = threading.Thread(target=connection.close)
    closing.start()
    closing.join(timeout=10)
    assert not closing.is_alive()
    server.close()
