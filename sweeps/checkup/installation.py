"""The installation: whether Python finds our modules by their names, and has room to load the
others. Imports nothing of ours.
"""

import resource
from importlib.util import find_spec
from pathlib import Path

ROOM = 2**30  # bytes of address space; a sweep takes 1.9 times that, and ends in order with this


def problem() -> str:
    """Return one sentence on what hides our modules, or leaves no room; empty if nothing does."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < ROOM:  # SciPy's OpenBLAS would wait for ever
        return (
            f"the limit on address space is {limit >> 20:,} MB, and at least {ROOM >> 20:,} are"
            " needed; raise it with: ulimit -v unlimited"
        )
    for name in ("nnreg", "experiments"):
        ours = Path(__file__).parents[2] / name / "__init__.py"
        spec = find_spec(name)
        found = Path(spec.origin) if spec and spec.origin else None
        if found is None or found.resolve() != ours.resolve():
            return (
                f"{found or 'nothing'} is found for the module {name}, in place of {ours}; rename"
                " it, or start Python in another folder, or take its folder off PYTHONPATH"
            )
    return ""
