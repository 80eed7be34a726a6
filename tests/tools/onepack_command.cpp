#include "tests/tools/onepack_command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <stdexcept>

#include "tests/support/files.h"

namespace onepack {
namespace {

// Its standard output is `out`, a descriptor, or closed where that is -1.
pid_t Start(const std::vector<std::string>& arguments, int out, const std::string& err) {
  std::vector<std::string> words = {ONEPACK_COMMAND};  // the emulator's before it, if there is one
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (out >= 0) {
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addclose(&actions, STDOUT_FILENO);
  }
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
  return child;
}

std::string TextOf(const std::string& path) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

CommandResult RunOnepack(const std::vector<std::string>& arguments, StandardOutput output) {
  const TempFolder folder;
  const std::string path =
      output == StandardOutput::kFull ? std::string("/dev/full") : folder.File("out");
  const int out = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (out < 0) throw std::runtime_error("cannot open " + path);
  const pid_t child =
      Start(arguments, output == StandardOutput::kClosed ? -1 : out, folder.File("err"));
  close(out);
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid");
  CommandResult result;
  if (path != "/dev/full") result.out = TextOf(path);
  result.err = TextOf(folder.File("err"));
  if (!WIFEXITED(status)) throw std::runtime_error("killed by a signal: " + result.err);
  result.exit_status = WEXITSTATUS(status);
  return result;
}

int SignalOfOnepackWithoutReader(const std::vector<std::string>& arguments) {
  const TempFolder folder;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  close(ends[0]);
  const pid_t child = Start(arguments, ends[1], folder.File("err"));
  close(ends[1]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid");
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void ExpectFailed(const CommandResult& result, const std::string& reason) {
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
  EXPECT_EQ(result.err.rfind("onepack: ", 0), 0u) << result.err;
  EXPECT_TRUE(Contains(result.err, reason)) << result.err;
}

std::vector<std::string> RecordedCases() {
  std::vector<std::string> paths;
  for (const char* family : {"lora_fp32", "lora_8da8w", "lora_8da4w"}) {
    for (const char* name : {"base", "lora0", "lora1"}) {
      paths.push_back(TestData(std::string("cases/") + family + "/" + name + ".json"));
    }
  }
  for (const char* family : {"llm_fp32", "llm_8da4w"}) {
    for (const char* name : {"base", "a0", "a1"}) {
      paths.push_back(TestData(std::string("cases/") + family + "/" + name + ".json"));
    }
  }
  for (const char* name : {"one", "two"}) {
    paths.push_back(TestData(std::string("cases/scale_8da4w/") + name + ".json"));
  }
  paths.push_back(TestData("cases/one_channel/channels_last.json"));
  return paths;
}

std::string CaseFile(const std::string& name) { return TestData("cases/lora_fp32/" + name); }

}  // namespace onepack
