"""Logs of GROMACS: parameters, progress and end, from their first and last part."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdfactory.campaign.gromacs.log import READ_BYTES, Log, parse_log, read_log
from mdfactory.campaign.gromacs.mdp import Conditions

HEAD = """\
GROMACS:      gmx mdrun, version 2024.3
GROMACS version:    2024.3
Input Parameters:
   integrator                     = md
   tinit                          = 100
   dt                             = 0.002
   nsteps                         = 1000
   init-step                      = 500
   tcoupl                         = V-rescale
   pcoupl                         = No
grpopts:
   nrdf:        1455
   ref-t:      298.15

"""
STARTED = "Started mdrun on rank 0 Sat Nov  7 09:05:06 2026\n\n"
STEP = "           Step           Time\n              {0}        {1:.5f}\n\n"
ENERGIES = "   Energies (kJ/mol)\n          Angle    Potential\n    1.70195e+01   {}\n"
FINISHED = "Performance:      105.547        0.227\nFinished mdrun on rank 0 Sat Nov 7 2026\n"
RESTART = "Restarting from checkpoint, appending to previous log file.\n"
FATAL = "-----\nProgram:     gmx mdrun, version 2024.3\n\nFatal error:\nToo many LINCS warnings\n"
WALLTIME = "Step 1320: Run time exceeded 0.990 hours, will terminate the run within 40 steps\n"
SIGNAL = "Received the TERM signal, stopping within 40 steps\n"


def test_parse_log_reads_all_figures() -> None:
    assert parse_log(HEAD + STARTED + STEP.format(700, 101.4) + FINISHED) == Log(
        version="2024.3",
        integrator="md",
        conditions=Conditions(298.15, None),
        started="2026-11-07T09:05:06",
        step=700,
        time_ps=101.4,
        steps_wanted=1500,
        time_wanted_ps=103.0,
        ns_per_day=105.547,
        end="reached the end",
    )


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (STARTED, None),
        (STARTED + FINISHED, "reached the end"),
        (STARTED + WALLTIME + FINISHED, "stopped"),
        (STARTED + SIGNAL + FINISHED, "stopped"),
        (STARTED + SIGNAL.replace("TERM", "second INT/TERM") + FINISHED, "stopped"),
        (STARTED + SIGNAL + FATAL, "failed"),
        (FATAL, "failed"),
        (STARTED + ENERGIES.format("-nan"), "failed"),
        (STARTED + ENERGIES.format("nan") + FINISHED, "failed"),
        (STARTED + "the word nan 1.0 in a sentence\n", None),
        ("Initial temperature: nan K\n" + STARTED, None),
        (STARTED + FINISHED + RESTART + STARTED, None),
        (STARTED + FATAL + RESTART + STARTED + FINISHED, "reached the end"),
        (STARTED + WALLTIME + FINISHED + RESTART, None),
        (STARTED + FINISHED + RESTART + FATAL, "failed"),
    ],
)
def test_parse_log_tells_the_end_from_the_last_section(text: str, end: str | None) -> None:
    assert parse_log(HEAD + text).end == end
    assert parse_log(HEAD.replace("= md", "= steep") + text).end == "minimisation"


def test_parse_log_does_not_take_the_performance_of_an_earlier_section() -> None:
    log = parse_log(HEAD + STARTED + STEP.format(9, 1) + FINISHED + RESTART + STARTED)
    assert (log.ns_per_day, log.step) == (None, 9)


@pytest.mark.parametrize(
    ("header", "figures", "performance"),
    [
        ("(ns/day)    (hour/ns)", "26.631        0.901", 26.631),
        ("(Mnbf/s)   (GFlops)   (ns/day)  (hour/ns)", "24.123  1.234  12.345  1.944", 12.345),
        ("(ns/day)  (hour/ns)  (ms/step)", "26.631  0.901  0.1", 26.631),
        ("(steps/hour)", "123.4", None),
    ],
)
def test_parse_log_takes_the_figure_in_ns_per_day(
    header: str, figures: str, performance: float | None
) -> None:
    text = f"{STARTED}                 {header}\nPerformance:       {figures}\n"
    assert parse_log(HEAD + text).ns_per_day == performance


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("GROMACS version:    2022.5-Debian_2022.5_2", "2022.5-Debian_2022.5_2"),
        ("GROMACS:      gmx mdrun, VERSION 5.1.2", "5.1.2"),
        ("GROMACS version:    VERSION 5.0.4", "5.0.4"),
        ("                         :-)  VERSION 4.5.4  (-:", "4.5.4"),
    ],
)
def test_parse_log_knows_the_headers_of_all_versions(line: str, version: str) -> None:
    assert parse_log(f"{line}\n{STARTED}").version == version


def test_parse_log_reads_the_names_of_old_versions() -> None:
    log = parse_log(
        "                         :-)  VERSION 4.5.4  (-:\n"
        "Input Parameters:\n"
        "   integrator           = md\n"
        "   nsteps               = 50\n"
        "   init_step            = 0\n"
        "   init_t               = 1\n"
        "   delta_t              = 0.004\n"
        "   etc                  = V-rescale\n"
        "   epc                  = Parrinello-Rahman\n"
        "   epctype              = Semiisotropic\n"
        "   ref_p (3x3):\n"
        "      ref_p[    0]={ 1.01325e+00,  0.00000e+00,  0.00000e+00}\n"
        "      ref_p[    1]={ 0.00000e+00,  1.01325e+00,  0.00000e+00}\n"
        "      ref_p[    2]={ 0.00000e+00,  0.00000e+00,  5.00000e+00}\n"
        "   compress (3x3):\n"
        "      compress[    0]={ 4.50000e-05,  0.00000e+00,  0.00000e+00}\n"
        "      compress[    1]={ 0.00000e+00,  4.50000e-05,  0.00000e+00}\n"
        "      compress[    2]={ 0.00000e+00,  0.00000e+00,  0.00000e+00}\n"
        "grpopts:\n"
        "   ref_t:         300         300\n"
        "\n"
        "Started mdrun on node 0 Mon Jan 10 10:00:00 2011\n"
        "           Step           Time         Lambda\n"
        "             25        0.10000        0.00000\n"
    )
    assert log.conditions == Conditions(300.0, 1.01325)
    assert (log.time_wanted_ps, log.time_ps, log.started) == (1.2, 0.1, "2011-01-10T10:00:00")


@pytest.mark.parametrize(
    ("steps", "wanted"), [("-1", None), ("0", 500), ("junk", None), ("1e30", None)]
)
def test_parse_log_has_no_end_of_an_endless_run(steps: str, wanted: int | None) -> None:
    assert parse_log(HEAD.replace("= 1000", f"= {steps}") + STARTED).steps_wanted == wanted


def test_parse_log_has_no_pressure_that_is_no_number() -> None:
    rows = "".join(f"      ref-p[    {axis}]={{ junk, junk, junk}}\n" for axis in range(3))
    head = HEAD.replace("pcoupl                         = No\n", f"pcoupl = Berendsen\n{rows}")
    assert parse_log(head + STARTED).conditions == Conditions(298.15, None)


def test_parse_log_takes_no_parameters_from_a_list_that_is_cut_off() -> None:
    assert parse_log(HEAD[: HEAD.index("grpopts")]).conditions is None


def test_parse_log_ignores_what_gromacs_did_not_write() -> None:
    assert parse_log(STARTED + FINISHED + FATAL) == Log()


def test_read_log_reads_the_ends_of_a_long_log_only(tmp_path: Path) -> None:
    path, step = tmp_path / "md.log", STEP.format(700, 101.4)
    middle = 200 * 2**20
    with path.open("wb") as file:
        file.write((HEAD + STARTED).encode())
        file.seek(middle)
        file.write((ENERGIES.format("nan") + "x" * READ_BYTES + "\n" + step + FINISHED).encode())
    log, status = read_log(str(path))
    assert status.st_size > middle
    assert (log.conditions, log.step, log.end) == (Conditions(298.15), 700, "reached the end")


def test_read_log_reads_the_whole_of_a_short_log(tmp_path: Path) -> None:
    path = tmp_path / "md.log"
    path.write_text(HEAD + STARTED + "x" * READ_BYTES + "\n" + STEP.format(700, 101.4) + SIGNAL)
    assert read_log(str(path))[0].step == 700
    assert read_log(str(path))[0].end == "stopped"


def test_read_log_reads_windows_line_ends_where_the_two_parts_meet(tmp_path: Path) -> None:
    path, windows_end = tmp_path / "md.log", b"\r\n"
    version, parameters = HEAD.encode().replace(b"\n", windows_end).split(b"Input", 1)
    first_line = b"Input Parameters:\r"
    blanks = b" " * (READ_BYTES - len(version + windows_end + first_line))
    path.write_bytes(version + blanks + windows_end + b"Input" + parameters)
    assert read_log(str(path))[0].conditions == Conditions(298.15)


@given(text=st.text(alphabet=" -+.0123456789naninfe\n={}[]:Strtedp", max_size=300))
def test_parse_log_takes_any_text(text: str) -> None:
    parse_log(HEAD + text, text)
