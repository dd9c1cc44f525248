"""The command line: quick to start, light to import, and every command explains itself."""

import resource
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from s1_contract import __version__
from s1_report.cli import app, main
from s1_report.commands import table_lines

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)
HEAVY = ("numpy", "scipy", "matplotlib", "torch", "lm_eval", "huggingface_hub", "s1_tasks", "s1_models")


def test_help_takes_less_than_half_a_second_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['s1-report', '--help']\n"
        "from s1_report.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Time of the processor, so that a busy machine does not fail the test.
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert "loaded []" in done.stdout
    assert min(times) < 0.5


def test_importing_the_package_loads_nothing_heavy():
    code = f"import s1_report, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.output


def test_the_commands_are_the_documented_ones():
    reading = {"collect", "curve", "flips", "lengths", "stats", "show"}
    assert set(COMMANDS) == reading | {
        "compare",
        "diverge",
        "gate",
        "plan",
        "export",
        "readme",
        "audit",
        "rescore",
        "explain",
    }


def test_tables_break_headers_and_never_cells_and_show_no_control_characters():
    lines = table_lines(
        ("task", "waits asked", "change"), [("s1_nano", "0", ""), ("evil\x1b[2J\n", "12", "+38.8 (+194 -0)")]
    )
    assert lines == [
        "               waits",
        "task           asked           change",
        "-------------  -----  ---------------",
        "s1_nano            0",
        r"evil\x1b[2J\n     12  +38.8 (+194 -0)",
    ]


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_short_help_and_the_version_are_there(option, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["s1-report", option])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert (__version__ in printed) if option == "--version" else ("audit" in printed)
