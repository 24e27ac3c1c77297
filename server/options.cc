#include "server/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include "server/version.h"

namespace modelpatch::server {
namespace {

absl::Status BadOption(const std::string& name, const std::string& why) {
  return base::WithField(base::InvalidArgument("BAD_OPTION", fmt::format("--{}: {}", name, why)), name);
}

absl::Status CheckRange(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(name, fmt::format("{} is not between {} and {}", value, low, high));
}

void AddBytes(CLI::App& app, const std::string& name, int64_t& value, const std::string& help) {
  app.add_option(name, value, help)->transform(CLI::AsSizeValue(false))->capture_default_str();
}

void AddOptions(CLI::App& app, ServerOptions& options) {
  static const std::map<std::string, base::LogFormat> formats = {{"text", base::LogFormat::kText},
                                                                 {"json", base::LogFormat::kJson}};
  static const std::map<std::string, base::Severity> levels = {{"debug", base::Severity::kDebug},
                                                               {"info", base::Severity::kInfo},
                                                               {"warning", base::Severity::kWarning},
                                                               {"error", base::Severity::kError}};
  static const std::map<std::string, model::Precision> precisions = {{"fp32", model::Precision::kFloat32},
                                                                     {"bf16", model::Precision::kBFloat16}};
  app.add_option("--data-dir", options.data_dir, "Where everything is kept; made if it is not there")->required();
  app.add_option("--grpc-address", options.grpc_address, "HOST:PORT of the API; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--http-address", options.http_address, "HOST:PORT of /metrics, /healthz and /readyz")
      ->capture_default_str();
  app.add_option("--import-root", options.import_roots,
                 "Models and tasks may be imported from below this directory; repeatable");
  app.add_option("--export-root", options.export_root, "Models may be exported below this directory");
  app.add_option("--ready-file", options.ready_file, "Gets the addresses and the process id as JSON once it serves");
  app.add_option("--device", options.device, "Where inference runs: auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option(
         "--precision", options.precision,
         "Of inference: fp32, or bf16, which is quicker on a GPU and rounds the image encoder's matrix products")
      ->transform(CLI::CheckedTransformer(precisions))
      ->default_str("fp32");
  app.add_option("--threads", options.threads, "Threads inside one operator; 0: one for each core")
      ->capture_default_str();
  app.add_option("--preprocess-threads", options.preprocess_threads, "Threads that decode; 0: one for each core")
      ->capture_default_str();
  app.add_option("--log-format", options.log_format, "text or json")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case))
      ->default_str("text");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case))
      ->default_str("info");
  AddBytes(app, "--model-cache-bytes", options.model_cache_bytes, "Memory for models, such as 8GB");
  AddBytes(app, "--mixture-cache-bytes", options.mixture_cache_bytes, "Memory for mixtures' weights");
  AddBytes(app, "--head-cache-bytes", options.head_cache_bytes,
           "Memory for zero-shot heads, an eighth of it for the class lists that came last");
  AddBytes(app, "--max-message-bytes", options.maximum_message_bytes, "Largest message that is accepted or sent");
  app.add_option("--max-batch", options.maximum_batch, "Images of one forward")->capture_default_str();
  app.add_option("--max-batch-delay-milliseconds", options.maximum_batch_delay_milliseconds,
                 "How long a request may wait for others to fill a batch; 0 starts at once")
      ->capture_default_str();
  app.add_option("--max-queued-images", options.maximum_queued_images, "Images that may wait for a forward")
      ->capture_default_str();
  app.add_option("--max-image-pixels", options.maximum_image_pixels, "Pixels of one image")->capture_default_str();
  app.add_option("--max-classes", options.maximum_classes, "Classes of one request")->capture_default_str();
  app.add_option("--max-prompt-bytes", options.maximum_prompt_bytes, "Bytes of one prompt")->capture_default_str();
  app.add_option("--max-unfinished-jobs", options.maximum_unfinished_jobs, "Jobs that run or wait")
      ->capture_default_str();
  app.add_option("--max-evaluations", options.maximum_evaluations, "Evaluations and sweeps that run or wait")
      ->capture_default_str();
  app.add_option("--max-watches", options.maximum_watches, "Open watches")->capture_default_str();
  app.add_option("--max-streams", options.maximum_streams, "Open uploads, downloads and streams of classifications")
      ->capture_default_str();
  AddBytes(app, "--max-upload-bytes", options.maximum_upload_bytes, "Disk for uploads until they are imported");
  app.add_option("--upload-seconds", options.upload_seconds, "How long an interrupted upload waits to be resumed")
      ->capture_default_str();
  app.add_option("--worker-binary", options.worker_binary,
                 "The program that runs steps; default: modelpatch-worker beside this one");
  app.add_option("--drain-seconds", options.drain_seconds, "How long a shutdown waits for requests in flight")
      ->capture_default_str();
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& arguments) {
  ServerOptions options;
  CLI::App app("Patches open-vocabulary image classifiers and serves them over gRPC.", "modelpatch-server");
  app.set_version_flag("--version", "modelpatch-server " + Version());
  AddOptions(app, options);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int exit_code = app.exit(error, text, text);
    return {std::nullopt, text.str(), exit_code};
  }
  if (const absl::Status status = CheckServerOptions(options); !status.ok()) {
    return {std::nullopt, std::string(status.message()) + "\nRun with --help for more information.\n", 2};
  }
  return {std::move(options), "", 0};
}

absl::Status CheckServerOptions(const ServerOptions& options) {
  if (options.data_dir.empty()) return BadOption("data-dir", "it is empty; give the directory to keep everything in");
  for (const auto& [name, text] :
       {std::pair("grpc-address", options.grpc_address), {"http-address", options.http_address}}) {
    if (const auto address = ParseAddress(text); !address.ok()) {
      return BadOption(name, std::string(address.status().message()));
    }
  }
  constexpr int64_t kMany = int64_t{1} << 40;
  MP_RETURN_IF_ERROR(CheckRange("threads", options.threads, 0, 1024));
  MP_RETURN_IF_ERROR(CheckRange("preprocess-threads", options.preprocess_threads, 0, 1024));
  MP_RETURN_IF_ERROR(CheckRange("model-cache-bytes", options.model_cache_bytes, 0, int64_t{1} << 50));
  MP_RETURN_IF_ERROR(CheckRange("mixture-cache-bytes", options.mixture_cache_bytes, 0, int64_t{1} << 50));
  MP_RETURN_IF_ERROR(CheckRange("head-cache-bytes", options.head_cache_bytes, 0, int64_t{1} << 50));
  // gRPC counts message bytes in an int.
  MP_RETURN_IF_ERROR(CheckRange("max-message-bytes", options.maximum_message_bytes, 1 << 16, (int64_t{1} << 31) - 1));
  MP_RETURN_IF_ERROR(CheckRange("max-batch", options.maximum_batch, 1, 65536));
  MP_RETURN_IF_ERROR(CheckRange("max-batch-delay-milliseconds", options.maximum_batch_delay_milliseconds, 0, 10'000));
  MP_RETURN_IF_ERROR(CheckRange("max-queued-images", options.maximum_queued_images, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-image-pixels", options.maximum_image_pixels, 1, int64_t{1} << 31));
  MP_RETURN_IF_ERROR(CheckRange("max-classes", options.maximum_classes, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-prompt-bytes", options.maximum_prompt_bytes, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-unfinished-jobs", options.maximum_unfinished_jobs, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-evaluations", options.maximum_evaluations, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-watches", options.maximum_watches, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-streams", options.maximum_streams, 1, kMany));
  MP_RETURN_IF_ERROR(CheckRange("max-upload-bytes", options.maximum_upload_bytes, 0, int64_t{1} << 50));
  MP_RETURN_IF_ERROR(CheckRange("upload-seconds", options.upload_seconds, 1, 30 * 86400));
  return CheckRange("drain-seconds", options.drain_seconds, 0, 86400);
}

std::string Address::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

absl::StatusOr<Address> ParseAddress(const std::string& text) {
  const auto bad = [&] {
    return base::InvalidArgument("BAD_ADDRESS",
                                 fmt::format("'{}' is not HOST:PORT, such as 127.0.0.1:8001 or [::1]:8001", text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  Address address;
  address.host = text.substr(0, colon);
  const bool bracketed = address.host.size() >= 2 && address.host.front() == '[' && address.host.back() == ']';
  if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty() || (!bracketed && address.host.find(':') != std::string::npos)) return bad();
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || rest != end || address.port < 0 || address.port > 65535) return bad();
  return address;
}

}  // namespace modelpatch::server
