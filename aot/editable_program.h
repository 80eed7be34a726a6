// A program read from a file, whose constants can be moved out of it and into it. All else stays as
// it is.
//
// Ownership: keeps the file it was read from. Threads: one at a time.
// Errors:    every message names the file.

#ifndef ONEPACK_AOT_EDITABLE_PROGRAM_H_
#define ONEPACK_AOT_EDITABLE_PROGRAM_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aot/editable_payload.h"
#include "aot/ptd_writer.h"
#include "aot/segment_list.h"
#include "onepack/program.h"
#include "program_edit.h"

namespace onepack {

class EditableProgram {
 public:
  // Bytes that the program carries and that could be in a data file.
  struct Constant {
    std::string key;  // of the program's named data; empty: it has none yet
    DataBytes bytes;
    std::optional<PtdTensorLayout> layout;  // of a tensor outside of the delegates
  };

  static Result<std::unique_ptr<EditableProgram>> Open(const std::string& path, const Watch& watch);

  const char* name() const { return program_->name(); }
  const Program& original() const { return *program_; }

  const std::vector<Constant>& constants() const { return constants_; }
  // From now on it is found under `key` in a data file. A constant that has a key keeps it.
  // REQUIRES: once for each constant, before Write.
  void MoveOut(size_t constant, const std::string& key);

  // Keys that are not in the program: of the delegates' constants, and of tensors outside.
  std::vector<std::string> MissingKeys() const;
  // Puts the data for all of these into the program. Errors: kNotFound names a key that `data` does
  // not have, kMismatch one whose layout or size is another.
  Status MoveIn(const NamedDataMap& data, const Watch& watch);

  // Appends the program as it is now. The program is used up.
  Status Write(const Append& append) &&;

 private:
  using TensorT = edit::program::TensorT;

  // Where a constant is.
  struct Home {
    std::string named;          // its key, if it is named data of the program
    size_t payload = SIZE_MAX;  // else a constant of this one of payloads_
    size_t index = 0;
    std::vector<TensorT*> tensors;  // else of these tensors
  };
  struct DelegatePayload {
    bool is_inline;
    uint32_t index;
    EditablePayload payload;
  };
  // Named data. What has the same origin is the same bytes.
  struct Named {
    DataBytes bytes;
    std::pair<const DataSource*, uint64_t> origin;
  };

  explicit EditableProgram(Ref<Program> program) : program_(std::move(program)) {}

  DataBytes BytesOfSegment(uint32_t index, const Watch& watch) const;
  Status ReadPayloads(const Watch& watch);
  void ReadNamedData(const Watch& watch);
  void ReadPayloadConstants();
  Status ReadTensors(const Watch& watch);
  Result<DataBytes> TensorBytes(const TensorT& tensor, const Watch& watch) const;
  std::vector<TensorT*> AllTensors() const;

  Status MoveInTensor(const NamedDataMap& data, TensorT& tensor, const Watch& watch);

  void EncodeConstants(SegmentList& segments);
  Status EncodePayloads(SegmentList& segments);
  void EncodeNamedData(SegmentList& segments);

  const Ref<Program> program_;
  // As read, and as changed. What says where bytes are is brought up to date by Write.
  edit::program::ProgramT tables_;
  std::vector<DelegatePayload> payloads_;  // of XNNPACK
  std::vector<Constant> constants_;
  std::vector<Home> homes_;  // of each of constants_
  std::map<std::string, Named> named_data_;
  // Constants of tensors, of which several may have the same.
  std::vector<DataBytes> buffers_;
  std::map<TensorT*, size_t> buffer_of_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_EDITABLE_PROGRAM_H_
