// onepack diff: what has to be sent to update one data file to another.

#include <stdio.h>
#include <string.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <set>

#include "base/digest.h"
#include "base/printable.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/inspected_file.h"
#include "tools/progress.h"

namespace onepack {
namespace {

struct DiffOptions {
  std::string before;
  std::string after;
};

class Differ {
 public:
  Differ(const InspectedFile& before, const InspectedFile& after, Progress& progress)
      : before_(before), after_(after), progress_(progress) {}

  Status Compare() {
    for (const NamedData& entry : before_.named_data->entries()) {
      ONEPACK_ASSIGN_OR_RETURN(const Digest digest, DigestOf(entry));
      known_.insert(Text(digest));
      if (after_.named_data->Find(entry.key) == nullptr) AddRow("removed", entry);
    }
    for (const NamedData& entry : after_.named_data->entries()) {
      ONEPACK_RETURN_IF_ERROR(CompareKey(entry));
    }
    return Status::Ok();
  }

  bool has_difference() const { return !rows_.empty(); }

  void Print() const {
    TextTable table(0);
    for (const auto& row : rows_) table.AddRow(row);
    printf("%s", table.ToString().c_str());
    printf("%zu added, %zu removed, %zu changed, %zu unchanged\n", counts_.added, counts_.removed,
           counts_.changed, counts_.unchanged);
    printf("an update needs %s: %s of data and %s that say where it goes; the file has %s\n",
           FormatBytes(new_bytes_ + directory_bytes()).c_str(), FormatBytes(new_bytes_).c_str(),
           FormatBytes(directory_bytes()).c_str(), FormatBytes(after_.size_bytes).c_str());
  }

 private:
  struct Counts {
    size_t added = 0;
    size_t removed = 0;
    size_t changed = 0;
    size_t unchanged = 0;
  };

  static std::string Text(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
  }

  static bool IsReadAlike(const NamedData& a, const NamedData& b) {
    return a.is_tensor == b.is_tensor && (!a.is_tensor || SameLayout(a.layout, b.layout));
  }

  // Once for each segment of a file.
  Result<Digest> DigestOf(const NamedData& entry) {
    const auto [place, is_new] =
        digests_.try_emplace({entry.source, entry.segment.offset, entry.segment.size});
    if (is_new) {
      ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, entry.Load());
      const std::optional<Digest> digest = Sha256Of(buffer.bytes);
      entry.source->Discard(entry.segment);
      if (!digest) return Status::Error(StatusCode::kInternal, "a SHA-256 cannot be computed");
      place->second = *digest;
      ONEPACK_RETURN_IF_ERROR(progress_.Add(entry.segment.size));
    }
    return place->second;
  }

  Status CompareKey(const NamedData& entry) {
    ONEPACK_ASSIGN_OR_RETURN(const Digest digest, DigestOf(entry));
    const NamedData* old = before_.named_data->Find(entry.key);
    if (old == nullptr) {
      AddRow("added", entry);
    } else {
      ONEPACK_ASSIGN_OR_RETURN(const Digest old_digest, DigestOf(*old));
      if (old_digest == digest && IsReadAlike(*old, entry)) {
        ++counts_.unchanged;
        return Status::Ok();
      }
      AddRow("changed", entry);
    }
    // What is there under any key need not be sent.
    if (known_.insert(Text(digest)).second) new_bytes_ += entry.segment.size;
    return Status::Ok();
  }

  void AddRow(const char* what, const NamedData& entry) {
    ++(what[0] == 'a' ? counts_.added : what[0] == 'r' ? counts_.removed : counts_.changed);
    rows_.push_back({what, Printable(entry.key).c_str(), FormatBytes(entry.segment.size)});
  }

  // All of the new file that is not data.
  uint64_t directory_bytes() const {
    uint64_t data = 0;
    std::set<uint64_t> offsets;
    for (const NamedData& entry : after_.named_data->entries()) {
      if (offsets.insert(entry.segment.offset).second) data += entry.segment.size;
    }
    return after_.size_bytes - std::min(after_.size_bytes, data);
  }

  const InspectedFile& before_;
  const InspectedFile& after_;
  Progress& progress_;
  std::map<std::tuple<const DataSource*, uint64_t, uint64_t>, Digest> digests_;
  std::set<std::string> known_;  // digests of what need not be sent
  std::vector<std::vector<std::string>> rows_;
  Counts counts_;
  uint64_t new_bytes_ = 0;
};

Result<bool> Diff(const DiffOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const InspectedFile before, OpenToInspect(options.before));
  ONEPACK_ASSIGN_OR_RETURN(const InspectedFile after, OpenToInspect(options.after));
  for (const InspectedFile* file : {&before, &after}) {
    ONEPACK_RETURN_IF_ERROR(CheckDataCanBeRead(*file));
  }
  Progress progress("diff");
  Differ differ(before, after, progress);
  ONEPACK_RETURN_IF_ERROR(differ.Compare());
  differ.Print();
  return true;
}

}  // namespace

void AddDiffCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App* command = app.add_subcommand("diff", "Show what an update of a data file changes");
  command->group("Commands");
  command->add_option("BEFORE", options->before, "The data file (.ptd) that is there")
      ->required()
      ->type_name("");
  command->add_option("AFTER", options->after, "The data file (.ptd) to update to")
      ->required()
      ->type_name("");
  command->footer(
      "Lists keys that were added, removed or changed, and says how many bytes have to be sent\n"
      "to update the first file: data that it holds under any key is not sent again.\n"
      "Programs (.pte) that carry named data can be compared as well.\n"
      "\n"
      "Example:\n"
      "  onepack diff foundation-v1.ptd foundation-v2.ptd");
  command->callback([options, action] { *action = [options] { return Diff(*options); }; });
}

}  // namespace onepack
