# SPDX-License-Identifier: BSD-3-Clause
#
# What Batcher depends on, for people who have Conan 2. Untried: its own builds take these from
# Debian. Set CAF_ROOT to where Conan puts CAF.

from conan import ConanFile
from conan.tools.cmake import cmake_layout


class Batcher(ConanFile):
    name = "batcher"
    version = "0.1.0"
    license = "BSD-3-Clause"
    settings = "os", "compiler", "build_type", "arch"
    generators = "CMakeDeps", "CMakeToolchain"
    requires = "caf/[>=1.0 <2]", "prometheus-cpp/[>=1.0 <2]"
    test_requires = "catch2/[>=2.13 <3]", "cli11/[>=2.1 <3]", "nlohmann_json/[>=3.11 <4]"

    def layout(self):
        cmake_layout(self)
