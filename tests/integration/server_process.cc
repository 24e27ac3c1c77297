#include "tests/integration/server_process.h"

#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "tests/support/test_data.h"

extern char** environ;

namespace modelpatch::testing {
namespace {

// Starts the server with a pipe on the given descriptor; returns the pipe's reading end.
int Spawn(const std::vector<std::string>& arguments, int piped_descriptor, pid_t* pid) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], piped_descriptor);
  std::vector<std::string> words = {ProgramPath("modelpatch-server")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  if (error == 0) return pipe_ends[0];
  ADD_FAILURE() << "cannot start " << words[0] << ": " << strerror(error);
  close(pipe_ends[0]);
  return -1;
}

// The next line without its end; empty at the end of the pipe.
std::string ReadLine(int descriptor) {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t count = read(descriptor, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') return line;
    line += c;
  }
}

std::string After(const std::string& line, const std::string& prefix) {
  return line.rfind(prefix, 0) == 0 ? line.substr(prefix.size()) : "";
}

int ExitOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::unique_ptr<ServerProcess> ServerProcess::Start(const std::string& data_dir, std::vector<std::string> arguments) {
  std::vector<std::string> all = {"--data-dir",  data_dir,         "--grpc-address",
                                  "127.0.0.1:0", "--http-address", "127.0.0.1:0"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::unique_ptr<ServerProcess> server(new ServerProcess());
  server->output_ = Spawn(all, STDOUT_FILENO, &server->pid_);
  if (server->output_ < 0) return nullptr;
  // It prints its addresses once it serves: waiting for them needs no clock.
  server->grpc_address_ = After(ReadLine(server->output_), "gRPC on ");
  server->http_address_ = After(ReadLine(server->output_), "HTTP on ");
  if (server->grpc_address_.empty() || server->http_address_.empty()) {
    ADD_FAILURE() << "the server did not come up; it ended with " << server->Wait();
    return nullptr;
  }
  return server;
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    Wait();
  }
  if (output_ >= 0) close(output_);
}

std::shared_ptr<grpc::Channel> ServerProcess::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // A connection of its own, and not one shared with other channels to this address.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(grpc_address_, grpc::InsecureChannelCredentials(), arguments);
}

void ServerProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int ServerProcess::Wait() {
  const int result = ExitOf(pid_);
  pid_ = -1;
  return result;
}

bool ServerProcess::IsRunning() { return pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0; }

int RunServerProgram(const std::vector<std::string>& arguments, std::string* error_output) {
  pid_t pid = -1;
  const int output = Spawn(arguments, STDERR_FILENO, &pid);
  if (output < 0) return -1;
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = read(output, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  close(output);
  if (error_output != nullptr) *error_output = std::move(text);
  return ExitOf(pid);
}

}  // namespace modelpatch::testing
