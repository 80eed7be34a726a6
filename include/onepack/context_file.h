// A language model's context in a file: read a long prompt once, and go on from it in another
// process, on this machine or on another one.
//
// A KV cache means something to the very model that wrote it only. So the file has the SHA-256 of
// the program and of each data file the model was loaded with, and is refused by a model with
// others: another adapter, another export of the same weights. Reading all of these files for that
// takes about a second for each GB, once for a model; nothing else of them is kept.
//
// The file, all numbers little-endian:
//
//     [0]  "OPCX\r\n\x1a\n"     [8] u32 version, 1    [12] u32 layout of a method's memory
//                                                          (MethodState::kLayoutVersion)
//     [16] u64 bytes of the whole file
//     [24] u64 tokens           [32] u64 bytes of the method's memory
//     [40] u64 blocks           [48] u64 bytes of the blocks' contents
//     [56] u32 data files       [60] u32 bytes of the method's name
//     [64] SHA-256 of the program's file
//     then, without gaps: SHA-256 of each data file, sorted; the method's name; the tokens, i64;
//     the blocks, u64, ascending: which ones are not all zero; their contents; and the SHA-256 of
//     all bytes before it.
//
// Threads: those of the model.
// Errors:  every message names the path. A file that is written appears whole or not at all. A file
//          that is read is checked completely before the model changes: whatever its bytes are, the
//          model gets the saved context, or keeps its own. Its contents are numbers
//          that the model computes with: a forged one makes it say what its maker likes.

#ifndef ONEPACK_CONTEXT_FILE_H_
#define ONEPACK_CONTEXT_FILE_H_

#include "onepack/export.h"
#include "onepack/language_model.h"

namespace onepack {

// Replaces what is at `path`. Errors: kIoError and kNotFound; those of LanguageModel::Save and
// Digest.
ONEPACK_API Status SaveContextFile(LanguageModel& model, const char* path);

// The context becomes what was saved. Errors: kNotFound, kIoError; kInvalidFile for what is damaged
// or no context; kMismatch for a context of another model; kUnsupported for a newer or older
// format.
ONEPACK_API Status LoadContextFile(LanguageModel& model, const char* path);

}  // namespace onepack

#endif  // ONEPACK_CONTEXT_FILE_H_
