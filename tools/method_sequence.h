// Methods of one program that run one after the other, on inputs of the user. Methods that share
// state are loaded with one.
//
// Ownership: the loader outlives it.

#ifndef ONEPACK_TOOLS_METHOD_SEQUENCE_H_
#define ONEPACK_TOOLS_METHOD_SEQUENCE_H_

#include <memory>
#include <string>
#include <vector>

#include "tools/input_argument.h"
#include "tools/program_loader.h"

namespace onepack {

class MethodSequence {
 public:
  static Result<MethodSequence> Load(ProgramLoader& loader, const std::string& program,
                                     const std::vector<std::string>& data,
                                     const std::vector<std::string>& names);

  // Data files of which no method uses a key.
  Result<std::vector<std::string>> UnusedFiles(ProgramLoader& loader,
                                               const std::vector<std::string>& data) const;

  // Counted through the inputs of all methods: those of the second begin behind those of the first.
  // Zeros where nothing is given.
  Status MakeInputs(const std::vector<InputArgument>& inputs,
                    const std::vector<ShapeArgument>& shapes);

  // All methods, in order. Returns the seconds that they took, without setting the inputs.
  Result<double> Run();

  const std::vector<Ref<Method>>& methods() const { return methods_; }

 private:
  MethodSequence() = default;

  size_t input_count() const;
  Status CheckArguments(const std::vector<InputArgument>& inputs,
                        const std::vector<ShapeArgument>& shapes) const;

  Ref<NamedDataMap> named_data_;
  std::vector<Ref<Method>> methods_;
  std::vector<std::unique_ptr<InputValue>> inputs_;  // of all methods
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_METHOD_SEQUENCE_H_
