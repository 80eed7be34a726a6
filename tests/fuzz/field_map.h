// Where in a program's files every field of their formats is, by the schemas: numbers, lengths of
// vectors and strings, references to tables, and the entries that say whether a field is there.

#ifndef ONEPACK_TESTS_FUZZ_FIELD_MAP_H_
#define ONEPACK_TESTS_FUZZ_FIELD_MAP_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "tests/hardening/untrusted_run.h"

namespace onepack {

class FieldMap {
 public:
  // Of the program, of the payloads of its delegates and of its data files. REQUIRES: they are
  // good.
  explicit FieldMap(const UntrustedFiles& files);

  size_t size() const { return fields_.size(); }

  // Changes a field in a copy of the files: to a number that `how` and `value` make, to that of
  // another field, or, for a reference, to refer to what another one refers to. Any arguments do.
  void Change(uint32_t field, uint32_t how, uint32_t value, UntrustedFiles& files) const;

  struct Field {
    enum class Kind { kNumber, kReference };
    size_t file;    // 0: the program; 1 and above: data files
    size_t offset;  // in the file
    size_t size;    // 1, 2, 4 or 8 bytes
    Kind kind;
  };

 private:
  std::vector<Field> fields_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_FUZZ_FIELD_MAP_H_
