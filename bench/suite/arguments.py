"""The command line of a benchmark: -h, --help, and sections."""

import argparse


def read_sections(name, doc, sections=()):
    """The sections that the command line names, or []. Ends the program after
    --help, and if the usage is wrong."""
    parser = argparse.ArgumentParser(
        prog=f"bench/{name}", description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if not sections:
        parser.parse_args()
        return []
    parser.add_argument("section", nargs="*", help=", ".join(sections))
    named = parser.parse_args().section
    for section in named:
        if section not in sections:
            parser.error(f"no such section: {section}")
    return named
