#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/bench_text.h"
#include "client/cli/choices.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/load/generated_image.h"
#include "client/load/grpc_caller.h"
#include "client/load/load_run.h"
#include "client/load/request_maker.h"
#include "client/load/timer.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

constexpr double kDefaultTimeoutSeconds = 60;
constexpr int kMostConnections = 8;
constexpr int kMostClients = 10'000;

struct BenchOptions {
  LoadRequestOptions request;
  std::string alphas;
  double alpha = 1;
  int class_count = 10;
  std::vector<std::string> image_files;
  int width = 500;
  int height = 375;
  int image_count = 16;
  int clients = 1;
  double rate = 0;
  double duration_seconds = 10;
  double warmup_seconds = 2;
};

absl::Status FillRequest(BenchOptions& options) {
  LoadRequestOptions& request = options.request;
  request.alphas = {options.alpha};
  if (!options.alphas.empty()) {
    CLIENT_ASSIGN_OR_RETURN(request.alphas, ParseAlphas(options.alphas));
  }
  if (request.class_names.empty()) {
    for (int i = 1; i <= options.class_count; ++i) request.class_names.push_back(absl::StrCat("thing ", i));
  }
  for (const std::string& path : options.image_files) {
    CLIENT_ASSIGN_OR_RETURN(request.images.emplace_back(), ReadFile(path));
  }
  if (!request.images.empty()) return absl::OkStatus();
  for (int i = 0; i < options.image_count; ++i) {
    request.images.push_back(GenerateJpeg(options.width, options.height, request.seed + static_cast<uint64_t>(i)));
  }
  return absl::OkStatus();
}

absl::Status RunBench(Session& session, BenchOptions& options) {
  CLIENT_RETURN_IF_ERROR(FillRequest(options));
  const BenchSetting setting{options.request.protocol == LoadProtocol::kModelpatch ? "modelpatch" : "oip",
                             options.rate > 0 ? 0 : options.clients, options.rate, options.request.images_per_request};
  const RequestMaker maker(options.request);
  const double timeout = session.timeout_seconds > 0 ? session.timeout_seconds : kDefaultTimeoutSeconds;
  const int connections = options.rate > 0 ? kMostConnections : std::min(options.clients, kMostConnections);
  GrpcCaller caller(session.server, connections, std::chrono::milliseconds(static_cast<int64_t>(timeout * 1000)),
                    maker);
  // What is wrong with all requests is better told once, and before the load.
  CLIENT_RETURN_IF_ERROR(caller.TryOnce());
  SteadyTimer timer;
  const double begin = options.warmup_seconds;
  const double end = begin + options.duration_seconds;
  const std::vector<LoadSample> samples =
      options.rate > 0 ? RunLoad(OpenLoop{options.rate, options.request.seed}, end, caller, timer)
                       : RunLoad(ClosedLoop{options.clients}, end, caller, timer);
  const LoadReport report = Summarize(samples, {begin, end}, options.request.images_per_request);
  session.out() << (session.json ? BenchJson(setting, report) + "\n" : BenchText(setting, report)) << std::flush;
  if (report.measured > 0) return absl::OkStatus();
  return absl::UnavailableError("no call succeeded while the load was measured; give it more --duration");
}

void AddLoadOptions(CLI::App& command, BenchOptions& options) {
  CLI::Option* clients =
      command.add_option("--clients", options.clients, "Closed loop: so many clients, each with one call at a time")
          ->check(CLI::Range(1, kMostClients))
          ->capture_default_str();
  command
      .add_option("--rate", options.rate,
                  "Open loop: so many calls a second, at random (Poisson); latencies count from the intended arrival")
      ->check(CLI::Range(0.001, 1e6))
      ->excludes(clients);
  command.add_option("--duration", options.duration_seconds, "Seconds that are measured")
      ->check(CLI::Range(0.01, 1e6))
      ->capture_default_str();
  command.add_option("--warmup", options.warmup_seconds, "Seconds before, that are not")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command.add_option("--protocol", options.request.protocol, "modelpatch, or oip: the Open Inference Protocol")
      ->transform(OneOf(std::map<std::string, LoadProtocol>{{"modelpatch", LoadProtocol::kModelpatch},
                                                            {"oip", LoadProtocol::kOpenInference}}))
      ->type_name("modelpatch|oip")
      ->default_str("modelpatch");
  command.add_option("--seed", options.request.seed, "Of images, arrivals and random α")->capture_default_str();
}

void AddMixtureAndClassOptions(CLI::App& command, BenchOptions& options) {
  command.add_option("--model", options.request.model, "The model")->required();
  CLI::Option* checkpoint = command.add_option("--checkpoint", options.request.checkpoint, "A checkpoint of the model");
  CLI::Option* alpha = command.add_option("--alpha", options.alpha, "How far to go from the model to the checkpoint")
                           ->needs(checkpoint)
                           ->capture_default_str();
  CLI::Option* alphas =
      command.add_option("--alphas", options.alphas, "FROM:TO:STEP or A,B,C: each call takes the next one")
          ->needs(checkpoint)
          ->excludes(alpha);
  command.add_flag("--random-alphas", options.request.random_alphas, "Each call takes any of --alphas")->needs(alphas);
  command.add_flag("--allow-extrapolation", options.request.allow_extrapolation, "Let α lie outside [0, 1]");
  CLI::Option* names = command.add_option("--class", options.request.class_names, "A class name, as often as needed")
                           ->allow_extra_args(false);
  command
      .add_option("--classes", options.class_count,
                  "Made-up class names, if none are given; 0: the images are encoded, not classified")
      ->check(CLI::Range(0, 10'000))
      ->excludes(names)
      ->capture_default_str();
  command.add_option("--template", options.request.templates, "A prompt with {c} for the class name; or builtin:NAME")
      ->allow_extra_args(false);
  command.add_flag("--fresh-classes", options.request.fresh_class_names, "New class names in each call");
  command.add_option("--top-k", options.request.top_k, "Classes in an answer; 0 means all")
      ->check(CLI::Range(0, 10'000));
}

void AddImageOptions(CLI::App& command, BenchOptions& options) {
  CLI::Option* files =
      command.add_option("--image", options.image_files, "An image file, as often as needed")->allow_extra_args(false);
  const auto add = [&](const char* name, int& value, int most, const char* help) {
    command.add_option(name, value, help)->check(CLI::Range(1, most))->excludes(files)->capture_default_str();
  };
  add("--width", options.width, 8192, "Pixels of the JPEG images that are made if no files are given");
  add("--height", options.height, 8192, "Pixels of these images");
  add("--distinct-images", options.image_count, 10'000, "How many of them are made; calls take them in turn");
  command.add_option("--images-per-request", options.request.images_per_request, "Images in each call")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

}  // namespace

void AddBenchCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure a server under load: latencies and throughput");
  AddLoadOptions(*command, *options);
  AddMixtureAndClassOptions(*command, *options);
  AddImageOptions(*command, *options);
  command->callback(
      [&session, options] { session.command = [&session, options] { return RunBench(session, *options); }; });
}

}  // namespace modelpatch::client
