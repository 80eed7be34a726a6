#include "aot/preprocess.h"

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "base/printable.h"

namespace onepack {
namespace {

using Visit = std::function<Status(size_t program, PayloadConstant& constant)>;

Status ForEachConstant(std::vector<ProgramGraphs>& programs, const Visit& visit) {
  for (size_t p = 0; p < programs.size(); ++p) {
    for (MethodGraphs& method : programs[p].methods) {
      for (size_t i = 0; i < method.partitions.size(); ++i) {
        Status status = method.partitions[i].NameData(
            [&](PayloadConstant& constant) { return visit(p, constant); });
        if (status.ok()) continue;
        return std::move(status).WithContext("program '%s': method '%s': partition %zu",
                                             Printable(programs[p].name).c_str(),
                                             Printable(method.name).c_str(), i);
      }
    }
  }
  return Status::Ok();
}

Result<std::string> KeyOf(const PayloadConstant& constant) {
  if (!constant.key.empty()) return constant.key;
  ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.data.Sha256());
  return constant.key_prefix + sha256;
}

// What decides where data goes.
struct Uses {
  std::map<std::string, std::set<size_t>> programs;  // by SHA-256
  // That constants name themselves, by key and SHA-256.
  std::map<std::pair<std::string, std::string>, std::string> tags;
};

Result<Uses> FindUses(std::vector<ProgramGraphs>& programs) {
  Uses uses;
  ONEPACK_RETURN_IF_ERROR(ForEachConstant(programs, [&](size_t program, PayloadConstant& constant) {
    ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.data.Sha256());
    uses.programs[sha256].insert(program);
    if (constant.tag.empty()) return Status::Ok();
    ONEPACK_ASSIGN_OR_RETURN(std::string key, KeyOf(constant));
    uses.tags.emplace(std::pair(std::move(key), sha256), constant.tag);
    return Status::Ok();
  }));
  return uses;
}

class Namer {
 public:
  Namer(const std::vector<ProgramGraphs>& programs, const std::string& shared_tag, Uses uses,
        Preprocessed& result)
      : programs_(programs),
        shared_tag_(shared_tag),
        uses_(std::move(uses)),
        result_(result),
        tags_(programs.size()) {}

  Status Name(size_t program, PayloadConstant& constant) {
    ONEPACK_ASSIGN_OR_RETURN(constant.key, KeyOf(constant));
    NamedDataOptions options;
    ONEPACK_ASSIGN_OR_RETURN(options.tag, TagOf(program, constant));
    tags_[program].insert(options.tag);
    NamedDataStore& store =
        options.tag.empty() ? result_.programs[program].own_data : result_.store;
    return store.Add(constant.key, constant.data, options);
  }

  // A key that a program carries and one of its data files has too: what stands for the same bytes
  // went to one place, so these are others, and the program could not be loaded.
  Status CheckOwnData() const {
    for (size_t p = 0; p < programs_.size(); ++p) {
      for (const auto& [key, entry] : result_.programs[p].own_data.entries()) {
        const auto other = result_.store.entries().find(key);
        if (other == result_.store.entries().end()) continue;
        if (tags_[p].count(other->second.tag) == 0) continue;
        return Status::Error(StatusCode::kMismatch,
                             "program '%s': key '%s' stands for other bytes in its data file '%s'",
                             Printable(programs_[p].name).c_str(), Printable(key).c_str(),
                             Printable(other->second.tag).c_str());
      }
    }
    return Status::Ok();
  }

 private:
  Result<std::string> TagOf(size_t program, const PayloadConstant& constant) const {
    if (!constant.tag.empty()) return constant.tag;
    ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.data.Sha256());
    const auto named = uses_.tags.find({constant.key, sha256});
    if (named != uses_.tags.end()) return named->second;
    const size_t count = uses_.programs.at(sha256).size();
    if (count == 1) return programs_[program].tag;
    if (!shared_tag_.empty()) return shared_tag_;
    return Status::Error(StatusCode::kInvalidArgument,
                         "%zu programs share data, and no tag was given for what is shared", count);
  }

  const std::vector<ProgramGraphs>& programs_;
  const std::string& shared_tag_;
  const Uses uses_;
  Preprocessed& result_;
  std::vector<std::set<std::string>> tags_;  // of the data that each program uses
};

PreprocessedProgram Encode(ProgramGraphs& program) {
  PreprocessedProgram encoded;
  encoded.name = program.name;
  for (MethodGraphs& method : program.methods) {
    encoded.methods.push_back({method.name, {}});
    for (PayloadWriter& partition : method.partitions) {
      encoded.methods.back().payloads.push_back(partition.Finish());
    }
  }
  return encoded;
}

}  // namespace

Result<Preprocessed> Preprocess(std::vector<ProgramGraphs> programs,
                                const std::string& shared_tag) {
  ONEPACK_ASSIGN_OR_RETURN(Uses uses, FindUses(programs));
  Preprocessed result;
  result.programs.resize(programs.size());
  Namer namer(programs, shared_tag, std::move(uses), result);
  ONEPACK_RETURN_IF_ERROR(ForEachConstant(programs, [&](size_t program, PayloadConstant& constant) {
    return namer.Name(program, constant);
  }));
  ONEPACK_RETURN_IF_ERROR(namer.CheckOwnData());
  for (size_t p = 0; p < programs.size(); ++p) {
    NamedDataStore own_data = std::move(result.programs[p].own_data);
    result.programs[p] = Encode(programs[p]);
    result.programs[p].own_data = std::move(own_data);
  }
  return result;
}

}  // namespace onepack
