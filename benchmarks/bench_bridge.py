"""What does the start-up bridge add to a bare `python -c pass`?

Two bare virtual environments that differ in the bridge's .pth file alone are started in alternation; the figure is
the median of the paired differences, in milliseconds of wall time and of CPU time (which other work on the machine
disturbs less). What limits it: one more file to read and a finder of a few lines to compile.
The last line of the output is one JSON document.

    python -m benchmarks.bench_bridge [--pairs 200]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

PTH = "lm_eval_s1_bridge.pth"


def start(python: Path) -> tuple[float, float]:
    """Milliseconds of one bare start of this interpreter: wall time, CPU time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([str(python), "-c", "pass"], check=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * wall, 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def make_environment(folder: Path, pth_line: str | None) -> Path:
    """A bare virtual environment that sees this package's source; with the bridge's .pth line or without."""
    import venv

    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(site) / "a_source.pth").write_text(f"{Path(__file__).parents[1]}\n")
    if pth_line is not None:
        (Path(site) / PTH).write_text(pth_line)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    line = (Path(__file__).parents[1] / "s1_models" / PTH).read_text()
    with tempfile.TemporaryDirectory() as folder:
        with_bridge = make_environment(Path(folder) / "with", line)
        without = make_environment(Path(folder) / "without", None)
        for python in (with_bridge, without):
            start(python)  # writes the .pyc files
        differences: list[tuple[float, float]] = []
        bare = []
        for number in range(options.pairs):
            # Alternating which comes first cancels what the first of two runs pays.
            first, second = (with_bridge, without) if number % 2 else (without, with_bridge)
            times = {first: start(first), second: start(second)}
            wall, cpu = (on - off for on, off in zip(times[with_bridge], times[without], strict=True))
            differences.append((wall, cpu))
            bare.append(times[without][0])
    print(
        json.dumps(
            {
                "python": sys.version.split()[0],
                "pairs": options.pairs,
                "bare_start_ms": round(statistics.median(bare), 3),
                "bridge_ms": round(statistics.median(wall for wall, _ in differences), 3),
                "bridge_cpu_ms": round(statistics.median(cpu for _, cpu in differences), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
