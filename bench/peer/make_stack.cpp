// Writes the models that the peers are measured on.
//
//     make_stack FOLDER [--width N] [--hidden N] [--blocks N] [--rank N] [--adapters N] [--rows N]

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "aot/lora_stack.h"

int main(int argc, char** argv) {
  CLI::App app("Writes a stack of LoRA programs");
  std::string folder;
  onepack::LoraStackOptions options;
  app.add_option("FOLDER", folder)->required();
  app.add_option("--width", options.width);
  app.add_option("--hidden", options.hidden);
  app.add_option("--blocks", options.blocks);
  app.add_option("--rank", options.rank);
  app.add_option("--adapters", options.adapters);
  app.add_option("--rows", options.max_rows);
  CLI11_PARSE(app, argc, argv);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const onepack::Status status = onepack::WriteLoraStack(folder, options);
  if (status.ok()) return 0;
  fprintf(stderr, "%s\n", status.message());
  return 1;
}
