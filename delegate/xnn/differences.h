// What XNNPACK's interface has in one version and lacks in another, asked of its header.
//
// Functions are in definitions.h, and what XNNPACK does otherwise than it says in quirks.h.

#ifndef ONEPACK_DELEGATE_XNN_DIFFERENCES_H_
#define ONEPACK_DELEGATE_XNN_DIFFERENCES_H_

#include <stdint.h>

#include <type_traits>

#include "delegate/xnn/xnnpack.h"

namespace onepack {
namespace differences {

template <typename Key, typename = void>
struct HasFingerprintId : std::false_type {};
template <typename Key>
struct HasFingerprintId<Key, std::void_t<decltype(Key::fingerprint_id)>> : std::true_type {};

template <typename Provider, typename = void>
struct HasAliasData : std::false_type {};
template <typename Provider>
struct HasAliasData<Provider, std::void_t<decltype(Provider::alias_data)>> : std::true_type {};

// Of functions: those that are not declared are looked for when a template over the type of the
// subgraph is instantiated, and not found.

template <typename Subgraph, typename = void>
struct HasConcatenate : std::false_type {};
template <typename Subgraph>
struct HasConcatenate<
    Subgraph, std::void_t<decltype(xnn_define_concatenate(Subgraph(), 0, 0, nullptr, 0, 0))>>
    : std::true_type {};

template <typename Subgraph, typename = void>
struct HasPadOfRank : std::false_type {};
template <typename Subgraph>
struct HasPadOfRank<Subgraph, std::void_t<decltype(xnn_define_static_constant_pad_v2(
                                  Subgraph(), 0, nullptr, nullptr, 0.0f, 0, 0, 0))>>
    : std::true_type {};

template <typename Subgraph, typename = void>
struct HasAttention : std::false_type {};
template <typename Subgraph>
struct HasAttention<
    Subgraph, std::void_t<decltype(xnn_define_scaled_dot_product_attention(
                  Subgraph(), xnn_attention_logits_cap_type_none, nullptr, 0, 0, 0, 0, 0, 0, 0))>>
    : std::true_type {};

// Templates, for the branch that is not taken need not compile.
template <typename Key>
uint32_t FingerprintIdOf(const Key& key) {
  if constexpr (HasFingerprintId<Key>::value) return key.fingerprint_id;
  return 0;
}

template <typename Provider, typename Function>
void SetAliasData(Provider& provider, Function function) {
  if constexpr (HasAliasData<Provider>::value) provider.alias_data = function;
}

}  // namespace differences

// Whether XNNPACK tells a provider of the copies that it makes of constants.
inline constexpr bool kHasAliasData = differences::HasAliasData<xnn_weights_cache_provider>::value;

// Whether one function concatenates any number of values, or each number up to five has its own.
inline constexpr bool kConcatenatesAny = differences::HasConcatenate<xnn_subgraph_t>::value;

// Whether the function that pads is told how many dims there are.
inline constexpr bool kPadsAreCounted = differences::HasPadOfRank<xnn_subgraph_t>::value;

// Whether XNNPACK has no node for attention: it is made of others, which take memory for all logits
// at once.
inline constexpr bool kComposesAttention = !differences::HasAttention<xnn_subgraph_t>::value;

// 0 where the key has none.
inline uint32_t FingerprintIdOf(const xnn_weights_cache_look_up_key& key) {
  return differences::FingerprintIdOf(key);
}

// XNNPACK will call `function` with the address of a copy that it has made, perhaps with another
// datatype, and that of the constant: look-ups name the copy. Nothing where kHasAliasData is false.
inline void SetAliasData(xnn_weights_cache_provider& provider,
                         xnn_status (*function)(void* context, void* alias, void* original)) {
  differences::SetAliasData(provider, function);
}

// XNN_FLAG_DONT_SPIN_WORKERS, which was XNN_FLAG_YIELD_WORKERS: the threads of a pool do not wait
// for the next run by spinning.
#ifdef XNN_FLAG_DONT_SPIN_WORKERS
inline constexpr uint32_t kDontSpinWorkers = XNN_FLAG_DONT_SPIN_WORKERS;
#else
inline constexpr uint32_t kDontSpinWorkers = XNN_FLAG_YIELD_WORKERS;
#endif

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_DIFFERENCES_H_
