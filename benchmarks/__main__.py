"""All benchmarks, or some, one after another.

    python -m benchmarks [--tiny] [NAME ...]

Each is also a command of its own, with more options: python -m benchmarks.NAME --help
"""

import argparse
import subprocess
import sys

from benchmarks.command import scripts


def main() -> None:
    known, failed = scripts(), []
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(known)}")
    parser.add_argument(
        "--tiny", action="store_true", help="a few seconds each, to see that they run"
    )
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(known)):
        parser.error(f"there is no {', '.join(unknown)}; known are {', '.join(known)}")
    for name in arguments.names or known:
        print(
            f"\n{known[name]}\n{'=' * len(known[name])}\npython -m benchmarks.{name}\n", flush=True
        )
        command = [
            sys.executable,
            "-m",
            f"benchmarks.{name}",
            *(["--tiny"] if arguments.tiny else []),
        ]
        if subprocess.run(command).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"these failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
