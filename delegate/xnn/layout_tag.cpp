#include "delegate/xnn/layout_tag.h"

#include <cpuinfo.h>

namespace onepack {
namespace {

// What src/configs of XNNPACK looks at when it chooses kernels, hence tile sizes, hence layouts.
void AddCpuFeatures(DigestBuilder& digest) {
#if defined(__x86_64__) || defined(__i386__)
  digest.Add(cpuinfo_has_x86_ssse3()).Add(cpuinfo_has_x86_sse4_1()).Add(cpuinfo_has_x86_avx());
  digest.Add(cpuinfo_has_x86_f16c()).Add(cpuinfo_has_x86_fma3()).Add(cpuinfo_has_x86_avx2());
  digest.Add(cpuinfo_has_x86_avx512f()).Add(cpuinfo_has_x86_avx512bw());
  digest.Add(cpuinfo_has_x86_avx512dq()).Add(cpuinfo_has_x86_avx512vl());
  digest.Add(cpuinfo_has_x86_avx512cd()).Add(cpuinfo_has_x86_avx512vbmi());
  digest.Add(cpuinfo_has_x86_avx512vnni()).Add(cpuinfo_has_x86_avx512fp16());
  digest.Add(cpuinfo_has_x86_avxvnni()).Add(cpuinfo_has_x86_gfni());
  digest.Add(cpuinfo_has_x86_amx_int8()).Add(cpuinfo_has_x86_amx_fp16());
#elif defined(__aarch64__) || defined(__arm__)
  digest.Add(cpuinfo_has_arm_neon()).Add(cpuinfo_has_arm_neon_fma());
  digest.Add(cpuinfo_has_arm_neon_fp16()).Add(cpuinfo_has_arm_neon_fp16_arith());
  digest.Add(cpuinfo_has_arm_neon_bf16()).Add(cpuinfo_has_arm_neon_dot());
  digest.Add(cpuinfo_has_arm_neon_v8()).Add(cpuinfo_has_arm_i8mm());
  digest.Add(cpuinfo_has_arm_sve()).Add(cpuinfo_has_arm_sve2());
#endif
  for (uint32_t i = 0; i < cpuinfo_get_uarchs_count(); ++i) {
    digest.Add(static_cast<uint32_t>(cpuinfo_get_uarch(i)->uarch));
  }
}

Digest ComputeFingerprint() {
  DigestBuilder digest("layout");
  digest.AddBytes({static_cast<const uint8_t*>(xnn_experimental_get_build_identifier_data()),
                   xnn_experimental_get_build_identifier_size()});
  // XNNPACK has initialized cpuinfo already; again costs nothing.
  if (cpuinfo_initialize()) AddCpuFeatures(digest);
  return digest.Finish();
}

// 0 where the look-up key has no such member.
template <typename Key>
auto FingerprintIdOf(const Key& key, int) -> decltype(static_cast<uint32_t>(key.fingerprint_id)) {
  return key.fingerprint_id;
}
template <typename Key>
uint32_t FingerprintIdOf(const Key&, long) {
  return 0;
}

}  // namespace

LayoutTag TagOf(const xnn_weights_cache_look_up_key& key) {
  return key.seed | uint64_t{FingerprintIdOf(key, 0)} << 32;
}

const Digest& LayoutFingerprint() {
  static const Digest fingerprint = ComputeFingerprint();
  return fingerprint;
}

}  // namespace onepack
