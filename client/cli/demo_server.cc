#include "client/cli/demo_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/status_macros.h"

extern char** environ;

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(20);
constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kCancelTime = std::chrono::seconds(10);
constexpr auto kEndTime = std::chrono::seconds(15);

std::string TailOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  constexpr size_t kTailBytes = 2000;
  return text.size() > kTailBytes ? text.substr(text.size() - kTailBytes) : text;
}

struct Addresses {
  std::string grpc;
  std::string http;
};

// Nothing unless the file is there and complete.
std::optional<Addresses> ReadReadyFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  const auto document = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return std::nullopt;
  const auto grpc = document.find("grpc");
  const auto http = document.find("http");
  if (grpc == document.end() || http == document.end() || !grpc->is_string() || !http->is_string()) return std::nullopt;
  return Addresses{grpc->get<std::string>(), http->get<std::string>()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DemoServer>> DemoServer::Start(const Options& options) {
  if (access(options.binary.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("there is no program ", options.binary, "; build modelpatch-server or say --server-binary PATH"));
  }
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  std::string pattern = ((error ? fs::path("/tmp") : parent) / "modelpatch-demo-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot make the directory ", pattern, ": ", std::strerror(errno)));
  }
  std::unique_ptr<DemoServer> server(new DemoServer(pattern));
  CLIENT_RETURN_IF_ERROR(server->Spawn(options));
  return server;
}

DemoServer::~DemoServer() { CleanUp(); }

absl::Status DemoServer::Spawn(const Options& options) {
  std::vector<std::string> arguments = {options.binary,   "--data-dir",   data_directory(),
                                        "--grpc-address", "127.0.0.1:0",  "--http-address",
                                        "127.0.0.1:0",    "--ready-file", directory_ + "/ready.json"};
  for (const std::string& root : options.import_roots) {
    arguments.push_back("--import-root");
    arguments.push_back(root);
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  // A session of its own, so that Ctrl-C reaches the demo alone, which then ends the server in order; and no signal
  // blocked, unlike here.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  const int failed = posix_spawn(&pid_, options.binary.c_str(), &actions, &attributes, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    pid_ = -1;
    return absl::UnavailableError(absl::StrCat("cannot start ", options.binary, ": ", std::strerror(failed)));
  }
  return absl::OkStatus();
}

bool DemoServer::HasExited() {
  const std::lock_guard lock(mutex_);
  if (!exited_ && pid_ > 0) exited_ = waitpid(pid_, nullptr, WNOHANG) == pid_;
  return exited_ || pid_ <= 0;
}

absl::Status DemoServer::WaitUntilReady() {
  const auto deadline = Clock::now() + kStartTime;
  while (Clock::now() < deadline) {
    if (const auto addresses = ReadReadyFile(directory_ + "/ready.json"); addresses.has_value()) {
      address_ = addresses->grpc;
      http_address_ = addresses->http;
      return absl::OkStatus();
    }
    if (HasExited()) {
      return absl::UnavailableError(
          absl::StrCat("modelpatch-server ended before it served; its log ends:\n", TailOf(log_path())));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return absl::UnavailableError(absl::StrCat("modelpatch-server did not serve within ", kStartTime.count(),
                                             " seconds; its log ends:\n", TailOf(log_path())));
}

void DemoServer::Keep() {
  const std::lock_guard lock(mutex_);
  cleaned_up_ = true;
}

// A server that ends leaves its jobs running; these would write into a directory that is gone.
void DemoServer::CancelJobs() {
  ClientOptions options;
  options.deadline = std::chrono::seconds(5);
  options.retry.maximum_attempts = 1;
  Client client(address_, options);
  const auto deadline = Clock::now() + kCancelTime;
  while (Clock::now() < deadline) {
    const auto jobs = client.ListPatchJobs({});
    if (!jobs.ok()) return;
    bool all_ended = true;
    for (const v1::PatchJob& job : jobs->patch_jobs()) {
      const auto state = job.state();
      if (state == v1::PATCH_JOB_STATE_SUCCEEDED || state == v1::PATCH_JOB_STATE_FAILED ||
          state == v1::PATCH_JOB_STATE_CANCELLED) {
        continue;
      }
      all_ended = false;
      if (state != v1::PATCH_JOB_STATE_CANCELLING) static_cast<void>(client.CancelPatchJob(job.name()));
    }
    if (all_ended) return;
    std::this_thread::sleep_for(kPollInterval * 5);
  }
}

void DemoServer::CleanUp() {
  const bool exited = HasExited();
  const std::lock_guard lock(mutex_);
  if (cleaned_up_) return;
  cleaned_up_ = true;
  if (!exited) {
    if (!address_.empty()) CancelJobs();
    kill(pid_, SIGTERM);
    const auto deadline = Clock::now() + kEndTime;
    while (!exited_) {
      exited_ = waitpid(pid_, nullptr, WNOHANG) == pid_;
      if (exited_) break;
      if (Clock::now() > deadline) kill(pid_, SIGKILL);
      std::this_thread::sleep_for(kPollInterval);
    }
  }
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

}  // namespace modelpatch::client
