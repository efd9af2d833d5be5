"""Ten times the clips: memory and time of each data stage; what a killed stage does again; what one new clip costs.

    python benchmarks/scale.py [--clips 8] [--times 10] [--frames 24] [--shard-clips 2] [--out FILE.json]

Each stage runs as its command. Memory is the largest sum over its processes of what is theirs alone plus their share
of what they share (PSS, sampled every 50 ms), as `memory` without the files they have mapped (pages of those can be
dropped at any time), as `memory_with_files` with them. Time is processor time of all processes; the clock's stands
beside it. The clips are copies of a few drawn ones under other names, so the search for duplicates is left out.
Linux alone.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REENACT = str(Path(sys.executable).parent / "reenact")
SHARDED = {
    "extract-frames": "frames",
    "label-landmarks": "landmarks",
    "label-actions": "actions",
    "label-segments": "segments",
}
MEMORY_BAR, TIME_BAR = 1.10, 1.05  # of what as many clips would explain: none for memory, all for time
EVERY = 0.05  # s between two looks at the memory
DRAWN = 8


@dataclass
class Run:
    """What one command cost; memory in MiB, times in seconds."""

    code: int
    seconds: float
    processor: float
    memory: float
    memory_with_files: float
    counts: dict[str, float]


@dataclass(frozen=True)
class Bench:
    """Where everything lies, and the settings of all commands."""

    folder: Path
    frames: int
    shard_clips: int

    def command(self, stage: str, root: Path) -> list[str]:
        """A stage on the folders below `root`."""
        changes = (
            f"fetch_data.videos={json.dumps(str(root / 'mine'))}",
            f"extract_frames.shard_clips={self.shard_clips}",
            "label_segments.make=always",
            "validate_data.duplicates.check=false",
            # Few clips or many, each is cut by time, so that the same is done.
            "validate_data.split.min_identities=100000",
            "validate_data.split.gap_seconds=0",
            "runtime.workers=2",
        )
        return [REENACT, stage, "--out", str(root), *(word for change in changes for word in ("-S", change))]

    def start(self, stage: str, root: Path) -> "subprocess.Popen[bytes]":
        """The command in a session of its own, so that all its processes can be ended at once."""
        events = root / f"{stage}.jsonl"
        events.unlink(missing_ok=True)
        environment = {**os.environ, "REENACT_EVENTS": str(events)}
        with (root / f"{stage}.log").open("wb") as log:
            return subprocess.Popen(
                self.command(stage, root), env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def run(self, stage: str, root: Path) -> Run:
        """Run a stage to its end. Raises RuntimeError where it fails."""
        begun, peaks = time.monotonic(), (0.0, 0.0)
        process = self.start(stage, root)
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            now = memory_of_session(process.pid)
            peaks = max(peaks[0], now[0]), max(peaks[1], now[1])
            time.sleep(EVERY)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError((root / f"{stage}.log").read_text()[-2000:])
        processor = used.ru_utime + used.ru_stime
        return Run(process.returncode, time.monotonic() - begun, processor, *peaks, counts_of(root, stage))


def memory_of_session(session: int) -> tuple[float, float]:
    """(without mapped files, with them) in MiB, over all processes of a session."""
    own = everything = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):  # gone meanwhile
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            lines = (line.split() for line in (entry / "smaps_rollup").read_text().splitlines()[1:])
            sizes = {words[0]: int(words[1]) for words in lines}
            everything += sizes["Pss:"]
            own += sizes["Pss:"] - sizes.get("Pss_File:", 0)
    return own / 1024, everything / 1024


def counts_of(root: Path, stage: str) -> dict[str, float]:
    """What the stage counted, from its last event."""
    lines = (json.loads(line) for line in (root / f"{stage}.jsonl").read_text().splitlines())
    done = [line["counts"] for line in lines if line["kind"] == "step" and line["state"] == "done"]
    return dict(done[-1])


def drawn(bench: Bench) -> list[Path]:
    """A few rendered clips."""
    from reenact.config import Runtime
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    folder = bench.folder / "drawn"
    settings = RenderClipsSettings(identities=DRAWN, frames=bench.frames, size=256)
    render_clips(out=folder, settings=settings, runtime=Runtime(workers=2))
    return sorted(folder.glob("*.mp4"))


def collected(bench: Bench, name: str, count: int) -> Path:
    """A root with so many clips collected in it, each of another person."""
    root = bench.folder / name
    add_clips(bench, root, 0, count)
    bench.run("fetch-data", root)
    return root


def add_clips(bench: Bench, root: Path, first: int, last: int) -> None:
    """Copies of drawn clips, under the numbers [first, last)."""
    (root / "mine").mkdir(parents=True, exist_ok=True)
    clips = sorted((bench.folder / "drawn").glob("*.mp4"))
    for number in range(first, last):
        shutil.copy(clips[number % len(clips)], root / "mine" / f"clip-{number:04d}.mp4")


def growth(bench: Bench, few: int, times: int) -> list[dict[str, Any]]:
    """Each stage on `few` clips and on `times` as many."""
    roots = [collected(bench, "few", few), collected(bench, "many", few * times)]
    rows = []
    for stage in (*SHARDED, "validate-data"):
        print(f"{stage} ...", file=sys.stderr, flush=True)
        small, large = (bench.run(stage, root) for root in roots)
        memory, spent = large.memory / small.memory, large.processor / small.processor
        kept = {"memory": memory <= MEMORY_BAR, "time": spent <= TIME_BAR * times}
        rows.append(
            {"stage": stage, "few": asdict(small), "many": asdict(large), "memory": memory, "time": spent, "kept": kept}
        )
    return rows


def killed(bench: Bench, clips: int) -> list[dict[str, Any]]:
    """Each sharded stage killed with all its processes in the middle, and run again: what was done a second time."""
    root, rows = collected(bench, "killed", clips), []
    for stage, folder in SHARDED.items():
        whole = len(json.loads((root.parent / "many" / folder / "stage.json").read_text())["shards"])
        process = bench.start(stage, root)
        while process.poll() is None and len(finished(root / folder)) < whole // 2:
            time.sleep(EVERY)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1.0)  # workers end with their parent
        there, running = finished(root / folder), memory_of_session(process.pid)[1]
        again = bench.run(stage, root)
        rows.append({
            "stage": stage, "shards": whole, "finished_before": len(there), "made_after": again.counts["shards_now"],
            "kept_untouched": there.items() <= finished(root / folder).items(), "left_running": running > 0,
        })  # fmt: skip
    return rows


def finished(folder: Path) -> dict[str, int]:
    """The whole shards of a stage's folder, and when each was made."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("[!.]*/done.json")}


def added(bench: Bench, clips: int) -> list[dict[str, Any]]:
    """Shards that each stage makes for one clip more."""
    root = collected(bench, "added", clips)
    for stage in SHARDED:
        bench.run(stage, root)
    before = {stage: finished(root / folder) for stage, folder in SHARDED.items()}
    add_clips(bench, root, clips, clips + 1)
    bench.run("fetch-data", root)
    rows = []
    for stage, folder in SHARDED.items():
        counts, now = bench.run(stage, root).counts, finished(root / folder)
        new = {name for name, made in now.items() if before[stage].get(name) != made}
        rows.append({"stage": stage, "shards": len(now), "made": counts["shards_now"], "new": len(new)})
    return rows


def show(figures: dict[str, Any]) -> None:
    """The tables."""
    few, many = figures["clips"], figures["clips"] * figures["times"]
    print(f"{'':<17}{'memory, MiB':^21}{'with files':^14}{'processor, s':^23}{'clock, s':^16}")
    print(f"{'clips':<17}{few:>7}{many:>7}{'ratio':>7}{few:>7}{many:>7}{few:>8}{many:>8}{'ratio':>7}{few:>8}{many:>8}")
    for row in figures["growth"]:
        small, large = row["few"], row["many"]
        print(
            f"{row['stage']:<17}{small['memory']:>7.0f}{large['memory']:>7.0f}{row['memory']:>7.2f}"
            f"{small['memory_with_files']:>7.0f}{large['memory_with_files']:>7.0f}{small['processor']:>8.1f}"
            f"{large['processor']:>8.1f}{row['time']:>7.2f}{small['seconds']:>8.1f}{large['seconds']:>8.1f}"
            f"{'' if all(row['kept'].values()) else '  beyond the bar'}"
        )
    for row in figures["killed"]:
        touched = "" if row["kept_untouched"] else ", finished ones were touched"
        running = ", and processes were left running" if row["left_running"] else ""
        before, made = f"{row['finished_before']} of {row['shards']} shards were finished", f"{row['made_after']:.0f}"
        print(f"killed {row['stage']}: {before}, the next run made {made}{touched}{running}")
    for row in figures["added"]:
        print(f"one clip more, {row['stage']}: {row['made']:.0f} of {row['shards']} shards made")


def main() -> None:
    """Measure, print the tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--shard-clips", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options.frames, options.shard_clips)
        drawn(bench)
        figures: dict[str, Any] = {
            "clips": options.clips, "times": options.times, "frames": options.frames,
            "shard_clips": options.shard_clips, "machine": platform.platform(),
        }  # fmt: skip
        figures["growth"] = growth(bench, options.clips, options.times)
        figures["killed"] = killed(bench, options.clips * options.times)
        figures["added"] = added(bench, 100)
    show(figures)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
