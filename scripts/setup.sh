#!/usr/bin/env bash
# Installs what onepack needs to build and test, with apt. Safe to run twice: what is there is left alone.
# With --peer also ExecuTorch, with pip and into build/peer: for the benchmarks that compare with it, and for the XNNPACK
# in it (docs/xnnpack.md); with --clang also clang with libc++, its sanitizers and fuzzer, clang-format, clang-tidy and
# Doxygen: for the presets asan and tsan, scripts/lint.sh and scripts/fuzz.sh; with --aarch64 also what the aarch64 preset
# needs (docs/aarch64.md); with --python what the tests of the Python package need: with pip into build/python, and Chromium;
# with --rust cargo, unless one that is new enough is there, and the crates for `onepack generate` with a tokenizer.json;
# with --engines llama.cpp and ONNX Runtime GenAI, into build/engines: for the benchmark of docs/engines.md. That takes 8 GB of
# disk, models included, 10 while they are written; most of it is PyTorch, by which GenAI's model is made.
#
# Debian 13 (trixie) has everything. Debian 12 (bookworm) has an XNNPACK of 2022 without the weights cache
# provider interface, so a few packages come from the trixie suite of the machine's own mirror, pinned below
# bookworm so that nothing else upgrades by itself. On both, pthreadpool comes from forky in the same way: the threads
# of older ones wait for each other by spinning, and stall when other processes keep the cores busy.
set -euo pipefail

# Tools and libraries that every supported Debian has in the right version.
common_packages=(
  g++ ccache cmake ninja-build binutils pkg-config python3 valgrind
  libcli11-dev nlohmann-json3-dev libkissfft-dev libssl-dev libxxhash-dev libsentencepiece-dev
)
# Libraries that must come from trixie or newer.
trixie_packages=(
  libxnnpack-dev libcpuinfo-dev libhwy-dev
  libflatbuffers-dev flatbuffers-compiler
  libgtest-dev libgmock-dev libbenchmark-dev
)
# From forky.
pool_packages=(libpthreadpool0 libpthreadpool-dev)
# The first whose threads take work only when they have a core, and are not waited for otherwise.
pool_version='0.0~git20250101'
# Of one version, which both Debians have in their own suites; libc++ can be installed in one version only, and takes the
# place of another.
clang_packages=(git clang-19 llvm-19 libc++-19-dev libc++abi-19-dev lld-19 clang-format-19 clang-tidy-19 doxygen)
# Besides, its sanitizers. On Debian 12 from trixie, because bookworm's want bookworm's C library; on amd64 that has to be
# said of what they need, too.
sanitizer_packages=(libclang-rt-19-dev)
sanitizer_needs_amd64=(lib32gcc-s1 lib32stdc++6 libc6-i386)
# Besides, to build for aarch64 and to run that: compiler and emulator from the machine's own suite
aarch64_tools=(g++-aarch64-linux-gnu qemu-user)
# (on Debian 12 with trixie's C and C++ runtime libraries to link with, as they are for this machine's own programs; all
# are the cross compiler's alone)...
aarch64_runtime=(
  libc6-dev-arm64-cross libc6-arm64-cross linux-libc-dev-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross
)
aarch64_runtime_version='2.41'  # of the C library
# ...and the libraries, as of trixie on every machine, in build/aarch64-sysroot. Installed beside this machine's own, some
# would displace them: not all -dev packages may be there for two architectures, and a Debian 12 has two suites mixed.
aarch64_packages=(
  libc6 libstdc++6 libgcc-s1
  libcli11-dev nlohmann-json3-dev libkissfft-dev libssl-dev libxxhash-dev libsentencepiece-dev
  libxnnpack-dev libcpuinfo-dev libhwy-dev libflatbuffers-dev
  libgtest-dev libgmock-dev
)
# Besides, Rust of rust_version: Debian 13's, and the one that Debian 12 has for its browsers beside its own of 2022.
rust_package=cargo rust_package_of_bookworm=cargo-web
rust_version='1.85'  # as in tools/hugging_face_tokenizer/Cargo.toml
# The first XNNPACK with the public xnn_weights_cache_provider that onepack is written for.
xnnpack_version='0.0~git20241108'
# The first Highway with sums of four products of bytes, and with the instructions of Zen 4.
highway_version='1.1.0'
# What the benchmarks compare with.
peer_version='1.5.1'
# Besides, from forky and into build/engines/llama with all that they need: it wants a newer C library than Debian 13's.
llama_packages=(libllama0 libllama-dev libggml0 libggml-dev)
llama_version='1:0.7.0+dfsg-2' ggml_version='0.27.0-1'

say() { printf 'setup: %s\n' "$*"; }

print_what_is_needed() {
  cat >&2 <<NEEDED
setup: this script knows Debian 12 and Debian 13; this machine is "${1}".
Install these by hand, then run cmake as README.md says:
  - a C++17 compiler (g++ 12 or newer), CMake 3.25 or newer, Ninja, binutils (nm), pkg-config, Python 3
  - XNNPACK ${xnnpack_version} (shared library and xnnpack.h), cpuinfo
  - Highway ${highway_version} or newer
  - pthreadpool ${pool_version} or newer
  - flatbuffers 23.5 or newer, headers and flatc
  - GoogleTest, Google Benchmark, CLI11, nlohmann-json, SentencePiece, OpenSSL's libcrypto
  - kissfft, built for float; xxHash's header
  - Python 3 and valgrind, for the tests that count instructions
On Debian the packages are named: ${common_packages[*]} ${trixie_packages[*]} ${pool_packages[*]}
NEEDED
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# at_least PACKAGE VERSION
at_least() {
  local have
  have=$(dpkg-query -W -f='${Version}' "$1" 2>/dev/null) || return 1
  dpkg --compare-versions "$have" ge "$2"
}

# Packages from trixie that are absent, or present in bookworm's version.
missing_packages() {
  local package
  for package in "${common_packages[@]}" "${trixie_packages[@]}"; do
    installed "$package" || printf '%s\n' "$package"
  done
  at_least libxnnpack-dev "$xnnpack_version" && at_least libhwy-dev "$highway_version" ||
    printf '%s\n' "${trixie_packages[@]}"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# entry_of OWN OTHER: prints the machine's own entry of the suite OWN (a deb822 stanza) with the suite renamed.
entry_of() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    case "$file" in */onepack-* | '/etc/apt/sources.list.d/*.sources') continue ;; esac
    awk -v own="$1" 'BEGIN { RS = ""; ORS = "\n\n" }
         /(^|\n)Types:[^\n]*deb/ && $0 ~ "(^|\n)Suites:[^\n]*" own "( |\n|$)" && !/(^|\n)Enabled: *no/ { print; exit }' "$file" |
      sed -E "/^#/d; s/^Suites:.*/Suites: $2/; s/^Types:.*/Types: deb/"
  done | awk 'BEGIN { RS = ""; ORS = "\n" } NR == 1 { print }'
}

# The same of the one-line form.
one_line_entry_of() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    case "$file" in */onepack-*) continue ;; esac
    sed -nE "s/^(deb +(\\[[^]]*\\] +)?[^ ]+ +)$1 +(.*)\$/\\1$2 \\3/p" "$file"
  done | sed -n 1p
}

# add_suite OTHER OWN PRIORITY: the suite OTHER beside the machine's own, pinned so that nothing comes from it by itself.
add_suite() {
  local stanza line
  stanza=$(entry_of "$2" "$1")
  line=$(one_line_entry_of "$2" "$1")
  if [ -n "$stanza" ]; then
    printf '%s\n' "$stanza" | as_root tee "/etc/apt/sources.list.d/onepack-$1.sources" >/dev/null
  elif [ -n "$line" ]; then
    printf '%s\n' "$line" | as_root tee "/etc/apt/sources.list.d/onepack-$1.list" >/dev/null
  else
    echo "setup: found no $2 entry in /etc/apt/sources.list or sources.list.d to derive $1's from" >&2
    return 1
  fi
  printf 'Package: *\nPin: release n=%s\nPin-Priority: %s\n' "$1" "$3" |
    as_root tee "/etc/apt/preferences.d/onepack-$1" >/dev/null
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

# add_entries FOLDER OWN SUITE...: entries of the suites, from the machine's own mirror, for every architecture.
add_entries() {
  local folder=$1 own=$2 suite
  shift 2
  for suite in "$@"; do
    entry_of "$own" "$suite" | sed '/^Architectures:/d' >"$folder/$suite.sources"
    one_line_entry_of "$own" "$suite" | sed -E 's/ *arch=[^] ]+//; s/\[ *\] *//' >"$folder/$suite.list"
    if ! grep -qs . "$folder/$suite.sources" "$folder/$suite.list"; then
      echo "setup: found no $own entry in /etc/apt/sources.list or sources.list.d to derive $suite's from" >&2
      return 1
    fi
  done
}

# download_packages APT ARCHITECTURE OWN SUITES PACKAGE...: into APT/cache/archives, with what they need; SUITES are words
# in one argument, of which forky comes last. Apt resolves what the packages need in APT, a state of its own, in which
# nothing is installed and there is one architecture: as an ordinary user, and unseen by the machine's own apt.
download_packages() {
  local apt=$1 architecture=$2 own=$3 suites
  read -ra suites <<<"$4"
  shift 4
  rm -rf "$apt"
  mkdir -p "$apt"/{sources.list.d,preferences.d,lists/partial,cache/archives/partial}
  add_entries "$apt/sources.list.d" "$own" "${suites[@]}"
  printf 'Package: *\nPin: release n=forky\nPin-Priority: 50\n' >"$apt/preferences.d/forky"
  touch "$apt/status" "$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/sources.list.d";
Dir::Etc::preferencesparts "$apt/preferences.d";
CONF
  APT_CONFIG=$apt/apt.conf apt-get update
  APT_CONFIG=$apt/apt.conf apt-get install -y --download-only "$@"
}

# unpack_packages APT ROOT: what was downloaded; APT is gone then.
unpack_packages() {
  local apt=$1 root=$2 package
  rm -rf "$root"
  mkdir -p "$root/usr/lib" "$root/usr/lib64"
  ln -s usr/lib "$root/lib"
  ln -s usr/lib64 "$root/lib64"
  for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  rm -rf "$apt"
}

# install_sysroot OWN
install_sysroot() {
  local folder root wanted
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  root=$folder/build/aarch64-sysroot
  wanted="${aarch64_packages[*]} ${pool_packages[*]}"
  if [ "$(cat "$root/packages" 2>/dev/null)" = "$wanted" ]; then
    say "the libraries for aarch64 are in build/aarch64-sysroot already"
    return
  fi
  say "libraries for aarch64 into build/aarch64-sysroot"
  download_packages "$folder/build/aarch64-apt" arm64 "$1" 'trixie forky' \
    "${aarch64_packages[@]}" "${pool_packages[@]/%//forky}"
  unpack_packages "$folder/build/aarch64-apt" "$root"
  printf '%s\n' "$wanted" >"$root/packages"
}

# install_aarch64 OWN
install_aarch64() {
  local package missing=()
  if [ "$(dpkg --print-architecture)" = arm64 ]; then
    say "this machine has such a processor: the other presets build for it" >&2
    return 1
  fi
  for package in "${aarch64_tools[@]}"; do installed "$package" || missing+=("$package"); done
  if [ "$1" = bookworm ] && ! at_least libc6-dev-arm64-cross "$aarch64_runtime_version"; then
    missing+=("${aarch64_runtime[@]/%//trixie}")
  fi
  if [ "${#missing[@]}" -gt 0 ]; then
    say "for aarch64: will install ${missing[*]}"
    as_root apt-get update
    apt_install "${missing[@]}"
  fi
  install_sysroot "$1"
}

# install_clang OWN
install_clang() {
  local package missing=()
  for package in "${clang_packages[@]}"; do installed "$package" || missing+=("$package"); done
  if ! installed "${sanitizer_packages[0]}"; then
    if [ "$1" = bookworm ]; then
      if [ "$(dpkg --print-architecture)" = amd64 ]; then sanitizer_packages+=("${sanitizer_needs_amd64[@]}"); fi
      sanitizer_packages=("${sanitizer_packages[@]/%//trixie}")
    fi
    missing+=("${sanitizer_packages[@]}")
  fi
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
  say "clang and what looks at sources: will install ${missing[*]}"
  as_root apt-get update
  apt_install "${missing[@]}"
}

# Only the wheel, which holds the C++ runtime: its dependencies are for exporting.
install_peer() {
  local folder
  folder=$(dirname "${BASH_SOURCE[0]}")/../build/peer
  if [ -d "$folder/executorch-$peer_version.dist-info" ]; then
    say "ExecuTorch $peer_version is in build/peer already"
    return
  fi
  rm -rf "$folder"/executorch "$folder"/executorch-*.dist-info  # of another version, or half of one
  if ! python3 -m pip --version >/dev/null 2>&1; then apt_install python3-pip; fi
  say "ExecuTorch $peer_version into build/peer"
  python3 -m pip install --quiet --no-deps --target "$folder" "executorch==$peer_version"
}

# install_python: an environment of the machine's python3, with what python/tests/requirements.txt names. Made anew for another
# Python, which has neither the packages nor perhaps the interpreter that the environment points to.
install_python() {
  local folder wanted pinned
  # What opens the server's page; without it the tests of the page are skipped.
  if ! command -v chromedriver >/dev/null; then apt_install chromium chromium-driver || say 'no Chromium to be had'; fi
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  pinned=$folder/python/tests/requirements.txt
  wanted=$(python3 --version && cat "$pinned")
  if [ "$(cat "$folder/build/python/installed" 2>/dev/null)" = "$wanted" ]; then
    say "what the Python package needs is in build/python already"
  else
    # Debian has both in packages of their own.
    if ! python3 -c 'import ensurepip, os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null; then
      apt_install python3-dev python3-venv
    fi
    say "what the Python package needs into build/python"
    rm -rf "$folder/build/python"
    python3 -m venv "$folder/build/python"
    "$folder/build/python/bin/python" -m pip install --quiet --requirement "$pinned"
    printf '%s\n' "$wanted" >"$folder/build/python/installed"
  fi
  install_ray "$folder/build/python" "$folder/examples/ray_serve/requirements.txt" "$pinned"
}

# install_ray ENVIRONMENT REQUIREMENTS PINNED: 360 MB, and not for every Python and processor; without it that example's test is
# skipped. Tried again in the next run where it failed.
install_ray() {
  if cmp --silent "$2" "$1/installed_ray"; then
    say "Ray is in build/python already"
  elif "$1/bin/python" -m pip install --quiet --requirement "$2" --constraint "$3"; then
    cp "$2" "$1/installed_ray"
  else
    say 'no Ray to be had'
  fi
}

# install_llama OWN: unpacked beside the machine's own libraries, from which it takes none. In the pinned versions, or, where the
# suite has moved on, in those that it has now; the benchmark says which.
install_llama() {
  local folder root package wanted=() architecture
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  root=$folder/build/engines/llama
  for package in "${llama_packages[@]}"; do
    case "$package" in
      *llama*) wanted+=("$package=$llama_version") ;;
      *) wanted+=("$package=$ggml_version") ;;
    esac
  done
  if [ "$(cat "$root/packages" 2>/dev/null)" = "${wanted[*]}" ]; then
    say "llama.cpp $llama_version is in build/engines/llama already"
    return
  fi
  say "llama.cpp $llama_version into build/engines/llama"
  architecture=$(dpkg --print-architecture)
  if ! download_packages "$folder/build/engines/apt" "$architecture" "$1" forky "${wanted[@]}"; then
    say "got no llama.cpp $llama_version with ggml $ggml_version from forky: trying those that it has now"
    download_packages "$folder/build/engines/apt" "$architecture" "$1" forky "${llama_packages[@]}"
  fi
  unpack_packages "$folder/build/engines/apt" "$root"
  printf '%s\n' "${wanted[*]}" >"$root/packages"
}

# ONNX Runtime GenAI, and what writes models for it and for llama.cpp, in an environment of its own.
install_genai() {
  local folder wanted pinned
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  pinned=$folder/bench/peer/engines/requirements.txt
  wanted=$(python3 --version && cat "$pinned")
  if [ "$(cat "$folder/build/engines/python/installed" 2>/dev/null)" = "$wanted" ]; then
    say "ONNX Runtime GenAI is in build/engines/python already"
    return
  fi
  if ! python3 -c 'import ensurepip' 2>/dev/null; then apt_install python3-venv; fi
  say "ONNX Runtime GenAI, and PyTorch for making its model, into build/engines/python: some GB to download, 6 GB on the disk"
  rm -rf "$folder/build/engines/python"
  python3 -m venv "$folder/build/engines/python"
  "$folder/build/engines/python/bin/python" -m pip install --quiet --requirement "$pinned"
  printf '%s\n' "$wanted" >"$folder/build/engines/python/installed"
}

has_rust() {
  local version
  version=$(cargo --version 2>/dev/null) && rustc --version >/dev/null 2>&1 || return 1
  dpkg --compare-versions "$(cut -d ' ' -f 2 <<<"$version")" ge "$rust_version"
}

# install_rust OWN. Crates go to where cargo keeps those of all projects of the user who runs this.
install_rust() {
  if [ "$1" = bookworm ]; then rust_package=$rust_package_of_bookworm; fi
  if ! has_rust; then
    say "Rust: will install $rust_package"
    as_root apt-get update
    # Another Rust's packages may conflict with it: theirs are not removed.
    if ! apt_install --no-remove "$rust_package"; then
      say "Rust: apt cannot install $rust_package beside what is there: get $rust_version or newer another way" >&2
      return 1
    fi
    if ! has_rust; then
      say "Rust: $(command -v cargo) comes first in PATH and is older than $rust_version, or has no rustc: update it" >&2
      return 1
    fi
  fi
  say "$(cargo --version), and crates for it"
  local fetch=(cargo fetch --quiet --target "$(rustc --print host-tuple)"
    --manifest-path "$(dirname "${BASH_SOURCE[0]}")/../tools/hugging_face_tokenizer/Cargo.toml")
  "${fetch[@]}" --offline 2>/dev/null || "${fetch[@]}"
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

  own=trixie
  local missing
  if [ "$version" = 12 ]; then own=bookworm; fi
  missing=$(missing_packages | sort -u | tr '\n' ' ')
  if [ -n "$missing" ]; then
    say "Debian $version: will install $missing"
    if [ "$version" = 12 ]; then
      say "adding the trixie suite of this machine's mirror, pinned below bookworm (priority 100)"
      add_suite trixie bookworm 100
    fi
    as_root apt-get update
    apt_install "${common_packages[@]}"
    apt_install -t trixie "${trixie_packages[@]}"
  fi
  install_pool "$own"
  say "Debian $version: XNNPACK $(dpkg-query -W -f='${Version}' libxnnpack-dev)," \
    "pthreadpool $(dpkg-query -W -f='${Version}' libpthreadpool-dev)"
}

# install_pool OWN. Everything works with an older one, but for busy machines.
install_pool() {
  if at_least libpthreadpool-dev "$pool_version"; then return; fi
  say "adding the forky suite of this machine's mirror, pinned below everything (priority 50), for pthreadpool"
  if add_suite forky "$1" 50 && as_root apt-get update && apt_install -t forky "${pool_packages[@]}"; then return; fi
  say "no pthreadpool $pool_version or newer could be installed: with two threads and more, runs stall on busy machines"
  if ! installed libpthreadpool-dev; then apt_install -t trixie libpthreadpool-dev; fi
}

case "${1:-}" in
  '') install_packages ;;
  --peer)
    install_packages
    install_peer
    ;;
  --clang)
    install_packages
    install_clang "$own"
    ;;
  --aarch64)
    install_packages
    install_aarch64 "$own"
    ;;
  --python)
    install_packages
    install_python
    ;;
  --rust)
    install_packages
    install_rust "$own"
    ;;
  --engines)
    install_packages
    install_peer
    install_llama "$own"
    install_genai
    ;;
  *)
    echo 'usage: setup.sh [--peer | --clang | --aarch64 | --python | --rust | --engines]' >&2
    exit 2
    ;;
esac
