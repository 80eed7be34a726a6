#include "kernels/key_value_cache.h"

#include "kernels/arguments.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"

namespace onepack::kernels {
namespace {

Status CheckPosition(int64_t start, int64_t length, int64_t context) {
  if (start >= 0 && start <= context && length <= context - start) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument,
                       "%lld tokens at position %lld of a cache for %lld",
                       static_cast<long long>(length), static_cast<long long>(start),
                       static_cast<long long>(context));
}

// value: [batch, tokens, ...]; cache: [batch, context, ...], alike in all else.
Status CheckCache(const Tensor& value, const Tensor& cache) {
  bool fits = value.rank() == cache.rank() && value.rank() >= 2 && &value != &cache &&
              value.scalar_type() == cache.scalar_type();
  for (size_t i = 0; fits && i < value.rank(); ++i) {
    fits = i == 1 || value.sizes()[i] == cache.sizes()[i];
  }
  return fits ? Status::Ok() : Unfit("value and cache do not fit", value, cache);
}

// update_cache(value, cache, start_pos, out): value goes into the cache, from position start_pos
// on. Nothing reads out: its purpose is the order of the program's steps.
Status UpdateCache(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& value = read.Input("value");
  Tensor& cache = read.InPlace("cache");
  const int64_t start = read.Int("start_pos");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return StoreInCache(value, start, cache);
}

// update_cache_with_indices(value, cache, start_pos, indices, out): token t of batch b goes to
// position indices[b][t]; start_pos says nothing more.
Status UpdateCacheWithIndices(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& value = read.Input("value");
  Tensor& cache = read.InPlace("cache");
  read.Int("start_pos");
  const Tensor& indices = read.Input("indices");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckCache(value, cache));
  if (indices.scalar_type() != ScalarType::kLong || indices.rank() != 2 ||
      !SameSizes(indices.sizes(), value.sizes().subspan(0, 2))) {
    return Unfit("one position for each token expected", indices, value);
  }
  const Strided positions = StridedInput(indices);
  for (int64_t batch = 0; batch < positions.sizes[0]; ++batch) {
    for (int64_t token = 0; token < positions.sizes[1]; ++token) {
      const int64_t position = reinterpret_cast<const int64_t*>(
          positions.data)[batch * positions.strides[0] + token * positions.strides[1]];
      ONEPACK_RETURN_IF_ERROR(CheckPosition(position, 1, cache.sizes()[1]));
      Strided from = StridedInput(value);
      Strided to = StridedOutput(cache);
      from.Select(1, token);
      to.Select(1, position);
      from.Select(0, batch);
      to.Select(0, batch);
      CopyStrided(from, to);
    }
  }
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"llama::update_cache.out", UpdateCache},
    {"llama::update_cache_with_indices.out", UpdateCacheWithIndices},
};

}  // namespace

Status StoreInCache(const Tensor& value, int64_t start, Tensor& cache) {
  ONEPACK_RETURN_IF_ERROR(CheckCache(value, cache));
  ONEPACK_RETURN_IF_ERROR(CheckPosition(start, value.sizes()[1], cache.sizes()[1]));
  Strided place = StridedOutput(cache);
  place.Narrow(1, start, value.sizes()[1]);
  CopyStrided(StridedInput(value), place);
  return Status::Ok();
}

OperatorRows KeyValueCacheOperators() { return kRows; }

}  // namespace onepack::kernels
