"""The site: what its pages take from the code when mkdocs builds them, so that neither can be
changed without the other.
"""

import ast
import html
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
REQUIRED = object()
MEANINGS = tomllib.loads(Path(__file__).with_name("meanings.toml").read_text(encoding="utf-8"))
INLINE = re.compile(r"(?<![`\w])\$(?! )([^$`]+)\$(?!\w)")


def on_config(config: Any) -> None:
    """Formulas are written in LaTeX, in blocks of the language `math`, which GitHub draws too."""
    fence = {"name": "math", "class": "formula", "format": formula}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}


def formula(source: str, *_: Any, **__: Any) -> str:
    """A formula as MathML, each line of the block on its own."""
    return "".join(
        f'<div class="formula">{convert(line, display="block")}</div>'
        for line in source.splitlines()
        if line
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A line `{{ name argument ... }}` becomes what the function of that name writes, and `$...$` a
    formula within the line.
    """
    written, fenced = [], False
    for line in markdown.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        written.append(line if fenced else INLINE.sub(_inline, _line(line)))
    return "\n".join(written)


def _inline(found: re.Match[str]) -> str:
    # a line that begins with <math> would be a paragraph of its own
    return f"<span>{convert(found[1])}</span>"


def _line(line: str) -> str:
    if not (line.startswith("{{ ") and line.endswith(" }}")):
        return line
    name, *arguments = line.strip("{} ").split()
    return WRITERS[name](*arguments)


def source(file: str, name: str) -> str:
    """The lines of a function, class, method or variable, as they stand in the file, without its
    docstring.
    """
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    body: Any = ast.parse("\n".join(lines)).body
    for part in name.split("."):
        (node,) = (node for node in body if part in _names(node))
        body = getattr(node, "body", [])
    kept = list(range(node.lineno, node.end_lineno + 1))
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        kept = [number for number in kept if not body[0].lineno <= number <= body[0].end_lineno]
    text = [lines[number - 1][node.col_offset :] for number in kept]
    return "\n".join([f"`{file}`, `{name}`", "{: .source }", "", "```python", *text, "```"])


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Assign):
        return [
            name.id
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        ]
    return [getattr(node, "name", "")]


def script(file: str) -> str:
    """A whole file."""
    return f"```python\n{(ROOT / file).read_text(encoding='utf-8')}```"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells
    )


def keys(section: str = "", kind: str = "") -> str:
    """The keys of a table of the experiment file, by its dotted name; `kind` is the class of one
    that is not the first of several.
    """
    from experiments.section import Section, plain_keys, tables
    from experiments.spec import Experiment

    model: type[Section] = Experiment
    for part in section.split(".") if section else []:
        kinds = tables(model.model_fields[part].annotation)
        model = next((one for one in kinds if one.__name__ == kind), kinds[0])
    rows, defaults = [], model.model_construct()  # also of keys whose default depends on others
    for name, field in plain_keys(model).items():
        rows.append(
            (
                f"`{name}`",
                _type(field.annotation),
                _rules(field),
                _default(defaults, name),
                (field.description or "").replace("\n", " "),
            )
        )
        if not field.description:
            raise LookupError(f"{section}.{name} has no description")
    return table(("key", "type", "rule", "default", "meaning"), rows)


def _type(annotation: Any) -> str:
    """A type as TOML has it."""
    from experiments.section import Parameter

    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f'`"{value}"`' for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}s"
    if annotation == dict[str, Parameter]:
        return "{ NAME = value or range, ... }"
    if origin is dict:
        return f"{{ COLUMN = {_type(arguments[1])} }}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{ " + ", ".join(f"{name} = ..." for name in annotation.model_fields) + " }"
    plain = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    return plain[annotation]


def _rules(field: Any) -> str:
    return ", ".join(dict.fromkeys(_bounds(field.metadata, field.annotation)))


def _bounds(metadata: list[Any], annotation: Any) -> Iterator[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    for one in metadata:
        for name, sign in signs.items():
            if (bound := getattr(one, name, None)) is not None:
                yield f"{sign} {bound:,}" if isinstance(bound, int) else f"{sign} {bound:g}"
        if (longest := getattr(one, "max_length", None)) is not None:
            yield f"at most {longest}"
    for part in typing.get_args(annotation):
        if typing.get_origin(part) is typing.Annotated:
            inner, *more = typing.get_args(part)
            yield from _bounds(
                [two for one in more for two in getattr(one, "metadata", [one])], inner
            )


def _default(defaults: BaseModel, name: str) -> str:
    from experiments.wording import toml

    default = getattr(defaults, name, REQUIRED)
    if default is REQUIRED:
        return "required"
    return "" if default is None else f"`{toml(default)}`"


def columns(file: str) -> str:
    """The columns of a CSV file, with the types that its frame has."""
    from experiments.reports import frames

    kinds: Mapping[str, str] = getattr(frames, file.upper())
    named = {
        frames.TEXT: "text",
        frames.INTEGER: "integer",
        frames.OPTIONAL_INTEGER: "integer or empty",
        frames.OPTIONAL_FLAG: "true, false or empty",
        frames.NUMBER: "number",
    }
    named |= {frames.FLAG: "true or false", frames.TIME: "time"}
    meanings = MEANINGS["columns"]["all"] | MEANINGS["columns"][file]
    return table(
        ("column", "type", "meaning"),
        [(f"`{name}`", named[kind], meanings[name]) for name, kind in kinds.items()],
    )


def mlflow(what: str) -> str:
    """The names that runs have on MLflow: the numbers, or the tags."""
    from experiments.evaluation import CURVES, METRICS
    from experiments.tracking import plan
    from nnreg import LAMBDA_NAMES

    if what == "tags":
        return table(
            ("tag", "meaning"),
            [(f"`{name}`", meaning) for name, meaning in MEANINGS["tags"].items()],
        )
    setting = (*LAMBDA_NAMES, "learning_rate")
    strengths = (*setting, *(plan.LOG10 + name for name in setting))
    rows = [
        ("trial", "params", (*setting, *plan.FACTS)),
        (
            "",
            "metrics",
            (
                plan.RANKING,
                *strengths,
                *plan.SCALARS,
                *(name for name in METRICS if name not in CURVES),
            ),
        ),
        ("", "metrics with a curve", CURVES),
        ("setting of the confirmation", "params", (*setting, "seeds")),
        ("", "metrics", (*strengths, *plan.SCALARS)),
        ("", "metrics of each network, then their mean", (*plan.CONFIRMED, *plan.TESTED)),
        ("study", "metrics", plan.NUMBERS),
    ]
    return table(
        ("run", "", "names"),
        [(run, kind, " ".join(f"`{name}`" for name in names)) for run, kind, names in rows],
    )


def helped(command: str) -> str:
    """A command's arguments and options, as its `--help` has them."""
    import typer.main

    from sweeps.cli import whole_app

    group: Any = typer.main.get_command(whole_app())
    rows = []
    for parameter in group.commands[command].params:
        given = ", ".join([*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            given = parameter.metavar or parameter.name.upper()
        elif parameter.metavar:
            given += f" {parameter.metavar}"
        rows.append((f"`{given}`", html.escape(parameter.help or "", quote=False)))
    return table(("", ""), rows)


WRITERS: dict[str, Callable[..., str]] = {
    "source": source,
    "script": script,
    "keys": keys,
    "columns": columns,
    "mlflow": mlflow,
    "options": helped,
}
