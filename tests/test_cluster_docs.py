"""docs/cluster.md: its commands run, its files are what the programs take, and what it says of them
is so.
"""

import configparser
import contextlib
import importlib.util
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dask.config
import distributed
import mlflow.environment_variables
import psutil
import psycopg
import pytest
import typer
import yaml

from benchmarks.cluster import Plan, many
from experiments import environment
from experiments.errors import InputError, StorageError, WorkersError
from sweeps import cli
from sweeps.executors.cluster import ClusterExecutor as connect
from sweeps.storage.storage import open_storage
from tests.postgres import postgres
from tests.servers import SLOWEST_START, free_port
from tests.snippets import INSTALLED, ROOT, Snippet, snippets

PAGE = ROOT / "docs" / "cluster.md"
BLOCKS = snippets(PAGE)
TEXT = PAGE.read_text(encoding="utf-8")
NO_TRACKER = "http://127.0.0.1:9"  # refused at once
SMALL = ["--no-confirm", "--trials=4", "--set=training.epochs=2", f"--tracking-uri={NO_TRACKER}"]
SRUN = """#!/bin/bash
# Stands in for Slurm's: so many times the command, all on this machine.
while [[ $1 == --* ]]; do [[ $1 == --ntasks=* ]] && count=${1#*=}; shift; done
trap 'kill $(jobs -p)' TERM
for ((task = 0; task < count; task++)); do "$@" & done
wait
"""
COMMAND = re.compile(r"(?:^|\s)((?:dask|mlflow|sweeps) [a-z]+(?: .*?)?)(?: &)?$")
QUICK = {
    **os.environ,
    "PATH": f"{INSTALLED}{os.pathsep}{os.environ['PATH']}",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",  # no word of a busy machine
}


def marked(mark: str, value: str) -> list[Snippet]:
    return [block for block in BLOCKS if block.marks.get(mark) == value]


def content(name: str) -> str:
    """What the page says is in a file."""
    (block,) = marked("file", name)
    return block.text


def documents(name: str) -> dict[tuple[str, str], Any]:
    """The objects of a manifest, by kind and name."""
    found = [each for each in yaml.safe_load_all(content(name)) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


MANIFESTS = {name: documents(name) for name in ("cluster.yaml", "run.yaml", "mlflow.yaml")}
PODS = {
    name: each["spec"]["template"]
    for manifest in MANIFESTS.values()
    for (kind, name), each in manifest.items()
    if kind in ("Deployment", "Job")
}


def accepted(words: Sequence[str]) -> dict[str, Any]:
    """The options and arguments as the program itself reads them; it raises for what it does not
    know.
    """
    program, command, *rest = words
    if program == "dask":
        return (
            importlib.import_module(f"distributed.cli.dask_{command}")
            .main.make_context(command, list(rest))
            .params
        )
    with warnings.catch_warnings(action="ignore"):  # MLflow's of its own types
        group = (
            typer.main.get_command(cli.whole_app())
            if program == "sweeps"
            else importlib.import_module("mlflow.cli").cli
        )
    return group.commands[command].make_context(command, list(rest)).params


def shell_lines() -> Iterator[str]:
    for block in BLOCKS:
        if block.language in ("sh", "bash"):
            yield from block.text.replace("\\\n", " ").splitlines()


@contextlib.contextmanager
def background(
    command: str, folder: Path, environ: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of the page that does not end by itself; at the end of the block it is ended with
    all that it started.
    """
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def three_terminals(step: int, folder: Path) -> Iterator[tuple[str, str]]:
    """The scheduler and one worker of a step, on a port of their own: the driver's command, and the
    address.
    """
    scheduler, workers, driver = (
        marked("terminal", name)[step].text.strip() for name in ("scheduler", "workers", "driver")
    )
    port = str(free_port())
    start = f"{scheduler} --port {port}"
    one = (
        workers.replace("8786", port).replace("--nworkers -1", "--nworkers 1")
        + f" --local-directory {folder}"
    )
    with background(start, folder, QUICK), background(one, folder, QUICK):
        yield driver.replace("8786", port), shlex.split(driver)[-1].replace("8786", port)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, str]]:
    """The folder, the driver's command and the address of the cluster of the section on TLS."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "dask").mkdir()
    (folder / "dask" / "sweeps.yaml").write_text(content("dask/sweeps.yaml"))
    (made,) = marked("tls", "certificates")
    subprocess.run(["bash", "-euc", made.text], cwd=folder, check=True, capture_output=True)
    with three_terminals(1, folder) as (driver, address):
        yield folder, driver, address


def settings(folder: Path, **others: str) -> dict[str, Any]:
    """Dask's configuration as the page has it, key by key, with absolute paths; `others` are a
    client's.
    """
    comm = yaml.safe_load(content("dask/sweeps.yaml"))["distributed"]["comm"]
    client = {
        what: others.get(what, str(folder / path)) for what, path in comm["tls"]["client"].items()
    }
    return {
        "distributed.comm.require-encryption": comm["require-encryption"],
        "distributed.comm.tls.ca-file": str(folder / comm["tls"]["ca-file"]),
        **{f"distributed.comm.tls.client.{what}": path for what, path in client.items()},
    }


def sweep(command: str, folder: Path) -> None:
    """Run the driver's command, on less."""
    small = f"{command} {shlex.join(SMALL)}".replace("run digits", "run iris")
    done = subprocess.run(
        ["bash", "-c", small],
        cwd=folder,
        env=QUICK,
        capture_output=True,
        text=True,
        timeout=SLOWEST_START,
    )
    assert done.returncode == 0, done.stderr + (folder / "log").read_text()
    assert "4/4 trials" in done.stderr
    assert (folder / "reports" / "iris" / "report.html").exists()


def test_step_1(tmp_path: Path) -> None:
    with three_terminals(0, tmp_path) as (driver, _):
        sweep(driver, tmp_path)
        assert listened() == {"127.0.0.1"}


def listened() -> set[str]:
    """The addresses at which processes of this one can be reached from elsewhere."""
    sockets = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            sockets += process.net_connections("inet")
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


def test_a_sweep_on_an_encrypted_cluster(encrypted: tuple[Path, str, str]) -> None:
    folder, driver, _ = encrypted
    assert all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in folder.glob("tls/*.key"))
    sweep(driver, folder)
    assert "Register worker addr: tls://127.0.0.1" in (folder / "log").read_text()
    assert listened() == {"127.0.0.1"}


def test_who_has_no_certificate_of_the_authority_is_refused(
    encrypted: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, address = encrypted
    monkeypatch.setattr("sweeps.executors.cluster.CONNECT", 1.0)
    make, *_ = (line for line in shell_lines() if "req -x509" in line)
    (tmp_path / "tls").mkdir()
    subprocess.run(["bash", "-euc", make], cwd=tmp_path, check=True, capture_output=True)
    strange = {"cert": str(tmp_path / "tls" / "ca.pem"), "key": str(tmp_path / "tls" / "ca.key")}
    with dask.config.set(settings(folder)):
        connect(address).shutdown()  # that nobody answers is not for another reason
    with (
        dask.config.set(settings(folder, **strange)),
        pytest.raises(WorkersError, match=r"no Dask scheduler answers.*SSL"),
    ):
        connect(address)
    for key, words in (
        ("gone.key", r"cannot be used"),
        (strange["key"], r"cannot be used"),
    ):
        with dask.config.set(settings(folder, key=key)), pytest.raises(InputError, match=words):
            connect(address)
    with pytest.raises(InputError, match="TLS needs certificates"):
        connect(address)
    with pytest.raises(WorkersError, match="no Dask scheduler answers"):  # it is hung up on
        connect(address.replace("tls", "tcp"))
    with (
        dask.config.set(settings(folder)),
        pytest.raises(InputError, match=r"asks for encryption .*; write tls://127"),
    ):
        connect(address.replace("tls", "tcp"))


def test_the_script_for_slurm(tmp_path: Path) -> None:
    """With a stand-in for srun, which has one worker for three tasks."""
    for name, text in (
        ("srun", SRUN),
        ("activate", f"PATH={shlex.quote(str(tmp_path / 'bin'))}:$PATH\n"),
    ):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    script = tmp_path / "sweeps.sbatch"
    script.write_text(content("sweeps.sbatch"))
    environ = {
        **QUICK,
        "SWEEPS_VENV": str(tmp_path),
        "SLURM_NTASKS": "3",
        "SLURM_JOB_ID": "7",
        "TMPDIR": str(tmp_path),
    }
    with background(
        shlex.join(["bash", script.name, "iris", *SMALL]), tmp_path, environ
    ) as process:
        process.wait(SLOWEST_START)
        said = (tmp_path / "log").read_text()
    assert process.returncode == 0, said
    assert "4/4 trials" in said
    assert said.count("Registered to") == 1
    assert not (tmp_path / "scheduler-7.json").exists()


def test_the_programs_take_every_command() -> None:
    found = [COMMAND.search(line) for line in shell_lines() if not line.startswith("#")]
    commands = [shlex.split(each[1]) for each in found if each]
    for words in commands:
        accepted([word for word in words if word != "$@"])
    assert {" ".join(words[:2]) for words in commands} == {
        "dask scheduler",
        "dask worker",
        "mlflow server",
        "sweeps run",
    }


@pytest.mark.parametrize("pod", PODS)
def test_a_container_has_a_command_that_its_program_takes(pod: str) -> None:
    (container,) = PODS[pod]["spec"]["containers"]
    options = accepted(container["args"])
    ports = {port["containerPort"] for port in container.get("ports", ())}
    listened = {
        int(options[name]) for name in ("port", "worker_port", "nanny_port") if options.get(name)
    }
    assert listened == ports
    assert PODS[pod]["spec"]["enableServiceLinks"] is False


def test_the_objects_find_each_other() -> None:
    services = {}
    for manifest in MANIFESTS.values():
        for (kind, name), each in manifest.items():
            if kind == "Service":
                (port,) = each["spec"]["ports"]
                services[name] = (each["spec"]["selector"], port)
            if kind == "Deployment":
                assert (
                    each["spec"]["selector"]["matchLabels"]
                    == each["spec"]["template"]["metadata"]["labels"]
                )
    for selector, port in services.values():
        (pod,) = (pod for pod in PODS.values() if pod["metadata"]["labels"] == selector)
        (named,) = (
            each
            for each in pod["spec"]["containers"][0]["ports"]
            if each["name"] == port["targetPort"]
        )
        assert named["containerPort"] == port["port"]
    wanted = re.findall(
        r"\"(?:tcp|http)://([\w-]+):(\d+)\"", "".join(content(name) for name in MANIFESTS)
    )
    assert {(name, int(port)) for name, port in wanted} == {
        (name, port["port"]) for name, (_, port) in services.items()
    }
    (policy,) = (
        each for (kind, _), each in MANIFESTS["cluster.yaml"].items() if kind == "NetworkPolicy"
    )
    labels = {pod["metadata"]["labels"]["app"] for pod in PODS.values()}
    assert set(re.findall(r"sweeps-\w+", json.dumps(policy["spec"]))) == labels - {"mlflow"}
    mounted = PODS["mlflow"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounted} == {
        volume["name"] for volume in PODS["mlflow"]["spec"]["volumes"]
    }


def test_every_variable_is_one_that_a_program_reads() -> None:
    distributed.config  # its defaults are Dask's from here on  # noqa: B018
    for name in set(re.findall(r"DASK_(DISTRIBUTED__[A-Z_]+[A-Z])", TEXT)):
        assert (
            dask.config.get(name.lower().replace("__", ".").replace("_", "-"), "none") != "none"
        ), name
    known = {*vars(mlflow.environment_variables)}
    tracking = {"MLFLOW_TRACKING_URI", "MLFLOW_PORT"}  # the second is one that is warned of
    assert set(re.findall(r"MLFLOW_[A-Z0-9_]+", TEXT)) - known <= tracking


def test_the_settings_are_as_the_page_says() -> None:
    written = yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text())[
        "distributed"
    ]
    for name, default in re.findall(
        r"^\| `scheduler\.([\w-]+)` \| ([\w ]+?) \|", TEXT, re.MULTILINE
    ):
        assert str(written["scheduler"][name]) == default
    memory = written["worker"]["memory"]
    assert (memory["pause"], memory["terminate"]) == (0.80, 0.95)
    comm, ours = written["comm"], yaml.safe_load(content("dask/sweeps.yaml"))["distributed"]
    assert set(ours["comm"]) <= {*comm, "require-encryption"}
    assert set(ours["comm"]["tls"]) <= set(comm["tls"])
    assert set(ours["scheduler"]) <= set(written["scheduler"])


def test_the_logins_of_mlflow_are_in_its_words() -> None:
    ours, theirs = configparser.ConfigParser(), configparser.ConfigParser()
    ours.read_string(content("auth.ini"))
    spec = importlib.util.find_spec("mlflow.server")
    assert spec
    assert spec.origin
    text = (Path(spec.origin).with_name("auth") / "basic_auth.ini").read_text(encoding="utf-8")
    theirs.read_string(
        re.sub(r"^# (?=\w+ =)", "", text, flags=re.MULTILINE)
    )  # those too that it shows as comments
    assert set(ours["mlflow"]) <= set(theirs["mlflow"])
    login = configparser.ConfigParser()
    login.read_string(content("credentials"))
    assert [name.upper() for name in login["mlflow"]] == [
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    ]


def open_until_refused(url: str) -> None:
    """Open a storage whose server has yet to read its rules again."""
    deadline = time.monotonic() + SLOWEST_START
    while time.monotonic() < deadline:
        open_storage(url)


def test_a_password_is_found_where_the_page_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = content(".pgpass").splitlines()
    host, _, name, user, password = line.split(":")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with postgres() as administrator:
        socket = administrator.partition("host=")[2]
        with psycopg.connect(administrator.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in content("databases.sql").splitlines():
                connection.execute(statement)
            connection.execute(f"ALTER ROLE {user} PASSWORD '{password}'")
            rules = Path(connection.execute("SHOW hba_file").fetchone()[0])
            rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
        (url,) = {
            word
            for line in shell_lines()
            for word in line.split()
            if word.startswith(f"postgresql+psycopg://{user}@")
        }
        url = url.replace(host, "") + f"?host={socket}"
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "nothing"))
        with pytest.raises(
            StorageError, match=r"does not let in \(.*no password supplied\); .* or ~/\.pgpass, "
        ):
            open_until_refused(url)
        (tmp_path / ".pgpass").write_text(line.replace(host, "*"))
        (tmp_path / ".pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / ".pgpass"))
        open_storage(url)
        (tmp_path / "services").write_text(f"[sweeps]\nhost={socket}\nuser={user}\ndbname={name}\n")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        assert "postgresql+psycopg:///?service=sweeps" in TEXT
        open_storage("postgresql+psycopg:///?service=sweeps")


def test_processors_can_be_made_alike() -> None:
    if "X86_V3" not in environment.cpu():
        pytest.skip("no x86 processor with AVX2")
    (block,) = marked("environment", "alike")
    command = (
        f"{block.text} {shlex.quote(sys.executable)} -c 'from experiments import environment as e;"
        " print(e.blas(), e.cpu())'"
    )
    done = subprocess.run(
        ["bash", "-euc", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["Haswell", "X86_V3"]


def test_the_numbers_are_those_of_the_whole_benchmark() -> None:
    (block,) = marked("output", "python -m benchmarks.cluster")
    for workers, seconds, _ in Plan().simulated:
        assert f"  {many(workers)}, {seconds:g} s a trial " in block.text
