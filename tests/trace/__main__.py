"""Write docs/hazards.md and docs/traceability.md, or say what is missing: ``python -m tests.trace [--check]``."""

import argparse
import sys

from tests.system.processes import ROOT
from tests.trace.found import found, pages


def main() -> int:
    """Write the pages, or with ``--check`` only look at them; 1 when something is missing or old."""
    parser = argparse.ArgumentParser(prog="python -m tests.trace", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    wrong = list(found())
    for name, text in pages().items() if not wrong else ():
        path = ROOT / "docs" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            wrong.append(f"docs/{name} is old: run python -m tests.trace")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"docs/{name} written\n")
    sys.stdout.write("".join(f"{each}\n" for each in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
