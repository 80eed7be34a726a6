#include "python/bindings/data_argument.h"

#include <vector>

#include "python/bindings/handles.h"

namespace nb = nanobind;

namespace onepack::python {

Ref<NamedDataMap> MergedData(nb::handle data) {
  if (data.is_none()) return nullptr;
  if (nb::isinstance<PyNamedData>(data)) return nb::cast<const PyNamedData&>(data).handle.Get();
  std::vector<Ref<NamedDataMap>> maps;
  for (const nb::handle item : nb::iter(data)) {
    if (!nb::isinstance<PyNamedData>(item)) throw nb::type_error("data: NamedData expected");
    maps.push_back(nb::cast<const PyNamedData&>(item).handle.Get());
  }
  if (maps.empty()) return nullptr;
  if (maps.size() == 1) return maps.front();
  const nb::gil_scoped_release release;
  return ValueOrThrow(NamedDataMap::Merge(maps));
}

}  // namespace onepack::python
