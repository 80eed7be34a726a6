// Ahead of time: all graphs of all programs at once, so that what they share is seen and stored
// once.
//
//     std::vector<ProgramGraphs> programs;      // constants are given with their data (AddData)
//     ...
//     ONEPACK_ASSIGN_OR_RETURN(Preprocessed all, Preprocess(std::move(programs), "foundation"));
//
// Every constant becomes a key in a store: the SHA-256 of its bytes. Data that more than one of the
// programs uses gets the shared tag, and so one data file; what only one uses gets that program's
// tag; a constant that names a tag itself gets that one, and so do the same bytes under the
// same key elsewhere.
//
// Ownership: the stores keep handles on the data. Threads: one at a time.
// Errors:    kInvalidArgument for shared data without a tag to give it; kMismatch for a key that
//            stands for other bytes in a program than in one of its data files; those of the store
//            and of producing data. Errors name program, method and partition.

#ifndef ONEPACK_AOT_PREPROCESS_H_
#define ONEPACK_AOT_PREPROCESS_H_

#include <string>
#include <vector>

#include "aot/named_data_store.h"
#include "aot/payload_writer.h"

namespace onepack {

struct MethodGraphs {
  std::string name = "forward";
  std::vector<PayloadWriter> partitions;  // one for each delegate
};

struct ProgramGraphs {
  std::string name;
  // Of the data that no other program uses; empty: the program carries it.
  std::string tag;
  std::vector<MethodGraphs> methods;
};

struct PreprocessedMethod {
  std::string name;
  std::vector<std::vector<uint8_t>> payloads;  // one for each partition
};

struct PreprocessedProgram {
  std::string name;
  std::vector<PreprocessedMethod> methods;
  NamedDataStore own_data;  // for ProgramWriter, see NamedDataStore::AddOwnData
};

struct Preprocessed {
  std::vector<PreprocessedProgram> programs;  // in the order given
  NamedDataStore store;                       // all that has a tag
};

// `shared_tag` may be empty when no two programs share data that has no tag of its own.
Result<Preprocessed> Preprocess(std::vector<ProgramGraphs> programs, const std::string& shared_tag);

}  // namespace onepack

#endif  // ONEPACK_AOT_PREPROCESS_H_
