#!/usr/bin/env bash
# Installs what onepack needs to build and test, with apt. Safe to run twice: what is there is left alone.
# With --peer also ExecuTorch, with pip and into build/peer, for the benchmarks that compare with it; with --fuzz also
# clang with its fuzzer, for scripts/fuzz.sh.
#
# Debian 13 (trixie) has everything. Debian 12 (bookworm) has an XNNPACK of 2022 without the weights cache
# provider interface, so a few packages come from the trixie suite of the machine's own mirror, pinned below
# bookworm so that nothing else upgrades by itself.
set -euo pipefail

# Tools and libraries that every supported Debian has in the right version.
common_packages=(
  g++ cmake ninja-build binutils
  libcli11-dev nlohmann-json3-dev libssl-dev libsentencepiece-dev
)
# Libraries that must come from trixie or newer.
trixie_packages=(
  libxnnpack-dev libpthreadpool-dev libcpuinfo-dev
  libflatbuffers-dev flatbuffers-compiler
  libgtest-dev libgmock-dev libbenchmark-dev
)
# Besides, for fuzzing. From trixie as well: bookworm's runtime of clang wants bookworm's libc.
fuzz_packages=(clang libclang-rt-19-dev)
# The first XNNPACK with the public xnn_weights_cache_provider that onepack is written for.
xnnpack_version='0.0~git20241108'
# What the benchmarks compare with.
peer_version='1.5.1'

say() { printf 'setup: %s\n' "$*"; }

print_what_is_needed() {
  cat >&2 <<NEEDED
setup: this script knows Debian 12 and Debian 13; this machine is "${1}".
Install these by hand, then run cmake as README.md says:
  - a C++17 compiler (g++ 12 or newer), CMake 3.25 or newer, Ninja, binutils (nm)
  - XNNPACK ${xnnpack_version} (shared library and xnnpack.h), pthreadpool, cpuinfo
  - flatbuffers 23.5 or newer, headers and flatc
  - GoogleTest, Google Benchmark, CLI11, nlohmann-json, SentencePiece, OpenSSL's libcrypto
On Debian the packages are named: ${common_packages[*]} ${trixie_packages[*]}
NEEDED
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

new_enough_xnnpack() {
  local have
  have=$(dpkg-query -W -f='${Version}' libxnnpack-dev 2>/dev/null) || return 1
  dpkg --compare-versions "$have" ge "$xnnpack_version"
}

# Packages from trixie that are absent, or present in bookworm's version.
missing_packages() {
  local package
  for package in "${common_packages[@]}" "${trixie_packages[@]}"; do
    installed "$package" || printf '%s\n' "$package"
  done
  new_enough_xnnpack || printf '%s\n' "${trixie_packages[@]}"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Prints the machine's own bookworm entry (deb822 stanza or one-line form) with the suite renamed to trixie.
trixie_source() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk 'BEGIN { RS = ""; ORS = "\n\n" }
         /(^|\n)Types:[^\n]*deb/ && /(^|\n)Suites:[^\n]*bookworm( |\n|$)/ && !/(^|\n)Enabled: *no/ { print; exit }' "$file" |
      sed -E '/^#/d; s/^Suites:.*/Suites: trixie/; s/^Types:.*/Types: deb/'
  done | awk 'BEGIN { RS = ""; ORS = "\n" } NR == 1 { print }'
}

trixie_source_one_line() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -nE 's/^(deb +(\[[^]]*\] +)?[^ ]+ +)bookworm +(.*)$/\1trixie \3/p' "$file"
  done | sed -n 1p
}

add_trixie_beside_bookworm() {
  local stanza line
  stanza=$(trixie_source)
  line=$(trixie_source_one_line)
  if [ -n "$stanza" ]; then
    printf '%s\n' "$stanza" | as_root tee /etc/apt/sources.list.d/onepack-trixie.sources >/dev/null
  elif [ -n "$line" ]; then
    printf '%s\n' "$line" | as_root tee /etc/apt/sources.list.d/onepack-trixie.list >/dev/null
  else
    echo "setup: found no bookworm entry in /etc/apt/sources.list or sources.list.d to derive trixie's from" >&2
    exit 1
  fi
  printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' |
    as_root tee /etc/apt/preferences.d/onepack-trixie >/dev/null
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

install_fuzzer() {
  local package missing=()
  for package in "${fuzz_packages[@]}"; do installed "$package" || missing+=("$package"); done
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
  say "for fuzzing: will install ${missing[*]}"
  if [ -e /etc/apt/preferences.d/onepack-trixie ]; then
    apt_install -t trixie "${missing[@]}"
  else
    apt_install "${missing[@]}"
  fi
}

# Only the wheel, which holds the C++ runtime: its dependencies are for exporting.
install_peer() {
  local folder
  folder=$(dirname "${BASH_SOURCE[0]}")/../build/peer
  if [ -d "$folder/executorch" ]; then
    say "ExecuTorch is in build/peer already"
    return
  fi
  if ! python3 -m pip --version >/dev/null 2>&1; then apt_install python3-pip; fi
  say "ExecuTorch $peer_version into build/peer"
  python3 -m pip install --quiet --no-deps --target "$folder" "executorch==$peer_version"
}

install_packages() {
  local id=unknown version=''
  if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && printf '%s' "${ID:-unknown}")
    version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
  fi
  # The trixie libraries bring trixie's base-files along, after which a Debian 12 machine calls itself 13.
  if [ -e /etc/apt/preferences.d/onepack-trixie ]; then version=12; fi
  if [ "$id" != debian ] || { [ "$version" != 12 ] && [ "$version" != 13 ]; }; then
    print_what_is_needed "$id $version"
    exit 1
  fi

  local missing
  missing=$(missing_packages | sort -u | tr '\n' ' ')
  if [ -z "$missing" ]; then
    say "Debian $version: everything is installed already"
    return
  fi
  say "Debian $version: will install $missing"
  if [ "$version" = 12 ]; then
    say "adding the trixie suite of this machine's mirror, pinned below bookworm (priority 100)"
    add_trixie_beside_bookworm
    as_root apt-get update
    apt_install "${common_packages[@]}"
    apt_install -t trixie "${trixie_packages[@]}"
  else
    as_root apt-get update
    apt_install "${common_packages[@]}" "${trixie_packages[@]}"
  fi
  say "done: XNNPACK $(dpkg-query -W -f='${Version}' libxnnpack-dev)"
}

case "${1:-}" in
  '') install_packages ;;
  --peer)
    install_packages
    install_peer
    ;;
  --fuzz)
    install_packages
    install_fuzzer
    ;;
  *)
    echo 'usage: setup.sh [--peer | --fuzz]' >&2
    exit 2
    ;;
esac
