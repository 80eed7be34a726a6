#!/usr/bin/env bash
# musl.sh [x86_64 | aarch64]: builds onepack for musl and libc++ instead of glibc and libstdc++, and runs the tests of
# all that needs no XNNPACK, of which there is no library for musl: the delegate is compiled, not linked. aarch64 runs
# under qemu-user. Everything is kept in build/musl, and nothing is installed. Needs what scripts/setup.sh installs, and
# a Python with venv. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

processor=${1:-x86_64}
case "$processor" in
  x86_64) debian=amd64 ;;
  aarch64) debian=arm64 ;;
  *)
    echo 'usage: musl.sh [x86_64 | aarch64]' >&2
    exit 2
    ;;
esac
zig_version=0.17.1
# Not for what is in it, but for the libcrypto beside it, which was built for musl.
crypto_package=psycopg2-binary

say() { printf 'musl: %s\n' "$*"; }

shared=$PWD/build/musl/tools  # for both processors
mine=$PWD/build/musl/$processor
root=$mine/root
# ccache takes zig's "c++" for a file.
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER
export ZIG_GLOBAL_CACHE_DIR=$shared/zig-cache ZIG_LOCAL_CACHE_DIR=$shared/zig-cache

# once NAME COMMAND...: runs it, unless it has succeeded before.
once() {
  local stamp=$mine/done-$1
  shift
  if [ -e "$stamp" ]; then return; fi
  "$@"
  touch "$stamp"
}

install_zig() {
  if [ ! -x "$shared/venv/bin/pip" ]; then python3 -m venv "$shared/venv"; fi
  say "zig $zig_version"
  "$shared/venv/bin/pip" install --quiet --disable-pip-version-check "ziglang==$zig_version"
  ln -sfn "$("$shared/venv/bin/python" -c 'import ziglang; print(ziglang.__path__[0])')/zig" "$mine/zig"
}

# The machine's own Debian mirror for its sources and for both processors, beside the machine's own apt and not in it.
with_apt() {
  local tool=$1
  shift
  "$tool" -o Dir::Etc::SourceList="$shared/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$shared/apt/lists" -o Dir::Cache="$shared/apt/cache" \
    -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root -o quiet=1 "$@"
}

find_mirror() {
  local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^trixie //p' | sed -n 1p)
  if [ -z "$mirror" ]; then
    echo 'musl: apt knows no suite trixie: run scripts/setup.sh on Debian 12 or 13' >&2
    exit 1
  fi
  mkdir -p "$shared/apt/lists/partial" "$shared/apt/cache/archives/partial"
  printf "%s [signed-by=$keys] $mirror trixie main\n" deb deb-src >"$shared/apt/sources.list"
  with_apt apt-get update
}

# source_of PACKAGE: prints the folder of its source.
source_of() { find "$shared/sources/$1" -mindepth 1 -maxdepth 1 -type d | sed -n 1p; }

fetch_sources() {
  local package
  for package in googletest highway kissfft pthreadpool fxdiv; do
    if [ -d "$shared/sources/$package" ]; then continue; fi
    say "the source of $package"
    rm -rf "$shared/download"
    mkdir -p "$shared/download" "$shared/sources"
    (cd "$shared/download" && with_apt apt-get source --download-only --tar-only "$package" >/dev/null)
    mkdir "$shared/download/unpacked"
    tar -xf "$shared/download/"*.orig.tar.* -C "$shared/download/unpacked"
    mv "$shared/download/unpacked" "$shared/sources/$package"
  done
}

# build PACKAGE OPTIONS...: from its source, static, into root.
build() {
  local package=$1
  shift
  say "building $package"
  cmake -S "$(source_of "$package")" -B "$mine/$package" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/musl.cmake" \
    -DONEPACK_MUSL_PROCESSOR="$processor" -DONEPACK_MUSL_DIR="$mine" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$root" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_INCLUDEDIR=include \
    -DCMAKE_POLICY_VERSION_MINIMUM=3.5 "$@" >"$mine/$package.log" 2>&1 &&
    cmake --build "$mine/$package" --target install >>"$mine/$package.log" 2>&1 ||
    {
      tail -n 40 "$mine/$package.log" >&2
      exit 1
    }
}

build_libraries() {
  once googletest build googletest -DBUILD_GMOCK=OFF
  once highway build highway -DHWY_ENABLE_TESTS=OFF -DHWY_ENABLE_EXAMPLES=OFF -DHWY_ENABLE_CONTRIB=OFF
  once kissfft build kissfft -DKISSFFT_STATIC=ON -DKISSFFT_TEST=OFF -DKISSFFT_TOOLS=OFF
  once pthreadpool build pthreadpool -DPTHREADPOOL_BUILD_TESTS=OFF -DPTHREADPOOL_BUILD_BENCHMARKS=OFF \
    -DFXDIV_SOURCE_DIR="$(source_of fxdiv)"
}

# header_package FOLDER NAME TARGET: a CMake package of nothing but headers.
header_package() {
  mkdir -p "$root/lib/cmake/$1"
  cat >"$root/lib/cmake/$1/$2" <<CONFIG
add_library($3 INTERFACE IMPORTED)
set_target_properties($3 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES $root/include)
CONFIG
}

# Of libraries that are headers alone, or are not linked here. They are the same for every C library.
copy_headers() {
  mkdir -p "$root/include" "$root/share/cmake"
  cp -r /usr/include/flatbuffers /usr/include/nlohmann /usr/include/openssl "$root/include"
  cp /usr/include/*-linux-gnu/openssl/*.h "$root/include/openssl"
  cp /usr/include/xnnpack.h /usr/include/cpuinfo.h "$root/include"
  cp -r /usr/share/cmake/nlohmann_json "$root/share/cmake"
  header_package flatbuffers FlatbuffersConfig.cmake flatbuffers::flatbuffers
  header_package cpuinfo cpuinfo-config.cmake cpuinfo::cpuinfo
}

# musl's loader, and a libcrypto.
fetch_shared_libraries() {
  local crypto
  say 'musl, and a libcrypto for it'
  rm -rf "$mine/download"
  mkdir -p "$mine/download" "$root/lib"
  (cd "$mine/download" && with_apt apt-get download "musl:$debian" >/dev/null && dpkg-deb -x musl_*.deb .)
  cp "$mine/download"/usr/lib/"$processor"-linux-musl/libc.so "$root/lib/ld-musl.so.1"
  "$shared/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform "musllinux_1_2_$processor" --python-version 3.12 -d "$mine/download" "$crypto_package"
  python3 -m zipfile -e "$mine/download"/*.whl "$mine/download/wheel"
  crypto=$(find "$mine/download/wheel" -name 'libcrypto*.so.3')
  cp "$crypto" "$root/lib"
  ln -sfn "$(basename "$crypto")" "$root/lib/libcrypto.so"
}

mkdir -p "$shared" "$mine"
once zig install_zig
if [ ! -s "$shared/apt/sources.list" ]; then find_mirror; fi
fetch_sources
once headers copy_headers
once shared fetch_shared_libraries
build_libraries

say 'building onepack'
cmake --preset musl -B "$mine/onepack" -DCMAKE_C_COMPILER_LAUNCHER= -DCMAKE_CXX_COMPILER_LAUNCHER= -DONEPACK_MUSL_PROCESSOR="$processor" -DONEPACK_MUSL_DIR="$mine" >"$mine/log"
cmake --build "$mine/onepack"
status=0
ctest --test-dir "$mine/onepack" --output-on-failure --no-tests=error | tee "$mine/log" || status=$?
summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$mine/log") || { echo '0 passed, 1 failed'; exit 1; }
failed=$(sed -E 's/.* passed, ([0-9]+) tests? failed.*/\1/' <<<"$summary")
total=$(sed -E 's/.* out of ([0-9]+).*/\1/' <<<"$summary")
echo "$((total - failed)) passed, $failed failed"
exit "$status"
