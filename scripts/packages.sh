# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What scripts/demo, scripts/test and scripts/bench share: the Debian packages that each needs, and
# how they get installed. Sourced, not run. It installs only what is missing, and removes nothing.

# shellcheck disable=SC2034 # read by the scripts that source this
library_packages=(g++ cmake ninja-build libcaf-dev libssl-dev prometheus-cpp-dev
  libcli11-dev nlohmann-json3-dev) # the last two for the simulator and the benchmarks
# What the examples that serve a model need besides. LibTorch without the pthread OpenBLAS computes
# batches 15 times slower.
# shellcheck disable=SC2034
model_packages=(libtorch-dev libopenblas0-pthread librestinio-dev libasio-dev libfmt-dev)
# shellcheck disable=SC2034
check_packages=(catch2 librapidcheck-dev python3 clang-format-14 openssl stunnel4
  iproute2) # the last for ip and tc, which the soak of a cluster needs
# shellcheck disable=SC2034
bench_packages=(libbenchmark-dev)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "needs root to run: $*"
    say "there is no sudo here; run that as root, then start again"
    return 1
  fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# install_packages <package>...: installs those that are missing.
install_packages() {
  local package missing=()
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here: the packages to have are $*"
    return 1
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  apt_get update
  apt_get install --yes --no-remove --no-install-recommends "${missing[@]}"
}

# provide_prometheus <folder>: puts Debian's prometheus and promtool on PATH, unpacked below
# <folder> where the machine has none. Installing the package instead would leave a server running
# on every interface.
provide_prometheus() {
  local folder=$1
  export PATH="$PATH:$folder/usr/bin"
  if command -v prometheus >/dev/null && command -v promtool >/dev/null; then return 0; fi
  say "unpacking prometheus into $folder"
  mkdir -p "$folder"
  apt_get update
  (cd "$folder" && apt-get -qq download prometheus && dpkg-deb --extract prometheus_*.deb .)
}
