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

// Which programs use which data, by its SHA-256.
using Users = std::map<std::string, std::set<size_t>>;

Result<Users> FindUsers(std::vector<ProgramGraphs>& programs) {
  Users users;
  ONEPACK_RETURN_IF_ERROR(ForEachConstant(programs, [&](size_t program, PayloadConstant& constant) {
    ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.data.Sha256());
    users[sha256].insert(program);
    return Status::Ok();
  }));
  return users;
}

class Namer {
 public:
  Namer(const std::vector<ProgramGraphs>& programs, const std::string& shared_tag, Users users,
        Preprocessed& result)
      : programs_(programs), shared_tag_(shared_tag), users_(std::move(users)), result_(result) {}

  Status Name(size_t program, PayloadConstant& constant) const {
    NamedDataOptions options;
    ONEPACK_ASSIGN_OR_RETURN(options.tag, TagOf(program, constant));
    NamedDataStore& store =
        options.tag.empty() ? result_.programs[program].own_data : result_.store;
    if (!constant.key.empty()) return store.Add(constant.key, constant.data, options);
    ONEPACK_ASSIGN_OR_RETURN(constant.key,
                             store.AddByContent(constant.data, options, constant.key_prefix));
    return Status::Ok();
  }

 private:
  Result<std::string> TagOf(size_t program, const PayloadConstant& constant) const {
    if (!constant.tag.empty()) return constant.tag;
    ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, constant.data.Sha256());
    const size_t count = users_.at(sha256).size();
    if (count == 1) return programs_[program].tag;
    if (!shared_tag_.empty()) return shared_tag_;
    return Status::Error(StatusCode::kInvalidArgument,
                         "%zu programs share data, and no tag was given for what is shared", count);
  }

  const std::vector<ProgramGraphs>& programs_;
  const std::string& shared_tag_;
  const Users users_;
  Preprocessed& result_;
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
  ONEPACK_ASSIGN_OR_RETURN(Users users, FindUsers(programs));
  Preprocessed result;
  result.programs.resize(programs.size());
  const Namer namer(programs, shared_tag, std::move(users), result);
  ONEPACK_RETURN_IF_ERROR(ForEachConstant(programs, [&](size_t program, PayloadConstant& constant) {
    return namer.Name(program, constant);
  }));
  for (size_t p = 0; p < programs.size(); ++p) {
    NamedDataStore own_data = std::move(result.programs[p].own_data);
    result.programs[p] = Encode(programs[p]);
    result.programs[p].own_data = std::move(own_data);
  }
  return result;
}

}  // namespace onepack
