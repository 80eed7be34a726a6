#include "aot/split_programs.h"

#include <map>
#include <memory>
#include <set>
#include <utility>

#include "aot/editable_program.h"
#include "aot/named_data_store.h"
#include "base/printable.h"

namespace onepack {
namespace {

constexpr char kFoundation[] = "foundation";

std::string NameOf(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string FolderOf(const std::string& path) {
  return path.substr(0, path.size() - NameOf(path).size());
}

std::string WithExtension(const std::string& path, const char* extension) {
  const size_t dot = path.find_last_of('.');
  const bool has_one = dot != std::string::npos && path.find('/', dot) == std::string::npos;
  return path.substr(0, has_one ? dot : path.size()) + extension;
}

class Splitter {
 public:
  explicit Splitter(const SplitOptions& options) : options_(options), files_(options.existing) {}

  Result<SplitReport> Split() {
    ONEPACK_RETURN_IF_ERROR(Open());
    ONEPACK_RETURN_IF_ERROR(FindUsers());
    ONEPACK_RETURN_IF_ERROR(MoveData());
    if (foundation_.entries().empty()) {
      return Status::Error(
          StatusCode::kFailedPrecondition, "%s: %s of at least %llu bytes",
          options_.programs[0].c_str(),
          programs_.size() == 1 ? "carries no data" : "shares with the other programs no data",
          static_cast<unsigned long long>(kSmallestSharedBytes));
    }
    ONEPACK_RETURN_IF_ERROR(CheckKeys());
    ONEPACK_RETURN_IF_ERROR(WriteAll());
    ONEPACK_RETURN_IF_ERROR(files_.Commit());
    return std::move(report_);
  }

 private:
  Status Open() {
    if (options_.programs.empty()) {
      return Status::Error(StatusCode::kInvalidArgument, "no programs to split");
    }
    for (const std::string& path : options_.programs) {
      ONEPACK_ASSIGN_OR_RETURN(std::unique_ptr<EditableProgram> program,
                               EditableProgram::Open(path, options_.watch));
      report_.programs.push_back({{path, program->original().source().size()}, {}, {}});
      missing_.push_back(program->MissingKeys());
      programs_.push_back(std::move(program));
    }
    return Status::Ok();
  }

  Status FindUsers() {
    for (size_t p = 0; p < programs_.size(); ++p) {
      for (const EditableProgram::Constant& constant : programs_[p]->constants()) {
        if (constant.bytes.size_bytes() < kSmallestSharedBytes) continue;
        ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.bytes.Sha256());
        users_[sha256].insert(p);
      }
    }
    return Status::Ok();
  }

  // Tensors after the others: they take another key where the one they want is a blob's.
  Status MoveData() {
    own_.resize(programs_.size());
    for (const bool is_tensor : {false, true}) {
      for (size_t p = 0; p < programs_.size(); ++p) {
        for (size_t i = 0; i < programs_[p]->constants().size(); ++i) {
          if (programs_[p]->constants()[i].layout.has_value() != is_tensor) continue;
          Status status = MoveConstant(p, i);
          if (!status.ok()) return std::move(status).WithContext("%s", programs_[p]->name());
        }
      }
    }
    return Status::Ok();
  }

  Status MoveConstant(size_t p, size_t index) {
    const EditableProgram::Constant& constant = programs_[p]->constants()[index];
    if (constant.bytes.size_bytes() < kSmallestSharedBytes) return Status::Ok();
    ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.bytes.Sha256());
    const bool is_shared = programs_.size() == 1 || users_[sha256].size() > 1;
    if (!is_shared && !options_.adapters) return Status::Ok();
    NamedDataStore& store = is_shared ? foundation_ : own_[p];
    NamedDataOptions options;
    options.tag = kFoundation;
    options.layout = constant.layout;
    const std::string key = constant.key.empty() ? KeyIn(store, sha256, options) : constant.key;
    ONEPACK_RETURN_IF_ERROR(store.Add(key, constant.bytes, options));
    programs_[p]->MoveOut(index, key);
    return Status::Ok();
  }

  // The hash, as long as all programs with these bytes read them in the same way.
  static std::string KeyIn(const NamedDataStore& store, const std::string& sha256,
                           const NamedDataOptions& options) {
    const auto is_other = [&](const std::string& key) {
      const auto known = store.entries().find(key);
      return known != store.entries().end() && !SameLayout(known->second.layout, options.layout);
    };
    std::string key = sha256;
    for (int n = 2; is_other(key); ++n) key = sha256 + "." + std::to_string(n);
    return key;
  }

  // A program that keeps another thing under a key of the foundation would not load over it.
  Status CheckKeys() const {
    for (size_t p = 0; p < programs_.size(); ++p) {
      for (const EditableProgram::Constant& constant : programs_[p]->constants()) {
        const auto shared = foundation_.entries().find(constant.key);
        if (constant.key.empty() || shared == foundation_.entries().end()) continue;
        ONEPACK_ASSIGN_OR_RETURN(const std::string mine, constant.bytes.Sha256());
        ONEPACK_ASSIGN_OR_RETURN(const std::string other,
                                 foundation_.data()[shared->second.data].bytes.Sha256());
        if (mine == other) continue;
        return Status::Error(StatusCode::kMismatch,
                             "%s: key '%s' stands for other data than in another program",
                             programs_[p]->name(), Printable(constant.key).c_str());
      }
    }
    return Status::Ok();
  }

  Status WriteFile(const std::string& path, const DataBytes::Producer& producer,
                   const ReadBack& read_back, SplitReport::File& reported) {
    reported = {path, 0};
    const auto count = [&](const Append& append) {
      return producer([&](Bytes bytes) {
        reported.size_bytes += bytes.size();
        return append(bytes);
      });
    };
    return files_.Write(path, count, read_back);
  }

  // `written`: where it is until Commit.
  Status WriteStore(const std::string& path, const NamedDataStore& store,
                    SplitReport::File& reported, std::string& written) {
    const PtdWriter writer = store.DataFile(kFoundation);
    const auto read_back = [&](const std::string& temporary) {
      written = temporary;
      return ReadBackDataFile(temporary);
    };
    return WriteFile(
        path, [&](const Append& append) { return writer.Write(append); }, read_back, reported);
  }

  Status WriteProgram(const std::string& path, size_t p, const std::vector<std::string>& data) {
    return WriteFile(
        path, [&](const Append& append) { return std::move(*programs_[p]).Write(append); },
        [&](const std::string& written) { return ReadBackProgramWith(data, missing_[p], written); },
        report_.programs[p].after);
  }

  // Data first: a program gets its name only after what it needs.
  Status WriteAll() {
    std::vector<std::vector<std::string>> data(programs_.size(), std::vector<std::string>(1));
    ONEPACK_RETURN_IF_ERROR(
        WriteStore(options_.foundation, foundation_, report_.foundation, data[0][0]));
    const std::string folder =
        options_.folder.empty() ? FolderOf(options_.foundation) : options_.folder + "/";
    for (size_t p = 0; p < programs_.size(); ++p) {
      data[p][0] = data[0][0];
      if (own_[p].entries().empty()) continue;
      const std::string path = folder + WithExtension(NameOf(options_.programs[p]), ".ptd");
      data[p].emplace_back();
      ONEPACK_RETURN_IF_ERROR(
          WriteStore(path, own_[p], report_.programs[p].adapter, data[p].back()));
    }
    for (size_t p = 0; p < programs_.size(); ++p) {
      ONEPACK_RETURN_IF_ERROR(WriteProgram(folder + NameOf(options_.programs[p]), p, data[p]));
    }
    return Status::Ok();
  }

  const SplitOptions& options_;
  std::vector<std::unique_ptr<EditableProgram>> programs_;
  std::vector<std::vector<std::string>> missing_;  // keys of other data files, of each program
  std::map<std::string, std::set<size_t>> users_;  // by the data's SHA-256
  NamedDataStore foundation_;
  std::vector<NamedDataStore> own_;  // of each program
  OutputFiles files_;
  SplitReport report_;
};

}  // namespace

uint64_t SplitReport::before_bytes() const {
  uint64_t size = 0;
  for (const SplitProgram& program : programs) size += program.before.size_bytes;
  return size;
}

uint64_t SplitReport::after_bytes() const {
  uint64_t size = foundation.size_bytes;
  for (const SplitProgram& program : programs) {
    size += program.after.size_bytes + program.adapter.size_bytes;
  }
  return size;
}

Result<SplitReport> SplitPrograms(const SplitOptions& options) { return Splitter(options).Split(); }

}  // namespace onepack
