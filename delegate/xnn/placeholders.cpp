#include "delegate/xnn/placeholders.h"

#include <sys/mman.h>

#include "base/checked_math.h"

namespace onepack {

Result<Placeholders> Placeholders::Create(size_t count) {
  size_t size = 0;
  if (!CheckedMultiply(count, kDistance, &size)) size = SIZE_MAX;
  ONEPACK_ASSIGN_OR_RETURN(Mapping mapping, Mapping::OfZeros(size));
  // Should this fail, they can be read, and are zeros.
  if (size > 0) mprotect(mapping.data(), size, PROT_NONE);
  return Placeholders(std::move(mapping));
}

}  // namespace onepack
