"""Every request that the newest official client can make, at versions on both sides of the dialect gates.

The client runs in its own process against the simulated gateway, which is pinned to the version. No request stays
unanswered, no request method is left out, and the client logs nothing: what it cannot decode it logs.
"""

import json
import os
import subprocess
import sys

import pytest

from ibwire.sim.server import serve

from .oracle import REPOSITORY, oracle_path

NEWEST = "10.46.1"
VERSIONS = (157, 176, 200, 206, 213, 225)
TIME_LIMIT_S = 120
# What these requests bring at every version, beside errors: data where the simulation has it.
DATA = {
    *("tickPrice", "tickSize", "tickGeneric", "tickReqParams", "marketDataType", "tickSnapshotEnd"),
    *("updateMktDepthL2", "mktDepthExchanges", "realtimeBar", "tickByTickAllLast", "tickOptionComputation"),
    *("historicalData", "historicalDataEnd", "headTimestamp", "histogramData", "historicalTicksLast"),
    *("contractDetails", "contractDetailsEnd", "symbolSamples", "securityDefinitionOptionParameter", "marketRule"),
    *("smartComponents", "scannerParameters", "scannerData", "scannerDataEnd", "newsProviders", "newsArticle"),
    *("historicalNews", "historicalNewsEnd"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_request_is_answered_and_every_answer_decodes(version: int) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PYTHONPATH": str(oracle_path(NEWEST)), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    program = str(REPOSITORY / "tests" / "programs" / "every_request.py")
    with serve(seed=7, rate=1, time_scale=10.0, server_version=version) as server:
        done = subprocess.run(
            [sys.executable, program, str(server.port), "--generation", "10.46"],
            env=env,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        problems = list(server.problems)
    assert done.stdout, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    result = lines[-1]["result"]
    assert (result["unanswered"], result["forgotten"]) == ([], [])
    assert (result["serverVersion"], result["ended"], done.returncode) == (version, True, 0)
    # Logging is not set up there: what it says at warning and above goes to stderr.
    assert (done.stderr, problems) == ("", [])
    seen = {line["name"] for line in lines if "name" in line}
    assert not DATA - seen
