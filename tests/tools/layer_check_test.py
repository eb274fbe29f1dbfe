#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shows that the layer check can fail: a tree that keeps the rules passes, and each violation alone is found."""

import pathlib
import tempfile
import unittest

import layer_check

CLEAN = {
    "libbatcher/include/batcher/core.hpp": "#include <vector>\n#include \"batcher/time.hpp\"\n",
    "libbatcher/src/core.cpp": "#include <batcher/core.hpp>\n// #include <caf/all.hpp>\n",
    "actors/include/batcher/actors/caf_compat.hpp":
        "#if __has_include(<caf/version.hpp>)\n#  include <caf/io/middleman.hpp>\n#endif\n",
    "actors/include/batcher/actors/node.hpp": "#include <caf/actor.hpp>\n",
    "actors/src/node/node.cpp": "#include <caf/io/all.hpp>\n",
    "actors/src/node/tls.cpp": "#include <caf/openssl/manager.hpp>\n",
    "actors/src/messages.cpp": "#include <caf/error.hpp>\n#include <batcher/core.hpp>\n",
    "monitoring/src/metrics.cpp": "#include <prometheus/registry.h>\n#include <batcher/core.hpp>\n",
    "examples/main.cpp": "#include <caf/all.hpp>\n#include <prometheus/registry.h>\n",
}

VIOLATIONS = {
    "the core includes CAF": ("libbatcher/src/core.cpp", "#include <caf/all.hpp>"),
    "the core includes Prometheus": ("libbatcher/src/core.cpp", "#include <prometheus/gauge.h>"),
    "the core includes actors": ("libbatcher/src/core.cpp", "#include <batcher/actors/spawn.hpp>"),
    "the core includes a C header": ("libbatcher/src/core.cpp", "#include <unistd.h>"),
    "the core includes in quotes": ("libbatcher/src/core.cpp", '#  include "caf/all.hpp"'),
    "the core includes through a macro": ("libbatcher/src/core.cpp", "#include HEADER"),
    "the core leaves its folder": ("libbatcher/src/core.cpp", '#include "../../actors/a.hpp"'),
    "actors include Prometheus": ("actors/src/messages.cpp", "#include <prometheus/gauge.h>"),
    "actors include monitoring": ("actors/src/messages.cpp", "#include <batcher/monitoring/metrics.hpp>"),
    "actors use the network": ("actors/src/messages.cpp", "#include <caf/io/middleman.hpp>"),
    "a public header uses the network": ("actors/include/batcher/actors/node.hpp", "#include <caf/io/all.hpp>"),
    "actors use TLS": ("actors/src/messages.cpp", "#include <caf/openssl/manager.hpp>"),
    "TLS uses the network": ("actors/src/node/tls.cpp", "#include <caf/io/middleman.hpp>"),
    "monitoring includes CAF": ("monitoring/src/metrics.cpp", "#include <caf/actor.hpp>"),
    "monitoring includes actors": ("monitoring/src/metrics.cpp", "#include <batcher/actors/ask.hpp>"),
    "actors ask for a version header": ("actors/src/messages.cpp", "#if __has_include(<caf/version.hpp>)"),
    "an example asks for CAF_VERSION": ("examples/main.cpp", "#if CAF_VERSION >= 1800"),
    "an example asks for our version macro": ("examples/main.cpp", "#if BATCHER_CAF_1"),
}


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class LayerCheckTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        write_tree(self.root, CLEAN)

    def test_a_tree_that_keeps_the_rules_passes(self):
        self.assertEqual(layer_check.check(self.root), [])

    def test_each_violation_is_found_where_it_stands(self):
        for what, (name, line) in VIOLATIONS.items():
            with self.subTest(what):
                write_tree(self.root, CLEAN | {name: CLEAN[name] + line + "\n"})
                number = CLEAN[name].count("\n") + 1
                found = layer_check.check(self.root)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{self.root / name}:{number}: "), found[0])
                write_tree(self.root, CLEAN)

    def test_a_root_without_sources_fails(self):
        self.assertEqual(len(layer_check.check(self.root / "examples")), len(layer_check.PARTS))


if __name__ == "__main__":
    unittest.main()
