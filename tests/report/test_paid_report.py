"""What a report says about paid providers: money, time, refusals, mapped requests, versions, rehearsals."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from reportscenario import Scenario, inputs_of, paid_scenario

from evalkit.report import Definition, Report, build_report

SECTIONS = ("leaderboard", "gallery", "coverage", "cost", "methods")


def report_of(made: Scenario, out: Path) -> Report:
    everything = Definition("R", SECTIONS, options={"gallery": {"random": 12}})
    return build_report(inputs_of(made, everything), out / "r.html")


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(paid_scenario(), tmp_path_factory.mktemp("paid"))


@pytest.fixture(scope="module")
def text(paid: Report) -> str:
    """The page as a reader reads it: no tags, single spaces."""
    return words(paid.path.read_text("utf-8"))


def words(html: str) -> str:
    plain = unescape(re.sub(r"<[^>]+>", " ", html.split("</style>", 1)[1]))
    return re.sub(r"\s+", " ", plain)


def cells(html: str, caption: str, system: str) -> list[str]:
    """The first row of a system in the table whose caption starts so."""
    table = html[html.index(f"<caption>{caption}") :].split("</table>", 1)[0]
    row = next(row for row in table.split("<tr>")[1:] if f"</span>{system}</span>" in row)
    return [re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", c))).strip() for c in row.split("<td")[1:]]


def test_money_for_nothing_and_at_risk_stand_apart(paid: Report) -> None:
    row = [c.split(">", 1)[1].strip() for c in cells(paid.path.read_text("utf-8"), "What was paid", "north")]
    assert row == [
        "9",
        "$0.061 $0.050",
        "$0.45",
        "$0.050",
        "$0.050",
        "$0.55",
        "$0.050 1 request",
        "reported 3 list 8",
    ]


def test_ways_of_knowing_a_price_are_never_mixed_in_silence(text: str) -> None:
    assert "Prices are not known in the same way for all systems: reported and list for north; tokens" in text
    assert (
        "north: the sums add up amounts that are known in different ways: "
        "$0.15 reported (3 requests), $0.40 list (8 requests)." in text
    )
    assert "At risk: $0.050 with north (1)." in text


def test_one_way_of_knowing_needs_no_word(tmp_path: Path) -> None:
    made = paid_scenario()
    made.sample.db.execute("UPDATE outcomes SET cost_basis = 'list'")
    text = words(report_of(made, tmp_path).path.read_text("utf-8"))
    assert "known in the same way" not in text
    assert "known in different ways" not in text


def test_time_is_split_and_what_is_left_out_is_said(paid: Report, text: str) -> None:
    html = paid.path.read_text("utf-8")
    row = [c.split(">", 1)[1].strip() for c in cells(html, "Seconds from asking", "north")]
    assert row[0] == "7 2 left out"
    assert row[1] == "8.5 s 8.2 s to 8.8 s"
    assert [c.split(" ")[0] for c in row[3:8]] == ["0.40", "2.0", "5.0", "0.60", "4.5"]
    assert "north 2 of 9 delivered (1 first request, 1 taken up again after an interruption)" in text
    assert "north every 1.0 s, 12 % of its median" in text
    assert "south : the request itself is answered with the result" in text


def test_waiting_for_our_turn_is_apart(text: str) -> None:
    assert "12 s 1 picture" in text
    assert "“Held back” is how long we waited" in text


def test_refusals_name_code_and_stage(text: str) -> None:
    assert "north refused at the output content_policy all 1 not allowed" in text
    assert "north failed download all 1 expired" in text


def test_trials_sent_again_and_money_at_risk_stand_beside_the_counts(text: str) -> None:
    assert re.search(r"1 0\.2 to 38\.5 % \$0\.050 at risk", text)
    assert "at most 3 times" in text


def test_mapped_requests_are_counted_and_marked(paid: Report, text: str) -> None:
    html = paid.path.read_text("utf-8")
    gallery = html[html.index('id="gallery"') : html.index('id="coverage"')]
    assert gallery.count("aspect ratio 4:3 → 3:2") == 6
    assert "south product aspect ratio 4:3 → 3:2 6" in text
    results = json.loads(paid.results.read_text("utf-8"))["sections"]["coverage"]["degraded"]
    assert [(row["system"], row["n"], row["delivered"]) for row in results] == [("south", 6, 12)]


def test_a_model_that_changed_under_way_is_said_at_the_top(paid: Report, text: str) -> None:
    assert "The model changed during the run: more than one version answered for north." in text
    html = paid.path.read_text("utf-8")
    assert "n-1-march" in html
    assert "n-1-april" in html
    assert "{&#34;seed&#34;:&#34;7&#34;}" in html
    assert "4 May 2026, 12:00" in html
    versions = json.loads(paid.results.read_text("utf-8"))["sections"]["methods"]["systems"][0]["versions"]
    assert {v["version"]: v["n"] for v in versions} == {"n-1-march": 5, "n-1-april": 4}


def test_results_hold_the_same_money_and_times(paid: Report) -> None:
    cost = json.loads(paid.results.read_text("utf-8"))["sections"]["cost"]
    north = next(row for row in cost["money"] if (row["system"], row["category"]) == ("north", "all"))
    assert (north["paid"], north["bases"]["list"]["charges"]) == ("0.550000", 8)
    times = next(row for row in cost["latency"] if (row["system"], row["category"]) == ("north", "all"))
    assert times["phases"]["queue"] == {"p50": 2.0, "p95": 2.0, "n": 7}
    assert len(cost["caveats"]) == 3


@pytest.mark.parametrize("way", ["system", "run"])
def test_a_rehearsal_is_said_at_the_top(way: str, tmp_path: Path) -> None:
    made = paid_scenario(rehearsal=way == "system")
    made.sample.system("drawn", provider="studio")
    if way == "run":
        made.sample.db.execute("UPDATE runs SET rehearsal = true")
    html = report_of(made, tmp_path).path.read_text("utf-8")
    banner = words("</style>" + html[html.index('class="banner"') : html.index('class="frame"')])
    assert "A rehearsal: servers on the tester's own machine stood in for the providers of north, south." in (
        banner
    )


def test_a_real_run_is_no_rehearsal(text: str) -> None:
    assert "rehears" not in text.lower()
