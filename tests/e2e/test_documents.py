"""The documents against the programs: the table of options, links, the length
of the README, the names in ARCHITECTURE.md, and that benchmarks start as they
are described."""

import re
import subprocess

import pytest
from harness.settings import REPORTER, ROOT

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))


def options_of_help():
    """key: (default, what it may be), as -h lists them."""
    text = subprocess.run([REPORTER, "-h"], check=True, text=True,
                          capture_output=True).stdout
    options, section = {}, None
    for line in text.splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = head[1]
        elif row := re.fullmatch(r"  (\w+) = (.*)", line):
            key = f"{section}.{row[1]}"
            options[key] = [row[2], ""]
        elif row := re.fullmatch(r"  <(\w+)>", line):
            key = f"{section}.<{row[1]}>"
            options[key] = ["", ""]
        elif row := re.fullmatch(r"      May be (.*)\.", line):
            options[key][1] = row[1]
    return options


def options_of_document():
    """The same of docs/configuration.md."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `(\w+\.[^`]+)` \| (.*?) \| (.*?) \|", text, re.M)
    assert len({key for key, *_ in rows}) == len(rows), "a key is there twice"
    return {key: ("" if default == "none" else default.strip("`"), bounds)
            for key, default, bounds in rows}


def test_every_option_is_documented_with_its_default():
    written = options_of_document()
    shown = options_of_help()
    assert list(written) == list(shown)
    assert {key: default for key, (default, _) in written.items()} == \
        {key: default for key, (default, _) in shown.items()}


def test_the_bounds_of_options_are_documented():
    written = options_of_document()
    for key, (_, may_be) in options_of_help().items():
        # Numbers, and the words of a choice: "one of POST, GET".
        words = re.findall(r"\d+", may_be)
        if choice := re.match(r"one (?:or more )?of (.*?)"
                              r"(?:, with commas(?:, or (\w+))?)?$", may_be):
            words = [*choice[1].split(", "), *filter(None, choice.groups()[1:])]
        for word in words:
            assert re.search(rf"\b{word}\b", written[key][1]), (key, may_be)


def test_every_error_of_an_attempt_is_documented():
    source = (ROOT / "reporter/callbacks/retry_policy.c").read_text()
    function = re.search(r"^error_word\(.*?^}", source, re.M | re.S)[0]
    words = set(re.findall(r'return "([a-z-]+)";', function))
    text = (ROOT / "docs" / "callbacks.md").read_text()
    table = text.partition("| error | meaning |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.M)) == \
        words | {"shutdown", "abandoned", "blocked"}


def anchors(text):
    """The anchors that GitHub makes of the headings."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_the_files_of_the_architecture_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    paths = re.findall(r"`([\w-]+/[\w./-]+)`", text)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_image_has_the_version():
    version = re.search(r'VERVE_VERSION "(.*)"',
                        (ROOT / "common/base/version.h").read_text())[1]
    assert f'image.version="{version}"' in (ROOT / "Dockerfile").read_text()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 1300


@pytest.mark.parametrize("name,section", [("run", "pairs"),
                                          ("hostile", "attacks")])
def test_the_benchmarks_list_their_sections(name, section):
    """docs/performance.md sends readers there."""
    done = subprocess.run([ROOT / "bench" / name, "-h"], check=False,
                          text=True, capture_output=True)
    assert re.search(rf"^  {section} ", done.stdout + done.stderr, re.M)


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
FUNCTIONS = re.findall(r"`([\w./-]+\.[ch]):(\w+)`", ARCHITECTURE)


@pytest.mark.parametrize(("file", "function"), sorted(set(FUNCTIONS)))
def test_the_architecture_names_functions_that_exist(file, function):
    """A definition has its name at the start of a line."""
    text = (ROOT / file).read_text()
    assert re.search(rf"^{function}\(", text, re.M), f"{file}:{function}"


def test_the_architecture_names_files_that_exist():
    files = re.findall(r"`((?:common|fcgi-app|reporter|tools)/[\w./-]+\.\w+)",
                       ARCHITECTURE)
    assert len(files) > len(FUNCTIONS) > 0
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_architecture_lists_the_folders():
    """Those between which tools/check-includes rules."""
    rules = (ROOT / "tools" / "check-includes").read_text()
    rooms = re.findall(r"^    \[([\w/-]+)\]='[a-z ]*'$", rules, re.M)
    assert "common/base" in rooms
    assert "reporter" in rooms
    listed = re.findall(r"^\| `([\w/-]+)` \|", ARCHITECTURE, re.M)
    assert [room for room in rooms if room not in listed] == []
