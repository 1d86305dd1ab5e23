"""The house rules that a reader relies on."""

import ast
import itertools
import re
import tomllib

FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
LONGEST = 400
MOST_PARAMETERS = 8
MOST_OF_A_KERNEL = 12
LONGER_FOR_A_REASON: dict[str, str] = {}
"""Files past the limit, and the argument each has made for itself."""

READING_ORDER = [
    "README.md",
    "agent/dijkwacht_agent/run.py",
    "collector/dijkwacht_collector/app.py",
    "detectors/dijkwacht_detectors/api.py",
]
PACKAGES = ["records", "agent", "detectors", "collector", "lab", "dijkwacht"]
ONE_MACHINE = re.compile(
    rb"(?:^|[^A-Za-z0-9_.])/(?:work|farm|root|Users)/"
    rb"|/home/[a-z]+/|https?://[a-z0-9.-]*(?:pypi|npmjs|debian|pythonhosted)\.org",
    re.MULTILINE,
)


def test_what_a_newcomer_reads_fits_in_an_hour(root):
    lines = {name: len((root / name).read_text("utf-8").splitlines()) for name in READING_ORDER}
    assert sum(lines.values()) < 600, lines


def test_every_module_is_named_for_what_it_is(tracked):
    for name in tracked:
        if name.endswith((".py", ".pyx")):
            words = set(re.split(r"[/_.]", name))
            assert not words & FORBIDDEN_WORDS, name


def test_a_file_past_400_lines_has_argued_for_itself(root, tracked):
    long = {
        name
        for name in tracked
        if name.endswith((".py", ".pyx"))
        and len((root / name).read_text("utf-8").splitlines()) > LONGEST
    }
    assert long == set(LONGER_FOR_A_REASON)


def test_a_function_has_at_most_eight_parameters_and_a_kernel_twelve(root, tracked):
    for name in tracked:
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse((root / name).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
                own = [n for n in names if n not in {"self", "cls"}]
                is_kernel = any("njit" in ast.unparse(d) for d in node.decorator_list)
                most = MOST_OF_A_KERNEL if is_kernel else MOST_PARAMETERS
                assert len(own) <= most, f"{name}:{node.lineno}: {node.name} has {len(own)}"


def test_no_file_speaks_of_one_machine(root, tracked):
    for name in tracked:
        found = ONE_MACHINE.search((root / name).read_bytes())
        assert not found or name.endswith((".pcap", ".bin")), (name, found)


def test_every_module_says_what_it_is_for(root, tracked):
    for name in tracked:
        if name.endswith(".py") and name.split("/")[0] in PACKAGES:
            text = (root / name).read_text("utf-8")
            assert ast.get_docstring(ast.parse(text)), name


def test_every_package_is_typed(root):
    for folder in PACKAGES:
        [package] = [path.parent for path in (root / folder).glob("*/__init__.py")]
        assert (package / "py.typed").is_file()


def test_tests_mirror_the_packages(root, tracked):
    known = {*PACKAGES, "architecture", "contract", "docs", "scenarios", "dashboards", "deploy"}
    known |= {"live", "benchmarks", "faults"}
    for name in tracked:
        parts = name.split("/")
        if parts[0] == "tests" and len(parts) > 2:
            assert parts[1] in known, name


def test_what_ci_installs_is_what_the_tests_ask_for(root, tracked):
    """A command that a `live` or `tools` marker names comes from a package in .ci/packages."""
    listed = (root / ".ci/packages").read_text("utf-8")
    packages = {line.split("#")[0].strip() for line in listed.splitlines()} - {""}
    source = (root / "tests/conftest.py").read_text("utf-8")
    [table] = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGE_OF"
    ]
    package_of = ast.literal_eval(table)
    for name in tracked:
        if not name.startswith("tests/") or not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse((root / name).read_text("utf-8"))):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"pytest\.mark\.(live|tools)", ast.unparse(node.func)
            ):
                for command in map(ast.literal_eval, node.args):
                    assert package_of.get(command) in packages, f"{name} needs {command}"


def test_nothing_large_is_committed(root, tracked):
    for name in tracked:
        size = (root / name).stat().st_size
        shipped = name.endswith((".pcap", ".pcapng", ".png"))
        assert size <= (4_000_000 if shipped else 500_000), f"{name}: {size} bytes"


def test_every_dependency_has_an_upper_bound(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    named = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for group in (project["project"]["optional-dependencies"], project["dependency-groups"]):
        named += itertools.chain.from_iterable(group.values())
    ours = [name for name in named if name.startswith("dijkwacht[")]
    unbounded = [name for name in named if "<" not in name and "==" not in name]
    assert unbounded == ours
    assert len(named) > 30
