"""The snippets of a page: its fenced blocks of code, run in order in one folder, as a reader who
follows it word for word would.

What stands before a block as an HTML comment says what is special about it:

    <!-- not run: why -->        it is not run
    <!-- file: rows.toml -->     it is that file
    <!-- shows: rows.toml -->    these lines are in that file, one after the other
    <!-- status: 2 -->           it ends with that exit status, not with 0
    <!-- short: --trials 8 -->   its `sweeps run` gets these words too: the same, sooner
    <!-- varies: why -->         only the first words of the printed tables' rows are compared
"""

import contextlib
import doctest
import itertools
import os
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import answer, free_port, running

INSTALLED = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("sh", "console", "python", "pycon", "toml")  # not `text`, which is to be looked at
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
COMMENT = re.compile(r"<!-- (\w[\w ]*?)(?:: (.*?))? -->\s*\Z")
ROW = re.compile(r"^[a-z]\w*(?=  )", re.MULTILINE)
LINK = re.compile(r"http://127\.0\.0\.1:\d+")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
LINKS = 5  # that `sweeps ui` prints
SLOWEST = 120  # seconds for a command, on a machine that runs other tests too


@dataclass(frozen=True)
class Snippet:
    """One fenced block; `marks` are the comments before it."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(page: Path) -> list[Snippet]:
    """The blocks of a page, in order."""
    text, found = page.read_text(encoding="utf-8"), []
    for block in FENCE.finditer(text):
        before, marks = text[: block.start()], {}
        while comment := COMMENT.search(before):
            marks[comment[1]], before = comment[2] or "", before[: comment.start()]
        lines = block["text"].splitlines(keepends=True)
        code = "".join(line.removeprefix(block["indent"]) for line in lines)
        line = text.count("\n", 0, block.start()) + 1
        found.append(Snippet(page, line, block["language"], code, marks))
    return found


@dataclass
class Reader:
    """Somebody who follows pages in a folder: a shell, a Python session, and servers. One who
    is patient runs sweeps that are as long as on the page.
    """

    folder: Path
    stack: contextlib.ExitStack
    programs: Path
    patient: bool = False
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    ports: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = os.pathsep.join([str(self.programs), str(INSTALLED), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "BROWSER": "true"}

    def follow(self, page: Path) -> None:
        """Run the page's blocks; the variables that they and MLflow set are gone at the end."""
        before = dict(os.environ)
        try:
            with contextlib.chdir(self.folder):
                for snippet in snippets(page):
                    if snippet.language in RUN and "not run" not in snippet.marks:
                        self.run(snippet)
        finally:
            if "mlflow" in sys.modules:  # it keeps what a page has told it
                sys.modules["mlflow"].set_tracking_uri(None)
            os.environ.clear()
            os.environ.update(before)

    def run(self, snippet: Snippet) -> None:
        """Run one block. Raises AssertionError, with its place, where it fails or prints something
        else than it shows.
        """
        text = snippet.text
        for shown, free in self.ports.items():
            text = text.replace(shown, free)
        if "file" in snippet.marks:
            (self.folder / snippet.marks["file"]).write_text(text, encoding="utf-8")
        elif "shows" in snippet.marks:
            whole = (self.folder / snippet.marks["shows"]).read_text(encoding="utf-8")
            assert text in whole, f"{snippet.place}:\n{whole}"
        elif snippet.language == "sh":
            for command in text.replace("\\\n", " ").splitlines():
                self.command(snippet, command)
        elif snippet.language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, expected = part.partition("\n")
                self.compare(snippet, expected, self.command(snippet, command))
        elif snippet.language == "python":
            exec(compile(text, snippet.place, "exec"), self.names)
        else:
            assert snippet.language == "pycon", f"{snippet.place}: cannot run {snippet.language}"
            self.session(snippet, text)

    def command(self, snippet: Snippet, command: str) -> str:
        """What a line of shell prints. A server whose links are shown is looked at, a model's
        stays.
        """
        if command.startswith("sweeps run"):
            short = "" if self.patient else snippet.marks.get("short", "")
            command = " ".join([command.partition("#")[0], short])
        words = shlex.split(command, comments=True)
        if words[:1] == ["export"]:
            self.environment |= [word.split("=", 1) for word in words[1:]]
            return ""
        if words[:2] == ["sweeps", "ui"]:
            if snippet.language == "console":
                return self.look_at_page(snippet, words)
            return self.almost_start(snippet, command)
        if words[:3] == ["mlflow", "models", "serve"]:
            return self.serve(words)
        return self.shell(snippet, command, int(snippet.marks.get("status", 0)))

    def shell(self, snippet: Snippet, command: str, status: int) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SLOWEST,
        )
        assert done.returncode == status, f"{snippet.place}: {command}\n{done.stdout}"
        return done.stdout

    def almost_start(self, snippet: Snippet, command: str) -> str:
        """Have `sweeps ui` do all but start a server, which takes long: its port is taken."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = self.shell(snippet, f"{command.partition('#')[0]} --port {port}", status=2)
        assert f"port {port}" in said, f"{snippet.place}: {said}"
        return said

    def look_at_page(self, snippet: Snippet, words: list[str]) -> str:
        """Start it, ask for what it opens in the browser, and end it, by SIGTERM: Ctrl-C is ignored
        in a background job.
        """
        options = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        command = [str(INSTALLED / words[0]), *words[1:]]
        with subprocess.Popen(command, **options) as process:
            try:
                # They are printed once the server answers.
                lines = (process.stdout.readline() for _ in range(LINKS))
                links = list(itertools.takewhile(str.strip, lines))
                found = LINK.search("".join(links[:1]))
                assert found, f"{snippet.place}: {words}"
                assert "MLflow" in answer(found[0], "/")
            finally:
                process.terminate()
        return "".join(links)

    def serve(self, words: list[str]) -> str:
        """Start a model's server on a free port in place of that shown, and wait for it."""
        shown = words[words.index("--port") + 1]
        port = self.ports[shown] = str(free_port())
        command = [port if word == shown else word for word in words]
        place = {"cwd": self.folder, "url": f"http://127.0.0.1:{port}", "path": "/ping"}
        self.stack.enter_context(running(command, environment=self.environment, **place))
        return ""

    def session(self, snippet: Snippet, text: str) -> None:
        parser, said = doctest.DocTestParser(), list[str]()
        test = parser.get_doctest(text, self.names, snippet.place, str(snippet.page), 0)
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
        self.names |= test.globs
        assert not said, f"{snippet.place}: {''.join(said)}"

    def compare(self, snippet: Snippet, expected: str, printed: str) -> None:
        """What is shown must be what is printed; `...` stands for anything."""
        if "varies" in snippet.marks:
            same = set(ROW.findall(expected)) <= set(ROW.findall(printed))
        else:
            same = doctest.OutputChecker().check_output(expected, printed, FLAGS)
        assert same, f"{snippet.place}:\n{printed}"
