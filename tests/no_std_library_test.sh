#!/usr/bin/env bash
# Fails when an archive has an undefined symbol of the C++ standard library or of the C++ runtime.
#
#   no_std_library_test.sh ARCHIVE...
#
# Exit status: 0 clean, 1 such a symbol was found, 127 the check itself could not be made.
set -u

# Names of std:: and of its types' tables, operator new and delete, exceptions and static locals, RTTI bases.
readonly forbidden='^(_ZSt|_ZNSt|_ZNKSt|_ZNOSt|_ZNVSt|_ZNVKSt|_Znw|_Zna|_Zdl|_Zda|__cxa_|__gxx_|_ZT[VIST].*St|_ZTVN10__cxxabi|_ZNSaI|_ZNKSa)'

[ $# -gt 0 ] || { echo "no archive given" >&2; exit 127; }
found=0
for archive in "$@"; do
  undefined=$("${NM:-nm}" --undefined-only --format=just-symbols "$archive") || exit 127
  [ -n "$undefined" ] || { echo "$archive: no symbols at all" >&2; exit 127; }
  bad=$(grep -E "$forbidden" <<<"$undefined" | sort -u)
  if [ -n "$bad" ]; then
    echo "$archive needs from the C++ standard library:"
    sed 's/^/  /' <<<"$bad"
    found=1
  fi
done
exit $found
