"""The installation: whether Python finds our modules by their names, and has the memory to load
others. It imports none of our modules.
"""

import resource
import sys
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
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        found = next((Path(place) for place in places if place), None)  # a folder has no origin
        if found is None or found.resolve() != ours.resolve():
            return (
                f"{found or 'nothing'} is found for the module {name}, in place of {ours}; rename"
                " it, or start Python in another folder, or take its folder off PYTHONPATH"
            )
    return ""


def hidden() -> str:
    """Return one sentence on files beside the script that hide Python's own modules, from the
    libraries too; empty if there are none.
    """
    folder = Path(sys.path[0] or ".").absolute()
    names = sorted(path.stem for path in folder.glob("*.py"))
    found = [str(folder / f"{name}.py") for name in names if name in sys.stdlib_module_names]
    what = "hides a module of Python's own from the libraries; rename it"
    return f"{', '.join(found)} {what}" if found else ""
