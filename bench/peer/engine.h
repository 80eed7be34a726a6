// What the peers have in common, so that one driver measures both in the same way.
//
// Errors: every function throws std::runtime_error. Threads: programs may be loaded and run from
// different threads; one program belongs to one thread at a time.

#ifndef ONEPACK_BENCH_PEER_ENGINE_H_
#define ONEPACK_BENCH_PEER_ENGINE_H_

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "onepack/linear_layout.h"

namespace onepack::bench {

struct ProgramFiles {
  std::string program;
  std::vector<std::string> data;
};

// A program whose method "forward" is ready to run. Its input 0 is f32 [rows, width]; or, of a
// language model, the tokens [1, rows], and input 1 is the position of the first.
class LoadedProgram {
 public:
  virtual ~LoadedProgram() = default;
  // On ones; of a language model, with `position` tokens before.
  virtual void Run(size_t rows, int64_t position) = 0;
  // The first number of output 0 of the last run, for comparing the peers. Apart from Run, because
  // an engine may copy all of output 0 for it.
  virtual float FirstOutput() = 0;
  // One token is decoded at kDecodePosition, several are a prompt.
  float Run(size_t rows) {
    Run(rows, rows == 1 ? kDecodePosition : 0);
    return FirstOutput();
  }

  static constexpr int64_t kDecodePosition = 127;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const char* name() const = 0;
  // From the path to a method that can run, files mapped.
  virtual std::unique_ptr<LoadedProgram> Load(const ProgramFiles& files) = 0;
  // Of an engine that keeps files open: lets go of one, of which no program is loaded any more.
  virtual void CloseFile(const std::string& /*path*/) {}
  // Of the weight cache, by name: what it holds, and what was looked up. Empty where there is none.
  virtual std::map<std::string, uint64_t> CacheCounts() const { return {}; }
};

struct EngineOptions {
  bool share = true;  // with a cache of packed weights
  size_t packing_threads = 1;
  bool huge_pages = false;  // behind packed weights
  size_t threads = 1;       // that compute; 1: the thread that calls
  LinearLayout linears = LinearLayout::kAuto;
  size_t retained_bytes = 0;  // of packed weights without a program
  std::string packed_file;    // in which packed weights are kept; empty: in none
  bool checks_packed = true;  // its checksums, where the engine has some
};

// One of these per executable.
std::unique_ptr<Engine> CreateEngine(const EngineOptions& options);

}  // namespace onepack::bench

#endif  // ONEPACK_BENCH_PEER_ENGINE_H_
