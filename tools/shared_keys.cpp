#include "tools/shared_keys.h"

#include <stdio.h>

#include <algorithm>
#include <map>

#include "tools/format.h"

namespace onepack {
namespace {

using Group = std::vector<const InspectedFile*>;

// Bytes of a set of keys. Several keys may stand for one run of bytes, which counts once.
struct KeyBytes {
  size_t keys = 0;
  uint64_t size_bytes = 0;
  std::set<std::pair<uint64_t, uint64_t>> segments;

  void Add(const NamedData& data) {
    ++keys;
    if (segments.emplace(data.segment.offset, data.segment.size).second) {
      size_bytes += data.segment.size;
    }
  }
};

std::string NameOf(const InspectedFile& file) {
  return file.path.substr(file.path.find_last_of('/') + 1);
}

std::string NamesOf(const Group& files) {
  std::string names;
  for (size_t i = 0; i < files.size(); ++i) {
    if (i > 0) names += i + 1 == files.size() ? " and " : ", ";
    names += NameOf(*files[i]);
  }
  return names;
}

const NamedData* FindIn(const InspectedFile& file, const std::string& key) {
  return file.named_data ? file.named_data->Find(key) : nullptr;
}

class SharedKeys {
 public:
  explicit SharedKeys(const std::vector<InspectedFile>& files) : files_(files) {}

  Status Collect() {
    for (const InspectedFile& file : files_) {
      if (file.named_data) {
        ONEPACK_RETURN_IF_ERROR(CheckDataCanBeRead(file));
        for (const NamedData& entry : file.named_data->entries()) all_keys_.emplace(entry.key);
      }
    }
    for (const std::string& key : all_keys_) ONEPACK_RETURN_IF_ERROR(CollectKey(key));
    for (const InspectedFile& file : files_) CountMissing(file);
    return Status::Ok();
  }

  void Print() const {
    printf("together\n");
    if (users_.empty()) printf("  no key of a data file is used by more than one program\n");
    uint64_t saved = 0;
    for (const auto& [sharing, bytes] : users_) {
      saved += PrintUsers(*sharing.first, sharing.second, bytes);
    }
    if (users_.size() > 1) printf("  in all, %s saved\n", FormatBytes(saved).c_str());
    for (const auto& [holders, bytes] : equal_) PrintHolders(holders, bytes, "equal");
    for (const auto& [holders, bytes] : different_) PrintHolders(holders, bytes, "different");
    for (const auto& [file, count] : missing_) {
      printf("  %s refers to %s that no data file here holds\n", NameOf(*file).c_str(),
             FormatCount(count, "key", "keys").c_str());
    }
  }

 private:
  Status CollectKey(const std::string& key) {
    Group holders;
    for (const InspectedFile& file : files_) {
      if (FindIn(file, key) != nullptr) holders.push_back(&file);
    }
    bool are_equal = true;
    for (size_t i = 1; i < holders.size(); ++i) {
      const Status status = CheckSameData(*FindIn(*holders[0], key), *FindIn(*holders[i], key));
      if (status.ok()) continue;
      are_equal = false;
      const bool is_difference =
          status.code() == StatusCode::kMismatch || status.code() == StatusCode::kInvalidFile;
      if (!is_difference) return Status::Error(status.code(), "%s", status.message());
    }
    if (holders.size() > 1) {
      (are_equal ? equal_ : different_)[holders].Add(*FindIn(*holders[0], key));
    }
    // Where the bytes differ, it is not known which file a program will be loaded with.
    if (are_equal) CollectUsers(key, holders);
    return Status::Ok();
  }

  void CollectUsers(const std::string& key, const Group& holders) {
    const auto data_file = std::find_if(holders.begin(), holders.end(),
                                        [](const InspectedFile* file) { return !file->program; });
    if (data_file == holders.end()) return;
    Group users;
    for (const InspectedFile& file : files_) {
      const bool is_user = file.keys.count(key) > 0 && FindIn(file, key) == nullptr;
      if (is_user) users.push_back(&file);
    }
    if (users.size() > 1) users_[{*data_file, users}].Add(*FindIn(**data_file, key));
  }

  void CountMissing(const InspectedFile& program) {
    const auto is_missing = [&](const std::string& key) {
      return std::none_of(files_.begin(), files_.end(), [&](const InspectedFile& file) {
        const bool can_serve = !file.program || &file == &program;
        return can_serve && FindIn(file, key) != nullptr;
      });
    };
    const auto missing = std::count_if(program.keys.begin(), program.keys.end(), is_missing);
    if (missing > 0) missing_.emplace_back(&program, static_cast<size_t>(missing));
  }

  static uint64_t PrintUsers(const InspectedFile& holder, const Group& users,
                             const KeyBytes& bytes) {
    const uint64_t saved = bytes.size_bytes * (users.size() - 1);
    printf("  %zu programs refer to %s of %s: %s once instead of %zu times saves %s\n    %s\n",
           users.size(), FormatCount(bytes.keys, "key", "keys").c_str(), NameOf(holder).c_str(),
           FormatBytes(bytes.size_bytes).c_str(), users.size(), FormatBytes(saved).c_str(),
           NamesOf(users).c_str());
    return saved;
  }

  static void PrintHolders(const Group& holders, const KeyBytes& bytes, const char* how) {
    printf("  %s in each of %s, with %s bytes: %s\n",
           FormatCount(bytes.keys, "key stands", "keys stand").c_str(), NamesOf(holders).c_str(),
           how, FormatBytes(bytes.size_bytes).c_str());
  }

  const std::vector<InspectedFile>& files_;
  std::set<std::string> all_keys_;
  // By the file that holds the keys and the programs that refer to them.
  std::map<std::pair<const InspectedFile*, Group>, KeyBytes> users_;
  // By the files that hold the keys.
  std::map<Group, KeyBytes> equal_;
  std::map<Group, KeyBytes> different_;
  std::vector<std::pair<const InspectedFile*, size_t>> missing_;
};

}  // namespace

Status PrintSharedKeys(const std::vector<InspectedFile>& files) {
  SharedKeys shared(files);
  ONEPACK_RETURN_IF_ERROR(shared.Collect());
  shared.Print();
  return Status::Ok();
}

}  // namespace onepack
