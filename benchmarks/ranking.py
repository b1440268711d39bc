"""From a file of votes to a leaderboard: how long it takes, how much memory, and beside other packages.

    python benchmarks/ranking.py [votes] [peers] [slices] [live] [fits] [--sizes 10000,1000000] [--slow]

votes   Parquet file -> board: counted only (i.i.d. intervals), and whole (two-way intervals and rank ranges).
peers   the same votes with evalica, arena-rank, choix and crowd-kit, each where it is installed: what each
        gives from the same file, in a process of its own. `--slow` adds evalica's bootstrap (minutes).
slices  200 slices of 20 systems refitted in one call.
live    a board after one more vote, with ten million stored.
fits    how far ratings differ from those of the other packages.

Votes are drawn from a Davidson model of 20 systems with 22 % ties, by 2,000 raters on 1,000 prompts, pairs
unequally often. Importing packages is not counted; every figure is the best of three runs (one or two of slow
peers), in wall seconds and CPU seconds, beside the largest memory of the process. For `live` the two figures
are the median and the 95th percentile of 50 votes, in wall seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads cost more than they bring
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

SYSTEMS, RATERS, PROMPTS, SLICES = 20, 2_000, 1_000, 200
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
REPEATS = 3
TIES = 0.6
Measured = dict[str, float]


def draw(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of n votes: left, right and answer as small integers, rater and prompt numbers."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(0.0, 0.35, SYSTEMS)
    chance = rng.dirichlet(np.full(SYSTEMS, 3.0))
    left = rng.choice(SYSTEMS, size=n, p=chance).astype(np.int8)
    right = ((left + rng.integers(1, SYSTEMS, size=n, dtype=np.int8)) % SYSTEMS).astype(np.int8)
    gap = theta[left] - theta[right]
    up, down = np.exp(gap / 2.0), np.exp(-gap / 2.0)
    u = rng.random(n) * (up + down + TIES)
    answer = np.where(u < up, 0, np.where(u < up + down, 1, 2)).astype(np.int8)
    case = rng.integers(PROMPTS, size=n, dtype=np.int32)
    return {
        "left": left,
        "right": right,
        "answer": answer,
        "case": case,
        "rater": rng.integers(RATERS, size=n, dtype=np.int32),
    }


def write(n: int, path: Path) -> None:
    """Votes as `evalkit votes export` writes them: names, not numbers."""
    import duckdb
    import pandas as pd

    frame = pd.DataFrame(draw(n))
    with closing(duckdb.connect()) as db:
        db.register("drawn", frame)
        db.execute(
            f"""COPY (SELECT 'model-' || "left" AS left_system, 'model-' || "right" AS right_system,
            ['left', 'right', 'tie'][answer + 1] AS answer, 'rater-' || rater AS rater,
            'prompt-' || "case" AS "case" FROM drawn) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
        )


def timed(work: Callable[[], object], repeats: int = REPEATS) -> Measured:
    """Best wall and CPU seconds, and the largest memory of this process in GB."""
    wall, cpu = [], []
    for _ in range(repeats):
        started, spent = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - spent)
    return {
        "wall": min(wall),
        "cpu": min(cpu),
        "gb": peak(),
    }


def peak() -> float:
    """The largest memory of this process in GB. (What getrusage says would begin with that of its parent.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmHWM:")[1].split()[0]) / 1e6


# ------------------------------------------------------------------ what is measured, each in its own process


def ours_counted(path: Path) -> Measured:
    import duckdb

    from evalkit.leaderboard.ballot_box import tensor_of_file
    from evalkit.preference.clustering import Pull
    from evalkit.preference.measured import fit_of

    def work() -> object:
        with closing(duckdb.connect()) as db:
            tensor = tensor_of_file(db, path)
            fit = fit_of(tensor)
            M = Pull(fit.left, fit.right, fit.others).single(tensor.counts)
            return fit.theta, fit.bread @ M @ fit.bread

    return timed(work)


def ours_whole(path: Path) -> Measured:
    import duckdb

    from evalkit.leaderboard.ballot_box import box_of_file
    from evalkit.leaderboard.votes import board_of_box

    def work() -> object:
        with closing(duckdb.connect()) as db:
            return board_of_box(box_of_file(db, path))

    return timed(work)


def evalica_fit(path: Path) -> Measured:
    import evalica
    import pandas as pd

    winners = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}

    def work() -> object:
        frame = pd.read_parquet(path, columns=["left_system", "right_system", "answer"])
        return evalica.bradley_terry(frame.left_system, frame.right_system, frame.answer.map(winners))

    return timed(work, 1 if path.stat().st_size > 2e7 else REPEATS)


def evalica_bootstrap(path: Path) -> Measured:
    import evalica
    import pandas as pd

    winners = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}

    def work() -> object:
        frame = pd.read_parquet(path, columns=["left_system", "right_system", "answer"])
        return evalica.bootstrap(
            evalica.bradley_terry, frame.left_system, frame.right_system, frame.answer.map(winners),
            n_resamples=100, bootstrap_method="percentile", random_state=0,
        )  # fmt: skip

    return timed(work, 1)


def arena_rank(path: Path) -> Measured:
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    names = {"left": "model_a", "right": "model_b", "tie": "tie"}

    def work() -> object:
        frame = pd.read_parquet(path, columns=["left_system", "right_system", "answer"])
        frame["answer"] = frame["answer"].map(names)
        data = PairDataset.from_pandas(
            frame, competitor_cols=["left_system", "right_system"], outcome_col="answer", reweighted=True
        )
        return BradleyTerry(n_competitors=SYSTEMS).compute_ratings_and_cis(data)

    return timed(work, 2)


def choix_fit(path: Path) -> Measured:
    import choix
    import pandas as pd

    def work() -> object:
        frame = pd.read_parquet(path, columns=["left_system", "right_system", "answer"])
        frame = frame[frame.answer != "tie"]
        left = frame.left_system.str.slice(6).astype(int).to_numpy()
        right = frame.right_system.str.slice(6).astype(int).to_numpy()
        won = (frame.answer == "left").to_numpy()
        pairs = np.column_stack([np.where(won, left, right), np.where(won, right, left)])
        return choix.ilsr_pairwise(SYSTEMS, [(int(a), int(b)) for a, b in pairs])

    return timed(work, 1)


def crowd_kit_fit(path: Path) -> Measured:
    import pandas as pd
    from crowdkit.aggregation import BradleyTerry

    def work() -> object:
        frame = pd.read_parquet(path, columns=["left_system", "right_system", "answer"])
        frame = frame[frame.answer != "tie"].rename(columns={"left_system": "left", "right_system": "right"})
        frame["label"] = np.where(frame.answer == "left", frame.left, frame.right)
        return BradleyTerry(n_iter=100).fit_predict(frame[["left", "right", "label"]])

    return timed(work, 1)


def slices_refit(path: Path) -> Measured:
    from evalkit.preference import Votes
    from evalkit.preference.slices import refit

    del path
    columns = draw(200_000)
    votes = Votes(tuple(map(str, range(SYSTEMS))), **columns)
    labels = np.random.default_rng(1).integers(SLICES, size=votes.n)
    names = [f"s{i}" for i in range(SLICES)]
    return timed(lambda: refit(votes, labels, names))


def slices_counted(path: Path) -> Measured:
    from evalkit.preference.slices import fit_all
    from evalkit.preference.tensor import Tensor

    del path
    columns = draw(200_000)
    slice_of = np.random.default_rng(1).integers(SLICES, size=columns["left"].size)
    counts = np.zeros((SLICES, 4, SYSTEMS, SYSTEMS))
    np.add.at(counts, (slice_of, columns["answer"], columns["left"], columns["right"]), 1.0)
    tensor = Tensor(tuple(map(str, range(SYSTEMS))), counts)
    return timed(lambda: fit_all(tensor))


def live_board(path: Path) -> Measured:
    from evalkit.preference import Votes
    from evalkit.preference.live import LiveBoard, OneVote

    del path
    board = LiveBoard(Votes(tuple(map(str, range(SYSTEMS))), **draw(SIZES[-1])))
    rng = np.random.default_rng(2)
    spent = []
    for _ in range(50):
        left = int(rng.integers(SYSTEMS))
        vote = OneVote(left, (left + 1) % SYSTEMS, 0, int(rng.integers(PROMPTS)), int(rng.integers(RATERS)))
        started = time.perf_counter()
        board.add(vote)
        board.board()
        spent.append(time.perf_counter() - started)
    return {"wall": float(np.median(spent)), "cpu": float(np.quantile(spent, 0.95)), "gb": peak()}


TASKS: dict[str, tuple[str, str, Callable[[Path], Measured]]] = {
    "counted": ("evalkit", "ratings, i.i.d. intervals", ours_counted),
    "whole": ("evalkit", "ratings, two-way intervals, rank ranges", ours_whole),
    "arena_rank": ("arena_rank", "ratings, i.i.d. intervals", arena_rank),
    "evalica": ("evalica", "ratings only", evalica_fit),
    "evalica_bootstrap": ("evalica", "ratings, 100 bootstraps", evalica_bootstrap),
    "choix": ("choix", "ratings only, ties dropped", choix_fit),
    "crowdkit": ("crowdkit", "ratings only, ties dropped", crowd_kit_fit),
    "slices": ("evalkit", "200 slices, two-way intervals", slices_refit),
    "slices_counted": ("evalkit", "200 slices, ratings from counts", slices_counted),
    "live": ("evalkit", "one vote more, whole board", live_board),
}
INTERVALS = ("arena_rank", "evalica_bootstrap")
SLOW = ("evalica_bootstrap",)


def in_a_process(task: str, path: Path) -> Measured | None:
    """None where the package is not installed, or its run did not end well."""
    if find_spec(TASKS[task][0]) is None:
        return None
    command = [sys.executable, __file__, "--task", task, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-1500:], file=sys.stderr)
        return None
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str, n: str, found: Measured | None, ratio: str = "") -> None:
    package, gives, _ = TASKS[name]
    if found is None:
        print(f"| {package} | {gives} | {n} | not installed | | | |", flush=True)
        return
    numbers = f"{found['wall']:.3f} | {found['cpu']:.3f} | {found['gb']:.2f}"
    print(f"| {package} | {gives} | {n} | {numbers} | {ratio} |", flush=True)


def head() -> None:
    print("\n| package | gives | votes | wall s | CPU s | GB | times ours (wall, CPU) |\n|" + " --- |" * 7)


def votes_and_peers(sizes: list[int], folder: Path, peers: bool, slow: bool) -> None:
    head()
    for n in sizes:
        path = folder / f"votes-{n}.parquet"
        write(n, path)
        ours: dict[str, Measured | None] = {task: in_a_process(task, path) for task in ("counted", "whole")}
        for task, found in ours.items():
            row(task, f"{n:,}", found)
        for task in ("arena_rank", "evalica", "evalica_bootstrap", "choix", "crowdkit") if peers else ():
            if task in SLOW and (not slow or n > 1_000_000):
                continue
            found = in_a_process(task, path)
            mine = ours["counted"]
            ratio = (
                f"{found['wall'] / mine['wall']:.0f}, {found['cpu'] / mine['cpu']:.0f}"
                if found and mine
                else ""
            )
            row(task, f"{n:,}", found, ratio)


def fits() -> None:
    """Largest difference of ratings, in Elo points."""
    import pandas as pd

    from evalkit.preference import RatingOptions, Votes
    from evalkit.preference.measured import fit_of
    from evalkit.preference.models.fitted import ELO_PER_LOGIT
    from evalkit.preference.tensor import tensor_of

    columns = draw(100_000)
    votes = Votes(tuple(f"{i:02d}" for i in range(SYSTEMS)), **columns)
    ours = fit_of(tensor_of(votes), RatingOptions(opponents="as-sampled")).theta
    left, right = (pd.Series([votes.systems[i] for i in columns[side]]) for side in ("left", "right"))
    print("\n| package | largest difference, Elo |\n| --- | --- |")
    if find_spec("evalica"):
        import evalica

        winner = pd.Series(columns["answer"]).map(
            {0: evalica.Winner.X, 1: evalica.Winner.Y, 2: evalica.Winner.Draw}
        )
        for tolerance in (1e-6, 1e-12):
            found = evalica.bradley_terry(
                left, right, winner, tolerance=tolerance, limit=10_000
            ).scores.sort_index()
            theirs = np.log(found.to_numpy())
            off = np.abs(theirs - theirs.mean() - ours).max() * ELO_PER_LOGIT
            print(f"| evalica, tolerance {tolerance:g} | {off:.1e} |")
    if find_spec("choix"):
        import choix

        decisive = Votes(votes.systems, **{k: v[columns["answer"] < 2] for k, v in columns.items()})
        alone = fit_of(tensor_of(decisive), RatingOptions(opponents="as-sampled")).theta
        won = tensor_of(decisive).beaten
        off = np.abs(choix.ilsr_pairwise_dense(won) - alone).max() * ELO_PER_LOGIT
        print(f"| choix, ilsr_pairwise_dense, without ties | {off:.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=["votes", "peers", "slices", "live", "fits"])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.task:
        print(json.dumps(TASKS[asked.task][2](asked.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if "votes" in asked.what or "peers" in asked.what:
            sizes = [int(text) for text in asked.sizes.split(",")]
            votes_and_peers(sizes, Path(folder), "peers" in asked.what, asked.slow)
        nothing: Any = Path(folder)
        head()
        for name, shown in (("slices", "200,000"), ("slices_counted", "200,000"), ("live", f"{SIZES[-1]:,}")):
            if name.split("_")[0] in asked.what:
                row(name, shown, in_a_process(name, nothing))
    if "fits" in asked.what:
        fits()


if __name__ == "__main__":
    main()
