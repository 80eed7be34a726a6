#include "delegate/xnn/layout_tag.h"

#include <cpuinfo.h>
#include <sys/auxv.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "delegate/xnn/differences.h"

namespace onepack {
namespace {

// All that src/configs of XNNPACK looks at when it chooses kernels, hence tile sizes, hence
// layouts, and more: as the processor and the system say it. cpuinfo has this in a struct that
// other versions lay out otherwise, and the one at run time may be another than the header's.

#if defined(__x86_64__) || defined(__i386__)

constexpr unsigned kSavesExtendedStates = 1U << 27;  // of leaf 1, ecx

// Which registers the system keeps.
uint64_t EnabledStates() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

void AddCpuFeatures(DigestBuilder& digest) {
  struct Registers {
    unsigned eax, ebx, ecx, edx;
  };
  const auto leaf = [](unsigned number, unsigned part) {
    Registers registers{};
    if (__get_cpuid_count(number, part, &registers.eax, &registers.ebx, &registers.ecx,
                          &registers.edx) == 0) {
      return Registers{};
    }
    return registers;
  };
  const Registers model = leaf(1, 0);  // its ebx says on which core this runs
  digest.Add(model.eax).Add(model.ecx).Add(model.edx);
  for (const Registers& part : {leaf(7, 0), leaf(7, 1), leaf(0x24, 0), leaf(0x80000001, 0)}) {
    digest.Add(part.eax).Add(part.ebx).Add(part.ecx).Add(part.edx);
  }
  if ((model.ecx & kSavesExtendedStates) != 0) digest.Add(EnabledStates());
}

#else

void AddCpuFeatures(DigestBuilder& digest) {
  digest.Add(uint64_t{getauxval(AT_HWCAP)}).Add(uint64_t{getauxval(AT_HWCAP2)});
  // XNNPACK has initialized cpuinfo already; again costs nothing.
  if (!cpuinfo_initialize()) return;
  for (uint32_t i = 0; i < cpuinfo_get_uarchs_count(); ++i) {
    digest.Add(static_cast<uint32_t>(cpuinfo_get_uarch(i)->uarch));
  }
}

#endif

// What we do ourselves to a weight before XNNPACK packs it, and what its key says. To be counted up
// when either changes: packed files of before then are of another layout.
constexpr uint32_t kPackingVersion = 1;

Digest ComputeFingerprint() {
  DigestBuilder digest("layout");
  digest.Add(kPackingVersion);
  digest.AddBytes({static_cast<const uint8_t*>(xnn_experimental_get_build_identifier_data()),
                   xnn_experimental_get_build_identifier_size()});
  AddCpuFeatures(digest);
  return digest.Finish();
}

}  // namespace

LayoutTag TagOf(const xnn_weights_cache_look_up_key& key) {
  return key.seed | uint64_t{FingerprintIdOf(key)} << 32;
}

const Digest& LayoutFingerprint() {
  static const Digest fingerprint = ComputeFingerprint();
  return fingerprint;
}

}  // namespace onepack
