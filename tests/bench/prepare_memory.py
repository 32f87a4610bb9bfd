"""Memory of `taper prepare` over gigabytes of synthetic reviews: IMDB's, again and again, each with a number before it, in two words so that no text brings new ones.

    pip install pyarrow
    python prepare_memory.py TAPER IMDB.parquet VECTORS SCRATCH [GIGABYTES]   # 5 by default; needs twice that in SCRATCH

Writes SCRATCH/memory.tsv (seconds, resident MiB) and SCRATCH/memory.svg. IMDB.parquet has the columns text and label.
SCRATCH is made if need be; an earlier run's data in it are replaced. Linux only.
"""

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as parquet


# Numbers that are words: 4 million texts are told apart by two of 2,000.
WORDS = 2000


def write(source, target, size):
    table = parquet.read_table(source)
    rows = list(zip(table["text"].to_pylist(), table["label"].to_pylist()))
    written = number = 0
    with open(target, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        while written < size:
            text, label = rows[number % len(rows)]
            out.writerow([f"{number // WORDS} {number % WORDS} {text}", label])
            written += len(text.encode())
            number += 1
    return number


def resident(pid):
    """None once it has ended, whether or not it was waited for."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(sizes[0]) / 1024 if sizes else None


def draw(samples):
    width, height, left, bottom = 640, 260, 60, 40
    end, top = max(t for t, _ in samples) or 1, max(m for _, m in samples) * 1.1
    place = lambda t, m: (
        f"{left + (width - left - 20) * t / end:.1f},"
        f"{10 + (height - bottom - 10) * (1 - m / top):.1f}"
    )
    ticks = "".join(
        f'<text x="{left - 8}" y="{float(place(0, m).split(",")[1]) + 4:.1f}" text-anchor="end">{m}</text>'
        for m in range(0, int(top), 100)
    )
    ticks += "".join(
        f'<text x="{place(t, 0).split(",")[0]}" y="{height - bottom + 18}" text-anchor="middle">{t // 60}</text>'
        for t in range(0, int(end) + 1, 60)
    )
    points = " ".join(place(t, m) for t, m in samples)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{ticks}'
        f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">minutes</text>'
        f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">resident, MiB</text>'
        f'<path d="M{left} 10V{height - bottom}H{width - 20}" fill="none" stroke="#888"/>'
        f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="1.5"/></svg>\n'
    )


def main():
    taper, source, vectors, scratch = sys.argv[1:5]
    gigabytes = float(sys.argv[5]) if len(sys.argv) > 5 else 5.0
    scratch = Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    # A stage that is up to date would be skipped.
    shutil.rmtree(scratch / "prepared", ignore_errors=True)
    data = scratch / "big.csv"
    rows = write(source, data, gigabytes * 1e9)
    start = time.monotonic()
    child = subprocess.Popen(
        [taper, "prepare", "--recipe", "tutorial", "--dataset", data, "--vectors", vectors]
        + ["--set", 'data.hold_out={ fraction = 0.1, by = "record" }']
        + ["--prepared", scratch / "prepared"]
    )
    samples = []
    while child.poll() is None:
        memory = resident(child.pid)
        if memory is not None:
            samples.append((time.monotonic() - start, memory))
        time.sleep(0.5)
    if child.returncode or not samples:
        sys.exit(child.returncode or "it ended before its memory could be read")
    (scratch / "memory.tsv").write_text("".join(f"{t:.1f}\t{m:.1f}\n" for t, m in samples))
    (scratch / "memory.svg").write_text(draw(samples))
    print(f"{rows} rows, {samples[-1][0]:.0f} s, at most {max(m for _, m in samples):.0f} MiB")


if __name__ == "__main__":
    main()
