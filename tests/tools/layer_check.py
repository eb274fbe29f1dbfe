#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks who includes whom: layer_check.py ROOT prints every violation and exits with 1 if there is one.

System headers all lie in one folder, so a compiler cannot keep the parts of the project apart. This check does:

  libbatcher  includes the standard library and its own headers, nothing else
  actors      never includes prometheus-cpp or batcher/monitoring; caf/io and caf/openssl only where it
              opens its ports: node.cpp, middleman.cpp and tls.cpp
  monitoring  never includes CAF or batcher/actors
  everywhere  only caf_compat.hpp asks for CAF's version

It reads lines, not C++: an include that is switched off by the preprocessor counts as well.
"""

import pathlib
import re
import sys

PARTS = ("libbatcher", "actors", "monitoring")
VERSION_FOLDERS = PARTS + ("examples", "tests")

STANDARD = set(
    """algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes
    climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg
    cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception execution filesystem
    forward_list fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator latch
    limits list locale map memory memory_resource mutex new numbers numeric optional ostream queue random ranges
    ratio regex scoped_allocator semaphore set shared_mutex source_location span sstream stack stdexcept
    stop_token streambuf string string_view system_error thread tuple type_traits typeindex typeinfo
    unordered_map unordered_set utility valarray variant vector version""".split()
)

INCLUDE = re.compile(r"^\s*#\s*(?:include|include_next|import)\b\s*(.*)$")
VERSION_TEST = re.compile(
    r"__has_include\s*\(\s*[<\"]caf/|\bCAF_(?:MAJOR_|MINOR_|PATCH_)?VERSION\b|\bBATCHER_CAF_\d"
)


def core_may_include(name):
    return name in STANDARD or re.fullmatch(r"batcher/\w+\.hpp", name) is not None


def why_forbidden(part, file_name, name):
    """The rule that the include of `name` breaks, or None."""
    if name is None:
        return "includes through a macro, which this check cannot follow"
    if ".." in name.split("/"):
        return f"includes {name}: a relative path goes round the layers"
    top = name.split("/")[0]
    if part == "libbatcher" and not core_may_include(name):
        return f"includes {name}: the core knows the standard library and itself only"
    if part == "actors":
        if top == "prometheus" or name.startswith("batcher/monitoring/"):
            return f"includes {name}: actors never see monitoring"
        for folder, owners in (("caf/io/", ("node.cpp", "middleman.cpp")), ("caf/openssl/", ("tls.cpp",))):
            if name.startswith(folder) and file_name not in (*owners, "caf_compat.hpp"):
                return f"includes {name}: only {' and '.join(owners)} do"
    if part == "monitoring" and (top == "caf" or name.startswith("batcher/actors/")):
        return f"includes {name}: monitoring never sees actors"
    return None


def included_name(rest):
    """The header that the text after #include names, or None if a macro does."""
    match = re.match(r"[<\"]([^>\"]+)[>\"]", rest)
    return match.group(1) if match else None


def violations_in(part, path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        code = line.split("//")[0]
        include = INCLUDE.match(code)
        if include and part in PARTS:
            reason = why_forbidden(part, path.name, included_name(include.group(1)))
            if reason:
                yield f"{path}:{number}: {reason}"
        if path.name != "caf_compat.hpp" and VERSION_TEST.search(code):
            yield f"{path}:{number}: asks for CAF's version, which is caf_compat.hpp's business"


def check(root):
    """Every violation below `root`, as lines of text. A part without sources is one: the root is wrong."""
    found = []
    for part in VERSION_FOLDERS:
        files = sorted(p for p in (root / part).rglob("*") if p.suffix in (".hpp", ".cpp"))
        if not files and part in PARTS:
            found.append(f"{root / part}: no source files here")
        for path in files:
            found.extend(violations_in(part, path))
    return found


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = check(pathlib.Path(arguments[0]))
    print("\n".join(found) if found else "the layers hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
